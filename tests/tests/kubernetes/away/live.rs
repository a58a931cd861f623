//! A controller that is told something new while it works.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::controller::{self, Controller};
use super::{NAMESPACE, manifest, name, patch, set_up, tear_down};
use crate::stage::Stage;

const SOON: Duration = Duration::from_mins(1);

fn settings(stage: &Stage, key: &str, value: Option<&str>) -> Result<()> {
    patch(stage, "configmap/settings", &json!({"data": {key: value}}))
}

fn round(stage: &Stage, wanted: &str) -> Result<()> {
    stage.kubectl().apply(&manifest(&name(0), NAMESPACE, wanted))?;
    Ok(())
}

fn is_at(stage: &Stage, wanted: &str) -> Result<()> {
    let service = format!("-n {NAMESPACE} service/{}", name(0));
    let path = ".metadata.annotations.round";
    stage
        .kubectl()
        .wait_for_value(&service, path, SOON, |value| value == wanted, |_| {})?;
    Ok(())
}

/// Waits for an event about the configuration that says this.
fn told(stage: &Stage, reason: &str, words: &[&str]) -> Result<String> {
    let list = format!("-n {NAMESPACE} events --field-selector reason={reason}");
    let path = ".items[*].message";
    let says = |text: &str| words.iter().all(|word| text.contains(word));
    stage.kubectl().wait_for_value(&list, path, SOON, says, |_| {})
}

pub(super) fn configuration(stage: &Stage) -> Result<()> {
    set_up(stage)?;
    let kubeconfig = stage.local.cluster.kubeconfig();
    let controller = controller::start(stage, "away-first", 18171, &kubeconfig, &[])?;
    controller.wait_until_it_works()?;
    round(stage, "1")?;
    is_at(stage, "1")?;
    invalid_keeps_the_last_good(stage, &controller)?;
    only_observed(stage)?;
    environment(stage)?;
    controller.stop()?;
    tear_down(stage, NAMESPACE)
}

fn invalid_keeps_the_last_good(stage: &Stage, controller: &Controller) -> Result<()> {
    settings(stage, "workers", Some("many"))?;
    let text = told(stage, "InvalidConfiguration", &["workers", "last good"])?;
    eprintln!("told: {text}");
    let problems = "pgherd_controller_configuration_problems 1";
    let metrics = controller.ask("/metrics")?;
    ensure!(metrics.contains(problems), "no {problems} in the metrics");
    round(stage, "2")?;
    is_at(stage, "2").context("the last good configuration is not in force")?;
    settings(stage, "workers", None)?;
    told(stage, "ConfigurationInForce", &["in force again"])?;
    Ok(())
}

fn only_observed(stage: &Stage) -> Result<()> {
    settings(stage, "operator_mode", Some("observe"))?;
    let object = format!("-n {NAMESPACE} postgresql/{}", name(0));
    told(stage, "ConfigurationInForce", &["operator_mode"])?;
    round(stage, "3")?;
    let held = ".status.holds[*].reason";
    let observed = |text: &str| text.contains("observe");
    let text = stage
        .kubectl()
        .wait_for_value(&object, held, SOON, observed, |_| {})?;
    let plan = stage.kubectl().value(&object, ".status.plan.steps[*]")?;
    eprintln!("only observed: {text}; it would: {plan}");
    ensure!(plan.contains("Service"), "the plan is {plan:?}");
    let service = format!("-n {NAMESPACE} service/{}", name(0));
    let at = stage.kubectl().value(&service, ".metadata.annotations.round")?;
    ensure!(at == "2", "something was done: {at}");
    settings(stage, "operator_mode", None)?;
    is_at(stage, "3")
}

fn environment(stage: &Stage) -> Result<()> {
    let map = |value: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more", "namespace": NAMESPACE},
            "data": {"MORE": value}})
        .to_string()
    };
    stage.kubectl().apply(&map("1"))?;
    settings(
        stage,
        "pod_environment_configmap",
        Some(&format!("{NAMESPACE}/more")),
    )?;
    let set = format!("-n {NAMESPACE} statefulset/{}", name(0));
    let path = ".spec.template.spec.containers[0].env[?(@.name==\"MORE\")].value";
    for value in ["1", "2"] {
        stage.kubectl().apply(&map(value))?;
        stage
            .kubectl()
            .wait_for_value(&set, path, SOON, |found| found == value, |_| {})?;
    }
    settings(stage, "pod_environment_configmap", None)
}

const LABELLED: &str = "it-away-labelled";

pub(super) fn namespaces(stage: &Stage) -> Result<()> {
    set_up(stage)?;
    tear_down(stage, LABELLED)?;
    stage.kubectl().apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {LABELLED}\n"
    ))?;
    let kubeconfig = stage.local.cluster.kubeconfig();
    let scope = [
        "--watched-namespace-selector",
        "pgherd-trial=yes",
        "--watched-namespace",
        NAMESPACE,
    ];
    let controller = controller::start(stage, "away-first", 18171, &kubeconfig, &scope)?;
    controller.wait_until_it_works()?;
    for namespace in [NAMESPACE, LABELLED] {
        stage.kubectl().apply(&manifest(&name(0), namespace, "1"))?;
    }
    is_at(stage, "1")?;
    let service = format!("-n {LABELLED} service/{}", name(0));
    let path = ".metadata.annotations.round";
    ensure!(
        stage.kubectl().value(&service, path).is_err(),
        "a namespace without the label is looked after"
    );
    stage
        .kubectl()
        .run(&format!("label namespace {LABELLED} pgherd-trial=yes"))?;
    let at = |wanted: &'static str| {
        stage
            .kubectl()
            .wait_for_value(&service, path, SOON, move |value| value == wanted, |_| {})
    };
    at("1").context("the label does not count")?;
    stage
        .kubectl()
        .run(&format!("label namespace {LABELLED} pgherd-trial-"))?;
    controller.wait_for("in a namespace that is not ours")?;
    stage.kubectl().apply(&manifest(&name(0), LABELLED, "2"))?;
    std::thread::sleep(Duration::from_secs(2));
    at("1").context("left alone does not mean deleted, or edited")?;
    controller.stop()?;
    tear_down(stage, LABELLED)?;
    tear_down(stage, NAMESPACE)
}
