//! Patroni's other store: Endpoints instead of ConfigMaps. The operator's configuration is changed while it runs.

use anyhow::{Result, ensure};
use serde_json::json;

use super::Test;
use super::stage::{NAMESPACE, Stage, manifest};

pub(crate) const TESTS: &[Test] = &[("a_cluster_runs_on_endpoints", runs_on_endpoints)];

const CLUSTER: &str = "it-endpoints";

fn use_config_maps(stage: &Stage, wanted: bool) -> Result<()> {
    stage.configure(&json!({ "kubernetes_use_configmaps": wanted.to_string() }))?;
    stage.wait_for_parameter("KubernetesUseConfigMaps", &json!(wanted))
}

fn runs_on_endpoints(stage: &Stage) -> Result<()> {
    let outcome = use_config_maps(stage, false).and_then(|()| check(stage));
    let cleaned = stage.delete(CLUSTER);
    use_config_maps(stage, true)?;
    outcome?;
    cleaned?;
    stage.wait_for_none("endpoints", CLUSTER)
}

fn check(stage: &Stage) -> Result<()> {
    let more = "teamId: it\nusers:\n  shop_owner: []\ndatabases:\n  shop: shop_owner";
    stage.kubectl().apply(&manifest(CLUSTER, 2, more))?;
    stage.wait_until_ready(CLUSTER, 2)?;
    let selector = stage
        .kubectl()
        .value(&format!("-n {NAMESPACE} service/{CLUSTER}"), ".spec.selector")?;
    ensure!(
        selector.is_empty(),
        "the primary's service selects pods ({selector}), although Patroni keeps its Endpoints"
    );
    let leader = stage.kubectl().value(
        &format!("-n {NAMESPACE} endpoints/{CLUSTER}"),
        ".metadata.annotations.leader",
    )?;
    ensure!(leader == stage.primary(CLUSTER)?, "Patroni's leader is {leader}");
    let maps = stage.kubectl().value(
        &format!("-n {NAMESPACE} configmaps -l cluster-name={CLUSTER}"),
        ".items[*].metadata.name",
    )?;
    ensure!(maps.is_empty(), "there are config maps: {maps}");
    let rows = stage.sql(CLUSTER, "shop_owner", "shop", "SELECT current_user;")?;
    ensure!(rows == "shop_owner", "current user is {rows}");
    Ok(())
}
