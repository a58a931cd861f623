//! The controller starts among clusters that are as they should be: until it has looked at all of them, and what it asks for that.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use pgherd_tests::localkube::audit::{AuditLog, Request, counts};

use super::Teller;
use super::controller::Controller;
use super::place::Place;
use super::statistics::number;
use crate::usage::Memory;

const LIMIT: Duration = Duration::from_mins(3);

/// What was seen.
#[derive(Debug, Clone)]
pub struct Restart {
    pub clusters: usize,
    /// From the start of the process until every cluster had a turn and none waits for one, in seconds.
    pub seconds: f64,
    /// Per cluster, without those of the lease.
    pub requests: f64,
    pub writes: usize,
    pub by_kind: Vec<(String, usize)>,
    /// CPU in milliseconds per cluster.
    pub cpu: f64,
    pub memory: Memory,
}

/// Starts one for these namespaces, and ends it.
///
/// # Errors
///
/// It does not get through.
pub fn measure(
    place: &Place,
    log: &mut AuditLog,
    namespaces: &[&str],
    clusters: usize,
    teller: &Teller,
) -> Result<Restart> {
    teller.tell(format!("restart with {clusters} clusters"));
    log.read()?;
    let controller = Controller::start(place, namespaces)?;
    controller.wait_until_it_works()?;
    while controller.count("pgherd_controller_turns_total")? < number(clusters)
        || controller.count("pgherd_controller_waiting_edits")?
            + controller.count("pgherd_controller_waiting_resyncs")?
            > 0.0
    {
        ensure!(controller.started().elapsed() < LIMIT, "the restart does not end");
        sleep(Duration::from_millis(50));
    }
    let seconds = controller.started().elapsed().as_secs_f64();
    // What a turn says last, and turns that follow.
    sleep(Duration::from_secs(2));
    let (cpu, memory) = (controller.cpu()?, controller.memory()?);
    controller.stop()?;
    let seen = log.read()?;
    let own: Vec<&Request> = seen
        .iter()
        .filter(|request| request.user == Place::user() && !request.is_of_the_lease())
        .collect();
    let restart = Restart {
        clusters,
        seconds,
        requests: number(own.len()) / number(clusters),
        writes: own.iter().filter(|request| request.is_write()).count(),
        by_kind: counts(own.iter().copied(), |request| {
            format!("{} {}", request.verb, request.resource)
        }),
        cpu: cpu.as_secs_f64() * 1e3 / number(clusters),
        memory,
    };
    teller.tell(format!(
        "  in sync after {:.1} s with {:.2} requests per cluster, {} of them writes",
        restart.seconds, restart.requests, restart.writes
    ));
    Ok(restart)
}
