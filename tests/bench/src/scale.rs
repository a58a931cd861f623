//! `cargo bench-scale`: the controller with many clusters, on a real API server, with simulated pods. Flow:
//!
//! [`place`] readies the local Kubernetes and cleans up, [`clusters`] applies and edits manifests, [`controller`] is the program under test,
//! [`bare`] the client that writes the same objects without thinking. What happened is read from the API server's own log
//! (`pgherd_tests::localkube::audit`), so that nobody who watches slows anything down. [`creation`], [`steady`], [`edits`] and [`restart`]
//! measure one thing each, [`report`] compares with the goals.
//!
//! How to read the result: docs/benchmarks/scale.md.

pub mod bare;
pub mod clusters;
pub mod controller;
pub mod creation;
pub mod edits;
pub mod place;
pub mod report;
pub mod restart;
pub mod statistics;
pub mod steady;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use pgherd_tests::progress::Progress;

use clusters::{Clusters, Names};
use controller::Controller;
use place::Place;
use report::Showing;

/// Clusters of the restart that has a goal.
const FEW: usize = 200;

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Extent {
    /// Clusters that are applied at once; twice as many in the second part.
    pub clusters: usize,
    /// Members of each.
    pub instances: u32,
    /// Edits whose pickup is timed, one after the other.
    pub edits: usize,
    /// Edits that roll pods while others are timed.
    pub burst: usize,
    /// Seconds of the idle time.
    pub idle: u64,
}

/// Says what happens, with the time since the start.
#[derive(Debug, Clone)]
pub struct Teller(Instant);

impl Default for Teller {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Teller {
    /// One line.
    pub fn tell(&self, text: impl std::fmt::Display) {
        let seconds = self.0.elapsed().as_secs();
        eprintln!("{:2}:{:02}  {text}", seconds / 60, seconds % 60);
    }
}

/// All of it.
///
/// # Errors
///
/// Something does not come up, or does not come to an end.
pub async fn run(program: PathBuf, extent: &Extent, teller: &Teller) -> Result<Showing> {
    ensure!(program.exists(), "{} is not built", program.display());
    let place = Place::make(program, &Progress::new(), teller).await?;
    let outcome = measure(&place, extent, teller).await;
    place.clear(teller).await?;
    outcome
}

async fn measure(place: &Place, extent: &Extent, teller: &Teller) -> Result<Showing> {
    let mut log = place.audit_log()?;
    let simulation = place.simulate()?;
    let clusters = Clusters::watch(place, extent.instances).await?;
    let controller = Controller::start(place, &place::NAMESPACES)?;
    controller.wait_until_it_works()?;
    teller.tell("one cluster, to see which objects it consists of");
    let objects = bare::objects_of_one(place, &clusters, &mut log).await?;
    let mut showing = Showing::new(extent, objects.len());

    teller.tell(format!(
        "a bare client writes the {} objects and the manifests of {} clusters",
        objects.len(),
        extent.clusters
    ));
    showing.bare = Some(bare::write(place, &objects, extent.clusters, false).await?);
    teller.tell("the same, with pods");
    showing.bare_with_pods = Some(bare::write(place, &objects, extent.clusters, true).await?);
    bare::wait_for_pods(place, extent, teller).await?;

    let few = FEW.min(extent.clusters);
    let names = Names::new(few, extent.clusters);
    showing.creation =
        Some(creation::measure(&clusters, &controller, &mut log, names.first(), teller).await?);
    teller.tell(format!("{} more", names.second().len()));
    showing.more = Some(creation::measure(&clusters, &controller, &mut log, names.second(), teller).await?);
    showing.steady = Some(steady::measure(&controller, &mut log, extent.idle, teller).await?);
    showing.single = Some(edits::single(&clusters, &mut log, &names, extent.edits, teller).await?);
    showing.burst = Some(edits::in_a_burst(&clusters, &mut log, &names, extent.burst, teller).await?);
    steady::wait_for_quiet(&mut log, teller).await?;
    showing.after = Some(controller.memory()?);
    controller.stop()?;

    let all = names.all().len();
    showing.restart = Some(restart::measure(
        place,
        &mut log,
        &place::NAMESPACES,
        all,
        teller,
    )?);
    showing.restart_of_few = Some(restart::measure(
        place,
        &mut log,
        &place::NAMESPACES[..1],
        few,
        teller,
    )?);
    showing.asked_of_patroni = simulation.asked().len();
    Ok(showing)
}
