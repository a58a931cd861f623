//! A switchover that hangs: Patroni was asked for it, the primary is gone, and the member that shall lead does not come up. The others leave it
//! to that member, until the controller takes the request back.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::Test;
use super::events::Events;
use super::rolling::{CLUSTER, object, start};
use super::stage::{NAMESPACE, Stage};

pub(crate) const TESTS: &[Test] = &[("a_switchover_that_hangs_is_taken_back", taken_back)];

const LIMIT: Duration = Duration::from_mins(3);
/// Postgres itself; without it no member starts again.
const SERVER: &str = "/usr/lib/postgresql/17/bin/postgres";
/// For so long it is seen that the others wait, before the controller may do anything.
const HANGS: Duration = Duration::from_secs(15);

fn taken_back(stage: &Stage) -> Result<()> {
    start(stage)?;
    let primary = stage.primary(CLUSTER)?;
    let names: Vec<String> = (0..3).map(|ordinal| format!("{CLUSTER}-{ordinal}")).collect();
    let others: Vec<&String> = names.iter().filter(|name| **name != primary).collect();
    let (candidate, witness) = (others[0].as_str(), others[1].as_str());
    let nodes = stage.kubectl().value("nodes", ".items[*].metadata.name")?;
    let said = Events::of(stage, CLUSTER)?;
    let outcome = hang(stage, &primary, candidate, witness, &nodes);
    for node in nodes.split_whitespace() {
        stage.kubectl().run(&format!("uncordon {node}"))?;
    }
    in_pod(stage, candidate, &format!("mv {SERVER}.gone {SERVER}"))?;
    outcome?;
    stage.wait_until_ready(CLUSTER, 3)?;
    let told = Events::of(stage, CLUSTER)?.since(&said);
    let is_told = told.iter().any(|event| {
        event.reason == "Switchover" && event.note.contains(&format!("switchover to {candidate}"))
    });
    ensure!(
        is_told,
        "no event says that the switchover was taken back: {told:?}"
    );
    Ok(())
}

/// Makes it hang, sees it hang, and sees the end.
fn hang(stage: &Stage, primary: &str, candidate: &str, witness: &str, nodes: &str) -> Result<()> {
    in_pod(
        stage,
        candidate,
        &format!("mv {SERVER} {SERVER}.gone && kill -9 $(head -n 1 $PGROOT/data/postmaster.pid)"),
    )?;
    // The primary's pod has nowhere to come back to.
    for node in nodes.split_whitespace() {
        stage.kubectl().run(&format!("cordon {node}"))?;
    }
    stage.kubectl().run(&format!(
        "-n {NAMESPACE} delete pod {primary} --force --grace-period=0 --wait=false"
    ))?;
    ask_for(stage, candidate)?;
    let begin = wait_for(stage, witness, |leader| leader.is_none())?;
    eprintln!("nobody leads, and {candidate} is asked to");
    while begin.elapsed() < HANGS {
        let leader = leader(stage, witness)?;
        ensure!(leader.is_none(), "{leader:?} leads: it does not hang");
        std::thread::sleep(Duration::from_secs(1));
    }
    let path = ".status.conditions[?(@.type==\"Ready\")].message";
    let message = stage.kubectl().value(&object(), path)?;
    wait_for(stage, witness, |leader| leader.as_deref() == Some(witness))?;
    eprintln!(
        "{witness} leads {:.1} s after nobody did; meanwhile the status said: {message}",
        begin.elapsed().as_secs_f32()
    );
    Ok(())
}

/// As Patroni writes it.
fn ask_for(stage: &Stage, candidate: &str) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {"member": candidate}}}).to_string();
    let name = format!("{CLUSTER}-failover");
    let patch = [
        "-n",
        NAMESPACE,
        "patch",
        "configmap",
        &name,
        "--type=merge",
        "-p",
        &patch,
    ];
    if stage.kubectl().call(patch).output().is_ok() {
        return Ok(());
    }
    // Patroni makes it with the first request.
    let labels = json!({"application": "spilo", "cluster-name": CLUSTER});
    let made = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels, "annotations": {"member": candidate}},
    });
    stage.kubectl().apply(&made.to_string())?;
    Ok(())
}

fn in_pod(stage: &Stage, pod: &str, script: &str) -> Result<String> {
    let call = [
        "-n", NAMESPACE, "exec", pod, "-c", "postgres", "--", "sh", "-c", script,
    ];
    stage.kubectl().call(call).output()
}

/// Who leads, as this member sees it.
fn leader(stage: &Stage, witness: &str) -> Result<Option<String>> {
    let answer: Value =
        serde_json::from_str(&in_pod(stage, witness, "curl -sS http://127.0.0.1:8008/cluster")?)?;
    let members = answer["members"].as_array().into_iter().flatten();
    let mut leading = members.filter(|member| member["role"] == "leader");
    Ok(leading.find_map(|member| Some(member["name"].as_str()?.to_owned())))
}

fn wait_for(stage: &Stage, witness: &str, is_it: impl Fn(&Option<String>) -> bool) -> Result<Instant> {
    let end = Instant::now() + LIMIT;
    loop {
        let leader = leader(stage, witness)?;
        if is_it(&leader) {
            return Ok(Instant::now());
        }
        ensure!(Instant::now() < end, "{leader:?} leads");
        std::thread::sleep(Duration::from_millis(500));
    }
}
