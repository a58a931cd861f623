//! A switchover that hangs: Patroni was asked for it, the primary is gone, and the member that shall lead may not, because it is not in sync.
//! The others leave it to that member, until the controller takes the request back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Test;
use super::events::{Event, Events};
use super::rolling::{CLUSTER, edit, start};
use super::stage::{NAMESPACE, Stage};

pub(crate) const TESTS: &[Test] = &[("a_switchover_that_hangs_is_taken_back", taken_back)];

const LIMIT: Duration = Duration::from_mins(5);
/// The pattern does not match the shell that it is given to.
const KILL_PATRONI: &str =
    "for it in /proc/[0-9]*; do if grep -q 'patroni_[m]ain' $it/cmdline; then kill -9 ${it#/proc/}; fi; done";
/// A node takes no new pods.
const CLOSED: &str = "pgherd.io/trial=closed:NoSchedule";
/// For so long it is seen that the others wait, before the controller may do anything.
const HANGS: Duration = Duration::from_secs(15);

fn taken_back(stage: &Stage) -> Result<()> {
    start(stage)?;
    edit(stage, &json!({"spec": {"patroni": {"synchronous_mode": true}}}))?;
    let primary = stage.primary(CLUSTER)?;
    let (witness, candidate) = in_sync_and_not(stage, &primary)?;
    stage.wait_until_ready(CLUSTER, 3)?;
    let nodes = stage.kubectl().value("nodes", ".items[*].metadata.name")?;
    let said = Events::of(stage, CLUSTER)?;
    let outcome = hang(stage, &primary, &candidate, &witness, &nodes);
    let opened: Result<()> = nodes.split_whitespace().try_for_each(|node| {
        let line = format!("taint nodes {node} {CLOSED}-");
        stage.kubectl().run(&line).map(drop)
    });
    let edited = edit(stage, &json!({"spec": {"patroni": {"synchronous_mode": null}}}));
    outcome.and(opened).and(edited)?;
    stage.wait_until_ready(CLUSTER, 3)?;
    let text = format!("switchover to {candidate}");
    let is_told = |event: &Event| event.reason == "Switchover" && event.note.contains(&text);
    Events::wait_for(stage, CLUSTER, &said, is_told).context("that the switchover was taken back")
}

/// The replica in sync, and the one that is not.
fn in_sync_and_not(stage: &Stage, primary: &str) -> Result<(String, String)> {
    let end = Instant::now() + LIMIT;
    loop {
        let members = members(stage, primary)?;
        let of = |role: &str| members.iter().find(|member| member["role"] == role);
        let name = |member: &Value| member["name"].as_str().unwrap_or_default().to_owned();
        if let (Some(one), Some(other)) = (of("sync_standby"), of("replica")) {
            return Ok((name(one), name(other)));
        }
        ensure!(Instant::now() < end, "no replica is in sync: {members:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Makes it hang, sees it hang, and sees the end.
fn hang(stage: &Stage, primary: &str, candidate: &str, witness: &str, nodes: &str) -> Result<()> {
    // The primary's pod has nowhere to come back to. Cordoned, the nodes would be left by who leads.
    for node in nodes.split_whitespace() {
        stage.kubectl().run(&format!("taint nodes {node} {CLOSED}"))?;
    }
    // Ended in order, its Patroni would give the lock back, and another would have it before anybody is asked for anything.
    let _ = in_pod(stage, primary, KILL_PATRONI);
    stage.kubectl().run(&format!(
        "-n {NAMESPACE} delete pod {primary} --force --grace-period=0 --wait=false"
    ))?;
    ask_for(stage, primary, candidate)?;
    let begin = wait_for(stage, witness, Option::is_none)?;
    eprintln!("nobody leads, and {candidate} is asked to");
    while begin.elapsed() < HANGS {
        let leader = leader(stage, witness)?;
        ensure!(leader.is_none(), "{leader:?} leads: it does not hang");
        std::thread::sleep(Duration::from_secs(1));
    }
    wait_for(stage, witness, |leader| leader.as_deref() == Some(witness))?;
    eprintln!(
        "{witness} leads {:.1} s after nobody did",
        begin.elapsed().as_secs_f32()
    );
    Ok(())
}

/// As Patroni writes it.
fn ask_for(stage: &Stage, leader: &str, candidate: &str) -> Result<()> {
    let request = json!({"leader": leader, "member": candidate});
    let patch = json!({"metadata": {"annotations": request}}).to_string();
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
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels, "annotations": request},
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

/// The members, as this one sees them.
fn members(stage: &Stage, witness: &str) -> Result<Vec<Value>> {
    let answer = in_pod(
        stage,
        witness,
        "curl -sS --retry 5 --retry-all-errors http://127.0.0.1:8008/cluster",
    )?;
    let answer: Value = serde_json::from_str(&answer)?;
    Ok(answer["members"].as_array().cloned().unwrap_or_default())
}

/// Who leads, as this member sees it.
fn leader(stage: &Stage, witness: &str) -> Result<Option<String>> {
    let members = members(stage, witness)?;
    let mut leading = members.iter().filter(|member| member["role"] == "leader");
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
