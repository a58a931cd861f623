//! What happens while the controller is away is not lost, and what it is told while it works counts at once: with a controller of the trial's
//! own and clusters without members, on the control plane alone.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Test;
use super::stage::{PATIENTLY, Stage};

use proxy::Proxy;

pub(crate) mod controller;
mod live;
pub(crate) mod proxy;

pub(crate) const TESTS: &[Test] = &[
    ("edits_while_it_restarts_are_not_lost", restarts),
    ("edits_while_its_lease_moves_are_not_lost", lease_moves),
    ("edits_while_its_connection_is_cut_are_not_lost", cut_off),
    ("a_configuration_counts_while_it_runs", live::configuration),
    ("namespaces_come_and_go_by_their_labels", live::namespaces),
];

const NAMESPACE: &str = "it-away";
const ID: &str = "it-away";
const CLUSTERS: usize = 50;
const DELETED: usize = 5;
/// The goal, which a figure is held against in print.
const GOAL: SignedDuration = SignedDuration::from_secs(2);
/// What is later than this waited for something else than its turn, however slow the machine: the next resync, a lease, an orphaned watch.
const LOST: SignedDuration = SignedDuration::from_secs(60);
const LIMIT: Duration = Duration::from_mins(5);
/// What Kubernetes leaves to one that is to end.
const GRACE: Duration = Duration::from_secs(30);
/// Nobody leads for so long after a leader has died: time for 50 edits on a slow machine.
const LONG_LEASE: [&str; 4] = ["--lease-duration", "30s", "--renew-deadline", "20s"];
const CUT: Duration = Duration::from_mins(1);

/// A namespace and a configuration of its own; what a trial that failed has left there is removed first.
fn set_up(stage: &Stage) -> Result<()> {
    tear_down(stage, NAMESPACE)?;
    let text = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \
         settings\n  namespace: {NAMESPACE}\ndata:\n  enable_finalizers: \"true\"\n  enable_teams_api: \"false\"\n  \
         enable_master_load_balancer: \"false\"\n"
    );
    stage.kubectl().apply(&text)?;
    Ok(())
}

fn tear_down(stage: &Stage, namespace: &str) -> Result<()> {
    let list = format!("-n {namespace} postgresql");
    let names = stage.kubectl().value(&list, ".items[*].metadata.name")?;
    // Their controller is gone.
    for name in names.split_whitespace() {
        let patch = r#"{"metadata":{"finalizers":null}}"#;
        let call = stage
            .kubectl()
            .call(["-n", namespace, "patch", "postgresql", name]);
        call.args(["--type=merge", "-p", patch]).output()?;
    }
    stage.kubectl().run(&format!(
        "delete namespace {namespace} --ignore-not-found {PATIENTLY}"
    ))?;
    Ok(())
}

fn manifest(name: &str, namespace: &str, round: &str) -> String {
    let text = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": name, "namespace": namespace, "annotations": {"acid.zalan.do/controller": ID}},
        "spec": {"teamId": "it", "numberOfInstances": 0, "postgresql": {"version": "17"}, "volume": {"size": "1Gi"},
            "serviceAnnotations": {"round": round}},
    });
    text.to_string()
}

fn name(number: usize) -> String {
    format!("away-{number:02}")
}

/// All clusters at this round, in one go.
fn edit(stage: &Stage, numbers: std::ops::Range<usize>, round: &str) -> Result<()> {
    let manifests: Vec<String> = numbers
        .map(|number| manifest(&name(number), NAMESPACE, round))
        .collect();
    stage.kubectl().apply(&manifests.join("\n---\n"))?;
    Ok(())
}

fn delete(stage: &Stage, numbers: std::ops::Range<usize>) -> Result<()> {
    let names: Vec<String> = numbers.map(name).collect();
    stage.kubectl().run(&format!(
        "-n {NAMESPACE} delete postgresql {} --wait=false",
        names.join(" ")
    ))?;
    Ok(())
}

/// Primary services at a round.
fn at_round(stage: &Stage, round: &str) -> Result<usize> {
    let list = format!("-n {NAMESPACE} services");
    let path = "range .items[*]}{.metadata.name}={.metadata.annotations.round} {end";
    let text = stage.kubectl().value(&list, path)?;
    let wanted = text.split_whitespace().filter_map(|pair| pair.split_once('='));
    Ok(wanted
        .filter(|(name, at)| !name.ends_with("-repl") && *at == round)
        .count())
}

fn stateful_sets(stage: &Stage) -> Result<usize> {
    let names = stage
        .kubectl()
        .value(&format!("-n {NAMESPACE} statefulsets"), ".items[*].metadata.name")?;
    Ok(names.split_whitespace().count())
}

/// Waits until all are at the round and as many stateful sets are left; returns when that was.
fn wait_for_round(stage: &Stage, round: &str, clusters: usize) -> Result<Timestamp> {
    let end = Instant::now() + LIMIT;
    loop {
        let (done, sets) = (at_round(stage, round)?, stateful_sets(stage)?);
        if (done, sets) == (clusters, clusters) {
            return Ok(Timestamp::now());
        }
        ensure!(
            Instant::now() < end,
            "{done} of {clusters} clusters at {round}, {sets} stateful sets"
        );
    }
}

fn judge(what: &str, back: Timestamp, done: Timestamp) -> Result<()> {
    let took = done.duration_since(back);
    eprintln!(
        "{what}: {CLUSTERS} edits and {DELETED} deletions carried out {:.1} s after its return (goal: {GOAL:#})",
        took.as_secs_f64()
    );
    ensure!(took <= LOST, "{what}: {took:#} is more than {LOST:#}");
    Ok(())
}

/// Clusters that are made, and some more that will be deleted.
fn begin(stage: &Stage) -> Result<()> {
    edit(stage, 0..CLUSTERS + DELETED, "0")?;
    wait_for_round(stage, "0", CLUSTERS + DELETED)?;
    Ok(())
}

fn holder(stage: &Stage) -> Result<String> {
    // There is one, whatever it is called for a controller with an id.
    let leases = format!("-n {NAMESPACE} leases");
    stage.kubectl().value(&leases, ".items[*].spec.holderIdentity")
}

fn restarts(stage: &Stage) -> Result<()> {
    set_up(stage)?;
    let kubeconfig = stage.local.cluster.kubeconfig();
    let first = controller::start(stage, "away-first", 18171, &kubeconfig, &[])?;
    first.wait_until_it_works()?;
    begin(stage)?;
    // In the middle of work.
    edit(stage, 0..CLUSTERS, "1")?;
    let (status, took) = first.stop()?;
    eprintln!("SIGTERM while 50 edits are carried out: ended after {took:.1?} with {status}");
    ensure!(status.success() && took < GRACE, "{status} after {took:?}");
    ensure!(holder(stage)?.is_empty(), "the lease was not released");
    edit(stage, 0..CLUSTERS, "2")?;
    delete(stage, CLUSTERS..CLUSTERS + DELETED)?;
    let second = controller::start(stage, "away-second", 18171, &kubeconfig, &[])?;
    let back = second.wait_until_it_works()?;
    let done = wait_for_round(stage, "2", CLUSTERS)?;
    second.stop()?;
    let judged = judge("restart", back, done);
    tear_down(stage, NAMESPACE)?;
    judged
}

fn lease_moves(stage: &Stage) -> Result<()> {
    set_up(stage)?;
    let kubeconfig = stage.local.cluster.kubeconfig();
    let first = controller::start(stage, "away-first", 18171, &kubeconfig, &LONG_LEASE)?;
    first.wait_until_it_works()?;
    let second = controller::start(stage, "away-second", 18172, &kubeconfig, &LONG_LEASE)?;
    begin(stage)?;
    first.kill()?;
    edit(stage, 0..CLUSTERS, "1")?;
    delete(stage, CLUSTERS..CLUSTERS + DELETED)?;
    let edited = Timestamp::now();
    ensure!(holder(stage)? == "away-first", "the lease moved too early");
    let back = second.wait_until_it_works()?;
    let done = wait_for_round(stage, "1", CLUSTERS)?;
    second.stop()?;
    let judged = judge("lease moves", back.max(edited), done);
    tear_down(stage, NAMESPACE)?;
    judged
}

fn cut_off(stage: &Stage) -> Result<()> {
    set_up(stage)?;
    let proxy = Proxy::start(&stage.local.cluster.kubeconfig(), &stage.local.state)?;
    // Its lease is to outlive the cut: this is about its watches.
    let patient = ["--lease-duration", "200s", "--renew-deadline", "180s"];
    let controller = controller::start(stage, "away-first", 18171, &proxy.kubeconfig, &patient)?;
    controller.wait_until_it_works()?;
    begin(stage)?;
    proxy.cut();
    let end = Instant::now() + CUT;
    edit(stage, 0..CLUSTERS, "1")?;
    delete(stage, CLUSTERS..CLUSTERS + DELETED)?;
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
    ensure!(at_round(stage, "1")? == 0, "the connection was not cut");
    proxy.mend();
    let back = Timestamp::now();
    let done = wait_for_round(stage, "1", CLUSTERS)?;
    controller.stop()?;
    let judged = judge("connection cut for 60 s", back, done);
    tear_down(stage, NAMESPACE)?;
    judged
}

/// Merges into an object of the namespace.
fn patch(stage: &Stage, object: &str, patch: &Value) -> Result<()> {
    let call = stage.kubectl().call(["-n", NAMESPACE, "patch", object]);
    call.args(["--type=merge", "-p", &patch.to_string()])
        .output()
        .with_context(|| format!("cannot patch {object}"))?;
    Ok(())
}
