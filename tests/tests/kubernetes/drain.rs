//! A node that is to be drained: its primary is elsewhere before the drain asks, and the drain is not held up.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Test;
use super::events::Events;
use super::rolling::{CLUSTER, object, start, timeline};
use super::stage::{NAMESPACE, Stage};

pub(crate) const TESTS: &[Test] = &[("a_primary_leaves_its_node_before_the_drain", drains)];

const LIMIT: Duration = Duration::from_mins(3);

fn node_of(stage: &Stage, pod: &str) -> Result<String> {
    stage
        .kubectl()
        .value(&format!("-n {NAMESPACE} pod/{pod}"), ".spec.nodeName")
}

fn drains(stage: &Stage) -> Result<()> {
    start(stage)?;
    let (primary, before) = (stage.primary(CLUSTER)?, timeline(stage)?);
    let said = Events::of(stage, CLUSTER)?;
    let node = node_of(stage, &primary)?;
    stage.kubectl().run(&format!("cordon {node}"))?;
    let outcome = drained(stage, &primary, &node);
    stage.kubectl().run(&format!("uncordon {node}"))?;
    outcome?;
    stage.wait_until_ready(CLUSTER, 3)?;
    let after = timeline(stage)?;
    ensure!(
        after == before + 1,
        "timeline {before} before and {after} after: not one switchover"
    );
    let events = Events::of(stage, CLUSTER)?.since(&said);
    let told = events
        .iter()
        .any(|event| event.reason == "Switchover" && event.note.contains(&node));
    ensure!(told, "no event says that the primary left {node}: {events:?}");
    Ok(())
}

fn drained(stage: &Stage, primary: &str, node: &str) -> Result<()> {
    let begin = Instant::now();
    let moved = |name: &str| !name.is_empty() && name != primary;
    stage
        .kubectl()
        .wait_for_value(&object(), ".status.primary", LIMIT, moved, |_| {})?;
    let next = stage.primary(CLUSTER)?;
    eprintln!(
        "{primary} on {node} handed over to {next} after {:.1} s",
        begin.elapsed().as_secs_f32()
    );
    let landed = node_of(stage, &next)?;
    ensure!(landed != node, "{next} is on {node} as well");
    let begin = Instant::now();
    stage.kubectl().run(&format!(
        "drain {node} --pod-selector=cluster-name={CLUSTER} --delete-emptydir-data --ignore-daemonsets --timeout=80s"
    ))?;
    eprintln!("{node} drained in {:.1} s", begin.elapsed().as_secs_f32());
    Ok(())
}
