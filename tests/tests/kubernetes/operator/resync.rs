//! Looks at everything: each cluster on its own time around `resync_period`, and at once for whoever asks by annotation. What no watch tells of
//! is found by them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::{ALONE, Place, cluster, metric};
use crate::away::controller::Controller;
use crate::stage::{LONG, Stage};

const PLACE: &str = "it-operator-resync";
const ID: &str = "it-operator-resync";
const CLUSTERS: usize = 10;
/// As configured; a tenth more or less for each look.
const PERIOD: f64 = 20.0;
const TURNS: &str = "pgherd_controller_turns_total{lane=\"resync\",outcome=\"done\"}";

pub(super) fn looks(stage: &Stage) -> Result<()> {
    let place = Place::new(stage, PLACE)?;
    place.settings(&json!({
        "enable_teams_api": "false", "enable_master_load_balancer": "false", "resync_period": format!("{PERIOD}s"),
        // No watch tells of Endpoints: Patroni changes them all the time.
        "kubernetes_use_configmaps": "false",
    }))?;
    let kubeconfig = stage.local.cluster.kubeconfig();
    let controller = place.controller("operator-resync", ID, &kubeconfig, &ALONE)?;
    for number in 0..CLUSTERS {
        place.apply(&cluster(&format!("c{number}"), Some(ID), 0))?;
    }
    let last = format!("service/c{}", CLUSTERS - 1);
    place.wait(&last, ".metadata.name", LONG, |name| !name.is_empty())?;
    by_time(&controller)?;
    on_demand(stage, &place)?;
    controller.stop()?;
    place.remove()
}

fn turns(controller: &Controller) -> Result<f64> {
    Ok(metric(&controller.ask("/metrics")?, TURNS).unwrap_or_default())
}

/// One per cluster and period, and not all at once.
fn by_time(controller: &Controller) -> Result<()> {
    // The first look of each is its creation.
    std::thread::sleep(Duration::from_secs_f64(PERIOD * 1.2));
    let (begin, before) = (Instant::now(), turns(controller)?);
    let (mut last, mut most) = (before, 0.0_f64);
    while begin.elapsed() < Duration::from_secs_f64(PERIOD * 2.0) {
        std::thread::sleep(Duration::from_millis(250));
        let now = turns(controller)?;
        most = most.max(now - last);
        last = now;
    }
    let (looks, periods) = (last - before, begin.elapsed().as_secs_f64() / PERIOD);
    eprintln!(
        "{CLUSTERS} clusters: {looks} looks in {periods:.1} periods, at most {most} in a quarter of a second"
    );
    let expected = periods * f64::from(u32::try_from(CLUSTERS)?);
    ensure!(
        (expected * 0.75..=expected * 1.25).contains(&looks),
        "{looks} looks where {expected} were due"
    );
    ensure!(most < expected / 2.0, "{most} came at once");
    Ok(())
}

/// What no watch tells of is missed until somebody asks, and is mended at once when somebody does. Where nothing differs, nothing is written.
fn on_demand(stage: &Stage, place: &Place<'_>) -> Result<()> {
    // The next look by time is far.
    place.patch("configmap/settings", &json!({"data": {"resync_period": "1h"}}))?;
    std::thread::sleep(Duration::from_secs(3));
    let versions = || place.value("services,statefulsets", ".items[*].metadata.resourceVersion");
    let stood = versions()?;
    for round in ["1", "2"] {
        stay_away(place)?;
        stage.kubectl().run(&format!(
            "-n {PLACE} annotate postgresql c0 pgherd.io/sync={round} --overwrite"
        ))?;
        let begin = Instant::now();
        place
            .wait("endpoints/c0", ".metadata.name", LONG, |name| !name.is_empty())
            .context("asked for a look, nobody looked")?;
        eprintln!(
            "Endpoints that are gone: there again {:.2} s after a look was asked for",
            begin.elapsed().as_secs_f32()
        );
    }
    ensure!(
        versions()? == stood,
        "a look at everything wrote what did not differ"
    );
    Ok(())
}

/// Deletes Endpoints, which nobody makes anew without being asked. A look that was due by the period before may have made them once.
fn stay_away(place: &Place<'_>) -> Result<()> {
    for _ in 0..3 {
        place.run("delete endpoints c0")?;
        std::thread::sleep(Duration::from_secs(2));
        if !place.names("endpoints")?.contains(&"c0".to_owned()) {
            return Ok(());
        }
    }
    bail!("somebody makes the Endpoints anew without being asked, and this trial shows nothing")
}
