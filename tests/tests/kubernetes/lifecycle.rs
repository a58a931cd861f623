//! One cluster from its manifest to its end: objects, members, roles, databases, status, failover, deletion.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use jiff::Timestamp;

use super::Test;
use super::audit::{ACCOUNT, settle, writes_since};
use super::programs;
use super::stage::{CONTROLLER, LONG, NAMESPACE, PATIENTLY, Stage, manifest};

pub(crate) const TESTS: &[Test] = &[
    ("a_cluster_of_three_becomes_ready", becomes_ready),
    ("kubectl_wait_returns", kubectl_wait_returns),
    ("columns_have_values", columns_have_values),
    (
        "owner_uses_the_database_with_the_generated_secret",
        owner_uses_the_database,
    ),
    ("a_user_without_rights_is_refused", stranger_is_refused),
    ("logs_hold_no_password", programs::logs_hold_no_password),
    ("patroni_fails_over_without_the_controller", fails_over_alone),
    (
        "a_restarted_controller_writes_nothing",
        restarted_controller_is_quiet,
    ),
    ("deletion_removes_what_is_the_clusters", deletion_removes),
];

const CLUSTER: &str = "it-life";
/// How long nothing may be written.
const STEADY: Duration = Duration::from_mins(1);

fn becomes_ready(stage: &Stage) -> Result<()> {
    let more =
        "teamId: it\nusers:\n  shop_owner: [createdb]\n  shop_reader: []\ndatabases:\n  shop: shop_owner";
    let start = Instant::now();
    stage.kubectl().apply(&manifest(CLUSTER, 3, more))?;
    stage.wait_until_ready(CLUSTER, 3)?;
    eprintln!(
        "three members, the last one streaming, {:.1} s after apply",
        start.elapsed().as_secs_f32()
    );
    Ok(())
}

fn kubectl_wait_returns(stage: &Stage) -> Result<()> {
    stage.kubectl().run(&format!(
        "-n {NAMESPACE} wait --for=condition=Ready pg/{CLUSTER} {PATIENTLY}"
    ))?;
    Ok(())
}

fn columns_have_values(stage: &Stage) -> Result<()> {
    let table = stage.kubectl().run(&format!("-n {NAMESPACE} get pg {CLUSTER}"))?;
    let mut lines = table.lines();
    let titles: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let expected = [
        "NAME",
        "TEAM",
        "VERSION",
        "PODS",
        "VOLUME",
        "CPU-REQUEST",
        "MEMORY-REQUEST",
        "AGE",
        "STATUS",
    ];
    ensure!(titles == expected, "titles {titles:?}");
    let row: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    // The manifest asks for no resources, and these two columns show the manifest.
    ensure!(row[..5] == [CLUSTER, "it", "17", "3", "1Gi"], "row {row:?}");
    ensure!(row.last() == Some(&"Running"), "row {row:?}");
    Ok(())
}

fn owner_uses_the_database(stage: &Stage) -> Result<()> {
    let sql =
        "CREATE TABLE parcel (id int); INSERT INTO parcel VALUES (1), (2); SELECT count(*) FROM parcel;";
    let rows = stage.sql(CLUSTER, "shop_owner", "shop", sql)?;
    ensure!(rows == "2", "rows {rows:?}");
    let flags = stage.sql(
        CLUSTER,
        "shop_owner",
        "shop",
        "SELECT rolcreatedb, rolsuper FROM pg_roles WHERE rolname = current_user;",
    )?;
    ensure!(flags == "t|f", "createdb and superuser are {flags}");
    let encrypted = stage.sql(
        CLUSTER,
        "shop_owner",
        "shop",
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();",
    )?;
    ensure!(encrypted == "t", "the connection is not encrypted");
    Ok(())
}

fn stranger_is_refused(stage: &Stage) -> Result<()> {
    ensure!(
        stage.sql(CLUSTER, "shop_reader", "shop", "SELECT 1;")? == "1",
        "shop_reader cannot log in"
    );
    let answer = stage.sql(CLUSTER, "shop_reader", "shop", "INSERT INTO parcel VALUES (3);");
    ensure!(answer.is_err(), "shop_reader may write to the owner's table");
    Ok(())
}

/// The pods that carry the primary's role, as Patroni labels them.
fn labelled_primary(stage: &Stage) -> Result<String> {
    let pods = format!("-n {NAMESPACE} pods -l cluster-name={CLUSTER},spilo-role=master");
    stage.kubectl().value(&pods, ".items[*].metadata.name")
}

fn fails_over_alone(stage: &Stage) -> Result<()> {
    let old = labelled_primary(stage)?;
    let new = stage.without(CONTROLLER, || {
        let start = Instant::now();
        stage
            .kubectl()
            .run(&format!("-n {NAMESPACE} delete pod {old} --wait=false"))?;
        let pods = format!("-n {NAMESPACE} pods -l cluster-name={CLUSTER},spilo-role=master");
        let another = |names: &str| !names.is_empty() && !names.split_whitespace().any(|name| name == old);
        let new = stage
            .kubectl()
            .wait_for_value(&pods, ".items[*].metadata.name", LONG, another, |_| {})?;
        eprintln!(
            "without the controller {new} took over from {old} in {:.1} s",
            start.elapsed().as_secs_f32()
        );
        Ok(new)
    })?;
    let object = format!("-n {NAMESPACE} postgresql/{CLUSTER}");
    stage
        .kubectl()
        .wait_for_value(&object, ".status.primary", LONG, |name| name == new, |_| {})?;
    stage.wait_until_ready(CLUSTER, 3)?;
    let rows = stage.sql(CLUSTER, "shop_owner", "shop", "SELECT count(*) FROM parcel;")?;
    ensure!(rows == "2", "rows {rows:?} after the failover");
    Ok(())
}

/// A new controller finds everything as it should be: but for its lease it writes nothing, neither at its start nor later.
fn restarted_controller_is_quiet(stage: &Stage) -> Result<()> {
    // What the one before has to tell of the failover is told.
    settle(stage)?;
    let since = stage.without(CONTROLLER, || Ok(Timestamp::now()))?;
    std::thread::sleep(STEADY);
    let (lease, other): (Vec<_>, Vec<_>) = writes_since(stage, since)?
        .into_iter()
        .filter(|write| write.user == ACCOUNT)
        .partition(|write| write.resource == "leases");
    ensure!(
        !lease.is_empty(),
        "the controller did not even write its lease; is the audit log read right?"
    );
    let other: Vec<_> = other
        .iter()
        .map(|write| format!("{} {} {}", write.verb, write.resource, write.name))
        .collect();
    ensure!(
        other.is_empty(),
        "{} writes in a steady minute: {other:#?}",
        other.len()
    );
    eprintln!(
        "in {} s the controller wrote its lease {} times and nothing else",
        STEADY.as_secs(),
        lease.len()
    );
    Ok(())
}

fn deletion_removes(stage: &Stage) -> Result<()> {
    stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} delete postgresql {CLUSTER} {PATIENTLY}"))?;
    let gone = [
        "statefulsets",
        "pods",
        "services",
        "configmaps",
        "endpoints",
        "poddisruptionbudgets",
        "secrets",
    ];
    for kind in gone.into_iter().chain(["persistentvolumeclaims"]) {
        stage.wait_for_none(kind, CLUSTER)?;
    }
    // The namespace's own, shared by all clusters in it.
    stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} get serviceaccount postgres-pod"))?;
    stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} get rolebinding postgres-pod"))?;
    Ok(())
}
