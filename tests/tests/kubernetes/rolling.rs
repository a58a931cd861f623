//! What restarts what, in which order, and for how long a client notices: on real pods, with a client that writes all the time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use pgherd_tests::images::POSTGRES_OTHER;
use pgherd_tests::localkube::audit::Request;
use pgherd_tests::psql::secret_name;
use serde_json::json;

use super::Test;
use super::audit::{ACCOUNT, writes_since};
use super::stage::{NAMESPACE, Stage, manifest};

pub(crate) const TESTS: &[Test] = &[
    ("a_reloadable_parameter_restarts_nothing", reloads),
    ("a_parameter_is_restarted_into_without_losing_a_pod", restarts),
    ("a_template_that_is_refused_costs_no_pod", tries_first),
    ("a_changed_variable_rolls_with_one_gap", rolls),
    ("the_primary_moves_before_its_pod_is_scaled_away", scales_down),
];

pub(crate) const CLUSTER: &str = "it-roll";
const WRITER: &str = "it-roll-writer";
const LIMIT: Duration = Duration::from_mins(5);
/// Rolls of the normal run; `PGHERD_ROLLS` asks for more, for figures that mean something.
const ROLLS: usize = 2;

pub(crate) fn object() -> String {
    format!("-n {NAMESPACE} postgresql/{CLUSTER}")
}

/// Three members that stream; made by whichever test comes first.
pub(crate) fn start(stage: &Stage) -> Result<()> {
    let more = "teamId: it\nusers:\n  beat_owner: []\ndatabases:\n  beats: beat_owner";
    let found = stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} get pg {CLUSTER} --ignore-not-found"))?;
    if found.is_empty() {
        stage.kubectl().apply(&manifest(CLUSTER, 3, more))?;
    }
    stage.wait_until_ready(CLUSTER, 3)?;
    wait_for_the_owner(stage)
}

/// Roles and databases come a moment after the members.
fn wait_for_the_owner(stage: &Stage) -> Result<()> {
    let synced = ".status.conditions[?(@.type==\"RolesInSync\")].status";
    stage
        .kubectl()
        .wait_for_value(&object(), synced, LIMIT, |value| value == "True", |_| {})?;
    Ok(())
}

/// Edits the manifest and waits until the controller has seen the edit.
pub(crate) fn edit(stage: &Stage, change: &serde_json::Value) -> Result<()> {
    patch(stage, change)?;
    seen(stage)
}

/// Edits the manifest.
pub(crate) fn patch(stage: &Stage, change: &serde_json::Value) -> Result<()> {
    let (object, change) = (object(), change.to_string());
    let mut args = vec!["patch"];
    args.extend(object.split_whitespace());
    args.extend(["--type=merge", "-p", &change]);
    stage.kubectl().call(args).output()?;
    Ok(())
}

/// Waits until the status is of the manifest as it is.
pub(crate) fn seen(stage: &Stage) -> Result<()> {
    let object = object();
    let generation = stage.kubectl().value(&object, ".metadata.generation")?;
    let seen = |value: &str| value == generation;
    stage
        .kubectl()
        .wait_for_value(&object, ".status.observedGeneration", LIMIT, seen, |_| {})?;
    Ok(())
}

pub(crate) fn wait_for_condition(stage: &Stage, condition: &str, status: &str) -> Result<()> {
    let path = format!(".status.conditions[?(@.type==\"{condition}\")].status");
    stage
        .kubectl()
        .wait_for_value(&object(), &path, LIMIT, |value| value == status, |_| {})
        .with_context(|| {
            let status = stage.kubectl().value(&object(), ".status").unwrap_or_default();
            format!("status: {status}")
        })?;
    Ok(())
}

/// Names and uids of the pods, sorted.
pub(crate) fn pods(stage: &Stage) -> Result<Vec<String>> {
    let list = format!("-n {NAMESPACE} pods -l cluster-name={CLUSTER}");
    let path = "range .items[*]}{.metadata.name}/{.metadata.uid} {end";
    let text = stage.kubectl().value(&list, path)?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// Waits until none of these pods is left, and all members of the next ones stream.
pub(crate) fn wait_until_rolled(stage: &Stage, before: &[String]) -> Result<()> {
    let end = Instant::now() + LIMIT;
    loop {
        wait_for_condition(stage, "RollPending", "False")?;
        let after = pods(stage)?;
        if before.iter().all(|pod| !after.contains(pod)) {
            return stage.wait_until_ready(CLUSTER, 3);
        }
        ensure!(Instant::now() < end, "not rolled: {before:?} {after:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// SQL inside of a member, as the superuser.
pub(crate) fn on_member(stage: &Stage, pod: &str, sql: &str) -> Result<String> {
    let psql = format!("psql -tAc \"{sql}\"");
    let command = ["exec", pod, "-c", "postgres", "--", "su", "postgres", "-c", &psql];
    let call = stage.kubectl().call(["-n", NAMESPACE].iter().chain(&command));
    Ok(call.output()?.trim().to_owned())
}

/// Of every member: when its server started, and one setting.
fn on_every_member(stage: &Stage, setting: &str) -> Result<Vec<String>> {
    let sql = format!("SELECT pg_postmaster_start_time(), current_setting('{setting}')");
    let names = (0..3).map(|ordinal| format!("{CLUSTER}-{ordinal}"));
    names.map(|pod| on_member(stage, &pod, &sql)).collect()
}

fn started(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.split('|').next()).collect()
}

fn settings(lines: &[String]) -> Vec<&str> {
    let second = lines.iter().filter_map(|line| line.split('|').nth(1));
    second.map(str::trim).collect()
}

/// Waits until every member has the setting.
pub(crate) fn wait_for_setting(stage: &Stage, setting: &str, value: &str) -> Result<Vec<String>> {
    let end = Instant::now() + LIMIT;
    loop {
        let lines = on_every_member(stage, setting).unwrap_or_default();
        if settings(&lines) == [value; 3] {
            return Ok(lines);
        }
        ensure!(
            Instant::now() < end,
            "{setting} is not {value} everywhere: {lines:?}"
        );
        std::thread::sleep(Duration::from_secs(1));
    }
}

pub(crate) fn parameters(name: &str, value: &str) -> serde_json::Value {
    json!({"spec": {"postgresql": {"parameters": {name: value}}}})
}

fn reloads(stage: &Stage) -> Result<()> {
    start(stage)?;
    let (pods_before, before) = (pods(stage)?, on_every_member(stage, "work_mem")?);
    edit(stage, &parameters("work_mem", "7MB"))?;
    let after = wait_for_setting(stage, "work_mem", "7MB")?;
    ensure!(
        started(&before) == started(&after),
        "restarted: {before:?} {after:?}"
    );
    ensure!(pods_before == pods(stage)?, "pods were made anew");
    Ok(())
}

fn restarts(stage: &Stage) -> Result<()> {
    start(stage)?;
    let pods_before = pods(stage)?;
    // Up: the replicas first. Down: the primary first, or the replicas would not start with less than it has.
    for value in ["120", "90"] {
        let before = on_every_member(stage, "max_connections")?;
        let start = Instant::now();
        edit(stage, &parameters("max_connections", value))?;
        let after = wait_for_setting(stage, "max_connections", value)?;
        eprintln!(
            "max_connections {value} in force on three members after {:.1} s",
            start.elapsed().as_secs_f32()
        );
        let kept = started(&before)
            .iter()
            .filter(|moment| started(&after).contains(moment))
            .count();
        ensure!(kept == 0, "not restarted: {before:?} {after:?}");
        wait_for_condition(stage, "RestartPending", "False")?;
        ensure!(pods_before == pods(stage)?, "pods were made anew");
        stage.wait_until_ready(CLUSTER, 3)?;
    }
    Ok(())
}

/// The StatefulSet takes the name of a priority class that does not exist; a pod does not.
fn tries_first(stage: &Stage) -> Result<()> {
    start(stage)?;
    let before = pods(stage)?;
    edit(stage, &json!({"spec": {"podPriorityClassName": "no-such-class"}}))?;
    let ready = ".status.conditions[?(@.type==\"Ready\")].message";
    let message = stage.kubectl().wait_for_value(
        &object(),
        ready,
        LIMIT,
        |text| text.contains("no-such-class"),
        |_| {},
    )?;
    eprintln!("refused before the first pod: {message}");
    ensure!(before == pods(stage)?, "a pod was made anew");
    edit(stage, &json!({"spec": {"podPriorityClassName": null}}))?;
    wait_for_condition(stage, "RollPending", "False")?;
    stage.wait_until_ready(CLUSTER, 3)?;
    ensure!(
        before == pods(stage)?,
        "a pod was made anew although the edit was taken back"
    );
    Ok(())
}

fn start_writer(stage: &Stage) -> Result<()> {
    stop_writer(stage)?;
    stage.sql(
        CLUSTER,
        "beat_owner",
        "beats",
        "CREATE TABLE IF NOT EXISTS beat (at timestamptz);",
    )?;
    let secret = json!({"name": secret_name(CLUSTER, "beat_owner"), "key": "password"});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": WRITER, "namespace": NAMESPACE},
        "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "writer", "image": "localhost/pgherd/postgres:local", "imagePullPolicy": "Never",
                "command": ["python3", "-c", include_str!("writer.py")],
                "env": [
                    {"name": "HOST", "value": format!("{CLUSTER}.{NAMESPACE}.svc.cluster.local")},
                    {"name": "ROLE", "value": "beat_owner"},
                    {"name": "DATABASE", "value": "beats"},
                    {"name": "PASSWORD", "valueFrom": {"secretKeyRef": secret}},
                ],
            }],
        },
    });
    stage.kubectl().apply(&pod.to_string())?;
    wait_for_writes(stage, "writes 51")
}

/// Waits until the writer says so.
fn wait_for_writes(stage: &Stage, line: &str) -> Result<()> {
    let end = Instant::now() + LIMIT;
    loop {
        let log = writer_log(stage).unwrap_or_default();
        if log.contains(line) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the writer does not write: {log}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn writer_log(stage: &Stage) -> Result<String> {
    stage.kubectl().run(&format!("-n {NAMESPACE} logs {WRITER}"))
}

fn stop_writer(stage: &Stage) -> Result<()> {
    stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} delete pod {WRITER} --ignore-not-found"))?;
    Ok(())
}

/// Seconds without a write, one for each interruption.
fn gaps(log: &str) -> Vec<f64> {
    let seconds = |line: &str| line.strip_prefix("gap ")?.split_whitespace().next()?.parse().ok();
    log.lines().filter_map(seconds).collect()
}

/// Pods that the controller deleted, in order.
fn deleted_pods(stage: &Stage, since: Timestamp) -> Result<Vec<String>> {
    let writes = writes_since(stage, since)?.into_iter();
    // One that was refused, because it was of another pod by then, has cost nothing.
    let is_deletion =
        |write: &Request| write.verb == "delete" && write.resource == "pods" && write.code < 300;
    let ours = writes.filter(|write| write.user == ACCOUNT && is_deletion(write));
    Ok(ours
        .map(|write| write.name)
        .filter(|name| name.starts_with(CLUSTER))
        .collect())
}

/// Of the server that leads, by its own word; what Patroni and the status tell of it comes later, and is waited for.
pub(crate) fn timeline(stage: &Stage) -> Result<u32> {
    const ASK: &str =
        "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int";
    let end = Instant::now() + LIMIT;
    let found = loop {
        // One that follows by now does not answer.
        match stage.primary(CLUSTER).and_then(|pod| on_member(stage, &pod, ASK)) {
            Ok(found) => break found,
            Err(error) => ensure!(Instant::now() < end, "no timeline: {error:#}"),
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    let told = ".status.members[?(@.role==\"primary\")].timeline";
    stage
        .kubectl()
        .wait_for_value(&object(), told, LIMIT, |told| told == found, |_| {})?;
    found.parse().with_context(|| format!("timeline {found:?}"))
}

/// Has Patroni make this member the primary; again, should it not be ready for that yet.
pub(crate) fn switch_over(stage: &Stage, candidate: &str) -> Result<()> {
    let end = Instant::now() + LIMIT;
    loop {
        let leader = stage.primary(CLUSTER)?;
        if leader == candidate {
            return stage.wait_until_ready(CLUSTER, 3);
        }
        ensure!(Instant::now() < end, "{leader} leads, and not {candidate}");
        ask_patroni(stage, &leader, candidate)?;
        let moved = |name: &str| name == candidate;
        let soon = Duration::from_secs(20);
        let _ = stage
            .kubectl()
            .wait_for_value(&object(), ".status.primary", soon, moved, |_| {});
    }
}

/// It answers when the switchover is over, or says why it does not come to one.
pub(crate) fn ask_patroni(stage: &Stage, leader: &str, candidate: &str) -> Result<String> {
    let body = json!({"leader": leader, "candidate": candidate}).to_string();
    let url = "http://127.0.0.1:8008/switchover";
    let command = ["curl", "-sS", "-X", "POST", "-d", &body, url];
    let exec = ["-n", NAMESPACE, "exec", leader, "-c", "postgres", "--"];
    stage.kubectl().call(exec.iter().chain(&command)).output()
}

fn rolls(stage: &Stage) -> Result<()> {
    start(stage)?;
    let count: usize = std::env::var("PGHERD_ROLLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(ROLLS)
        .max(1);
    let mut gaps = Vec::new();
    let mut whole = Vec::new();
    for round in 0..count {
        let (gap, took) = roll_once(stage, round)?;
        gaps.push(gap);
        whole.push(took);
    }
    gaps.sort_by(f64::total_cmp);
    whole.sort_by(f64::total_cmp);
    eprintln!(
        "{count} rolls of three members: gap in writes {:.2} s median, {:.2} s worst; whole roll {:.0} s median, {:.0} s worst",
        gaps[count / 2],
        gaps[count - 1],
        whole[count / 2],
        whole[count - 1]
    );
    Ok(())
}

/// One roll under a writer: its only gap and its length, both in seconds.
fn roll_once(stage: &Stage, round: usize) -> Result<(f64, f64)> {
    start_writer(stage)?;
    let (primary, before, since) = (stage.primary(CLUSTER)?, timeline(stage)?, Timestamp::now());
    let begin = Instant::now();
    // Another variable, another image, and the first image again.
    let variable = json!({"name": "ROLL_ROUND", "value": format!("{since}-{round}")});
    let change = match round % 3 {
        0 => json!({"env": [variable]}),
        1 => json!({"dockerImage": POSTGRES_OTHER}),
        _ => json!({"dockerImage": null}),
    };
    let pods = pods(stage)?;
    edit(stage, &json!({"spec": change}))?;
    wait_until_rolled(stage, &pods)?;
    let took = begin.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(1));
    let log = writer_log(stage)?;
    stop_writer(stage)?;
    let deleted = deleted_pods(stage, since)?;
    ensure!(
        deleted.len() == 3 && deleted[2] == primary && !deleted[..2].contains(&primary),
        "{primary} led, deleted were {deleted:?}"
    );
    let after = timeline(stage)?;
    ensure!(
        after == before + 1,
        "timeline {before} before and {after} after: not one switchover"
    );
    let told = log
        .lines()
        .filter(|line| line.starts_with("gap ") || line.starts_with("stall "));
    let told: Vec<&str> = told.collect();
    eprintln!("roll: {deleted:?} in {took:.1} s, {}", told.join("; "));
    let gaps = gaps(&log);
    match gaps.as_slice() {
        [only] => Ok((*only, took)),
        many => anyhow::bail!("the writer saw {} gaps: {many:?}", many.len()),
    }
}

/// Has Patroni move the primary to the highest ordinal, then takes that member away.
fn scales_down(stage: &Stage) -> Result<()> {
    start(stage)?;
    let last = format!("{CLUSTER}-2");
    switch_over(stage, &last)?;
    let before = timeline(stage)?;
    edit(stage, &json!({"spec": {"numberOfInstances": 2}}))?;
    let gone = |names: &str| !names.contains(&last) && !names.is_empty();
    let members = format!("-n {NAMESPACE} pods -l cluster-name={CLUSTER}");
    stage
        .kubectl()
        .wait_for_value(&members, ".items[*].metadata.name", LIMIT, gone, |_| {})?;
    stage.wait_until_ready(CLUSTER, 2)?;
    let after = timeline(stage)?;
    ensure!(
        after == before + 1,
        "timeline {before} before and {after} after: not one switchover"
    );
    ensure!(stage.primary(CLUSTER)? != last, "{last} still leads");
    let before = pods(stage)?;
    edit(stage, &json!({"spec": {"numberOfInstances": 3}}))?;
    stage.wait_until_ready(CLUSTER, 3)?;
    let after = pods(stage)?;
    ensure!(
        before.iter().all(|pod| after.contains(pod)) && after.len() == 3,
        "another member cost one that was there: {before:?} {after:?}"
    );
    Ok(())
}
