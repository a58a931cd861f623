//! What the API server answers through our webhook.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};

use super::Test;
use super::stage::{NAMESPACE, Stage, WEBHOOK};

pub(crate) const TESTS: &[Test] = &[
    ("admission_fills_in_what_is_decided_once", fills_in),
    ("five_mistakes_are_refused_with_five_causes", |stage| {
        five_mistakes(stage, false)
    }),
    ("five_mistakes_are_refused_by_dry_run_too", |stage| {
        five_mistakes(stage, true)
    }),
    ("kubectl_prints_every_reason", kubectl_prints_every_reason),
    (
        "labels_change_while_the_webhook_is_away",
        labels_change_while_the_webhook_is_away,
    ),
];

const MINIMAL: &str = include_str!("../../../deploy/examples/minimal.yaml");
const BROKEN: &str = include_str!("../../../deploy/examples/broken.yaml");
/// The fields of the example's five mistakes.
const MISTAKES: [&str; 5] = [
    "spec.databases.9orders",
    "spec.maintenanceWindows[0]",
    "spec.sidecars[1].name",
    "spec.users.Orders-Owner",
    "spec.users.reporting",
];

fn fills_in(stage: &Stage) -> Result<()> {
    let stored = stage
        .kubectl()
        .call([
            "create",
            "-n",
            NAMESPACE,
            "-f",
            "-",
            "--dry-run=server",
            "-o",
            "json",
        ])
        .stdin_text(MINIMAL.replace("demo-orders", "itx-orders"))
        .output()?;
    let stored: serde_json::Value = serde_json::from_str(&stored)?;
    let spec = &stored["spec"];
    ensure!(spec["teamId"] == "itx", "teamId is {}", spec["teamId"]);
    ensure!(
        spec["numberOfInstances"].as_i64() >= Some(1),
        "numberOfInstances is {}",
        spec["numberOfInstances"]
    );
    ensure!(
        spec["postgresql"]["version"].is_string(),
        "version is {}",
        spec["postgresql"]["version"]
    );
    Ok(())
}

fn postgresqls(client: kube::Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("acid.zalan.do", "v1", "postgresql");
    Api::namespaced_with(
        client,
        NAMESPACE,
        &ApiResource::from_gvk_with_plural(&kind, "postgresqls"),
    )
}

fn five_mistakes(stage: &Stage, dry_run: bool) -> Result<()> {
    let object: DynamicObject = serde_yaml::from_str(BROKEN)?;
    let status = stage.with_client(async |client| {
        let parameters = PostParams {
            dry_run,
            ..PostParams::default()
        };
        match postgresqls(client).create(&parameters, &object).await {
            Err(kube::Error::Api(status)) => Ok(status),
            Err(error) => Err(error.into()),
            Ok(_) => bail!("the broken manifest was accepted"),
        }
    })?;
    let details = status.details.as_ref().context("the refusal has no details")?;
    let fields: BTreeSet<&str> = details.causes.iter().map(|cause| cause.field.as_str()).collect();
    ensure!(fields == BTreeSet::from(MISTAKES), "causes name {fields:?}");
    ensure!(
        details.causes.len() == MISTAKES.len(),
        "{} causes",
        details.causes.len()
    );
    ensure!(
        details.causes.iter().all(|cause| !cause.message.is_empty()),
        "a cause says nothing"
    );
    ensure!(status.code == 422, "code {}", status.code);
    Ok(())
}

fn kubectl_prints_every_reason(stage: &Stage) -> Result<()> {
    let Err(refusal) = stage.kubectl().apply(BROKEN) else {
        bail!("the broken manifest was accepted")
    };
    let text = refusal.to_string();
    let missing: Vec<_> = MISTAKES
        .into_iter()
        .filter(|field| !text.contains(field))
        .collect();
    ensure!(missing.is_empty(), "not named: {missing:?} in {text}");
    Ok(())
}

fn labels_change_while_the_webhook_is_away(stage: &Stage) -> Result<()> {
    let manifest = super::stage::manifest("it-labels", 0, "teamId: it");
    stage.kubectl().apply(&manifest)?;
    let outcome = stage.without(WEBHOOK, || {
        let kubectl = stage.kubectl();
        kubectl.run("-n default label postgresql it-labels reviewed=yes")?;
        kubectl.run("-n default annotate postgresql it-labels note=hello")?;
        let edit = kubectl.apply(&manifest.replace("1Gi", "2Gi"));
        ensure!(
            edit.is_err(),
            "a spec was stored unchecked while the webhook was away"
        );
        Ok(())
    });
    let deleted = stage.delete("it-labels");
    outcome.and(deleted)
}
