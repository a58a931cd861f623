//! The scale subresource: `kubectl scale`, and an autoscaler that reads number and selector from it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::condition;
use crate::stage::{NAMESPACE, Stage, manifest};

const CLUSTER: &str = "it-scale";
const LIMIT: Duration = Duration::from_mins(6);

pub(super) fn scales(stage: &Stage) -> Result<()> {
    stage.delete(CLUSTER)?;
    stage.kubectl().apply(&manifest(CLUSTER, 1, "teamId: it"))?;
    let outcome = up_and_down(stage);
    let removed = stage.kubectl().run(&format!(
        "-n {NAMESPACE} delete horizontalpodautoscaler {CLUSTER} --ignore-not-found"
    ));
    let deleted = stage.delete(CLUSTER);
    outcome.and(removed.map(drop)).and(deleted)
}

fn up_and_down(stage: &Stage) -> Result<()> {
    stage.wait_until_ready(CLUSTER, 1)?;
    by_hand(stage)?;
    by_an_autoscaler(stage)?;
    stage.kubectl().run(&format!(
        "-n {NAMESPACE} scale postgresql {CLUSTER} --replicas=1 --current-replicas=3"
    ))?;
    stage.wait_until_ready(CLUSTER, 1)
}

fn scale(stage: &Stage, path: &str) -> Result<String> {
    let object = format!("-n {NAMESPACE} postgresql/{CLUSTER} --subresource=scale");
    stage.kubectl().value(&object, path)
}

fn by_hand(stage: &Stage) -> Result<()> {
    stage.kubectl().run(&format!(
        "-n {NAMESPACE} scale postgresql {CLUSTER} --replicas=2 --current-replicas=1"
    ))?;
    stage.wait_until_ready(CLUSTER, 2)?;
    for path in [".spec.replicas", ".status.replicas"] {
        let counted = |count: &str| count == "2";
        let object = format!("-n {NAMESPACE} postgresql/{CLUSTER} --subresource=scale");
        let kubectl = stage.kubectl();
        kubectl.wait_for_value(&object, path, LIMIT, counted, |_| {})?;
    }
    let selector = scale(stage, ".status.selector")?;
    let pods = format!("-n {NAMESPACE} pods -l {selector}");
    let found = stage.kubectl().value(&pods, ".items[*].metadata.name")?;
    eprintln!("kubectl scale: 2 members; the selector {selector} finds {found}");
    let mut found: Vec<&str> = found.split_whitespace().collect();
    found.sort_unstable();
    ensure!(
        found == [format!("{CLUSTER}-0"), format!("{CLUSTER}-1")],
        "the selector finds {found:?}"
    );
    Ok(())
}

/// Below its minimum an autoscaler needs no figures to act; within its bounds it asks for those of the pods that the selector finds.
fn by_an_autoscaler(stage: &Stage) -> Result<()> {
    let autoscaler = serde_json::json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": CLUSTER, "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "name": CLUSTER},
            "minReplicas": 3, "maxReplicas": 4,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}],
        },
    });
    stage.kubectl().apply(&autoscaler.to_string())?;
    let object = format!("-n {NAMESPACE} horizontalpodautoscaler/{CLUSTER}");
    let three = |value: &str| value == "3";
    stage
        .kubectl()
        .wait_for_value(&object, ".status.currentReplicas", LIMIT, three, |seen| {
            eprintln!("the autoscaler sees {seen} members");
        })?;
    stage.wait_until_ready(CLUSTER, 3)?;
    let condition = |kind: &str| condition(stage, &object, kind);
    ensure!(
        condition("AbleToScale")?.0 == "True",
        "it cannot scale: {:?}",
        condition("AbleToScale")?
    );
    // There is no server of metrics here; without a selector it would not get as far as to miss one.
    let is_asking = |reason: &str| reason == "FailedGetResourceMetric";
    let path = ".status.conditions[?(@.type==\"ScalingActive\")].reason";
    let asked = stage
        .kubectl()
        .wait_for_value(&object, path, LIMIT, is_asking, |_| {});
    asked.with_context(|| {
        let stopped = condition("ScalingActive");
        format!("it stopped before it asked for the pods' figures: {stopped:?}")
    })?;
    stage.kubectl().run(&format!(
        "-n {NAMESPACE} delete horizontalpodautoscaler {CLUSTER}"
    ))?;
    Ok(())
}
