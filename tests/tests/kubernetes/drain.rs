//! A node that is to be drained: its primary is elsewhere before the drain asks, and the drain is not held up.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::Test;
use super::events::{Event, Events};
use super::rolling::{CLUSTER, object, start, timeline};
use super::stage::{LONG, NAMESPACE, PATIENTLY, Stage};

pub(crate) const TESTS: &[Test] = &[("a_primary_leaves_its_node_before_the_drain", drains)];

pub(crate) fn node_of(stage: &Stage, pod: &str) -> Result<String> {
    stage
        .kubectl()
        .value(&format!("-n {NAMESPACE} pod/{pod}"), ".spec.nodeName")
}

fn drains(stage: &Stage) -> Result<()> {
    start(stage)?;
    let (primary, before) = (stage.primary(CLUSTER)?, timeline(stage)?);
    let said = Events::of(stage, CLUSTER)?;
    let node = node_of(stage, &primary)?;
    cordoned(stage, &node, || drained(stage, &primary, &node))?;
    stage.wait_until_ready(CLUSTER, 3)?;
    let after = timeline(stage)?;
    ensure!(
        after == before + 1,
        "timeline {before} before and {after} after: not one switchover"
    );
    let is_told = |event: &Event| event.reason == "Switchover" && event.note.contains(&node);
    Events::wait_for(stage, CLUSTER, &said, is_told).with_context(|| format!("that the primary left {node}"))
}

/// A node takes no new pods meanwhile.
pub(crate) fn cordoned(stage: &Stage, node: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    stage.kubectl().run(&format!("cordon {node}"))?;
    let outcome = work();
    stage.kubectl().run(&format!("uncordon {node}"))?;
    outcome
}

/// Waits until the primary has left its node; who leads then.
pub(crate) fn moved(stage: &Stage, primary: &str, node: &str) -> Result<String> {
    let begin = Instant::now();
    let moved = |name: &str| !name.is_empty() && name != primary;
    let next = stage
        .kubectl()
        .wait_for_value(&object(), ".status.primary", LONG, moved, |_| {})?;
    eprintln!(
        "{primary} on {node} handed over to {next} after {:.1} s",
        begin.elapsed().as_secs_f32()
    );
    let landed = node_of(stage, &next)?;
    ensure!(landed != node, "{next} is on {node} as well");
    Ok(next)
}

fn drained(stage: &Stage, primary: &str, node: &str) -> Result<()> {
    moved(stage, primary, node)?;
    let begin = Instant::now();
    stage.kubectl().run(&format!(
        "drain {node} --pod-selector=cluster-name={CLUSTER} --delete-emptydir-data --ignore-daemonsets {PATIENTLY}"
    ))?;
    eprintln!("{node} drained in {:.1} s", begin.elapsed().as_secs_f32());
    Ok(())
}
