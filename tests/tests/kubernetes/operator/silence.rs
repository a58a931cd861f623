//! A connection that dies without a word: nobody ends it, and nothing comes through.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{ALONE, Place, cluster, requests};
use crate::away::proxy::Proxy;
use crate::stage::Stage;

const PLACE: &str = "it-operator-silence";
const ID: &str = "it-operator-silence";
/// From the moment at which the way is silent: until watches are given up, and a request that meets another silent connection is.
const NOTICED: Duration = Duration::from_secs(150);
/// Until the first are given up.
const GIVEN_UP: Duration = Duration::from_secs(100);

pub(super) fn is_noticed(stage: &Stage) -> Result<()> {
    let place = Place::new(stage, PLACE)?;
    place.settings(&json!({"enable_teams_api": "false", "enable_master_load_balancer": "false"}))?;
    let proxy = Proxy::start(&stage.local.cluster.kubeconfig(), &stage.local.state)?;
    let patient = [
        // Where everything is silent the lease is lost first, and the process ends. This is about watches.
        "--lease-duration",
        "200s",
        "--renew-deadline",
        "180s",
    ];
    let more = [&ALONE[..], &patient].concat();
    let controller = place.controller("operator-silence", ID, &proxy.kubeconfig, &more)?;
    place.apply(&cluster("quiet", Some(ID), 0))?;
    place.wait("service/quiet", ".metadata.name", NOTICED, |name| {
        !name.is_empty()
    })?;
    proxy.fall_silent();
    let begin = Instant::now();
    // Connections that are new get through, and what waits for news on the old ones does not know that none will come.
    place.patch(
        "postgresql/quiet",
        &json!({"spec": {"serviceAnnotations": {"it/heard": "yes"}}}),
    )?;
    let watched = || -> Result<f64> { Ok(requests(&controller.ask("/metrics")?, "watch")) };
    let before = watched()?;
    while watched()? <= before {
        ensure!(
            begin.elapsed() < GIVEN_UP,
            "no watch was begun anew after {:.0?}",
            begin.elapsed()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    eprintln!(
        "silent watches: the first begins anew after {:.1} s",
        begin.elapsed().as_secs_f32()
    );
    let heard = place.wait(
        "service/quiet",
        ".metadata.annotations.it/heard",
        NOTICED,
        |value| value == "yes",
    );
    heard.context("the silent watches were not noticed")?;
    let took = begin.elapsed();
    eprintln!(
        "an edit behind silent watches: carried out after {:.1} s",
        took.as_secs_f32()
    );
    // It was the silence that kept it.
    ensure!(took > Duration::from_secs(2), "the way was not silent");
    ensure!(
        controller.when("the lease was lost")?.is_none(),
        "the lease was lost"
    );
    controller.stop()?;
    place.remove()
}
