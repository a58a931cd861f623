//! The controller killed at random moments of everything else that these tests do: all becomes as wanted, nothing is done twice that must be
//! done once, and never are two members down. Lives here: the killer and who watches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::Test;
use super::rolling::{CLUSTER, pods, start};
use super::stage::{NAMESPACE, Stage};

mod scenes;

pub(crate) const TESTS: &[Test] = &[("a_killed_controller_leaves_nothing_half_done", survives)];

/// Kills of the normal run; `PGHERD_KILLS` asks for more.
const KILLS: u64 = 10;
/// From one kill to the next, at most: the new controller has its lease within a second, or after the old lease's end.
const PATIENCE: Duration = Duration::from_mins(2);
const CONTROLLER: &str = "app.kubernetes.io/name=pgherd-controller";

fn survives(stage: &Stage) -> Result<()> {
    // Without one, who is away when a cluster is deleted leaves its members running.
    stage.configure(&json!({"enable_finalizers": "true"}))?;
    let outcome = under_fire(stage);
    let deleted = stage.delete(CLUSTER);
    let reset = stage.configure(&json!({"enable_finalizers": null}));
    outcome.and(deleted).and(reset)
}

fn under_fire(stage: &Stage) -> Result<()> {
    start(stage)?;
    let wanted = std::env::var("PGHERD_KILLS")
        .ok()
        .and_then(|text| text.parse().ok());
    let (wanted, done) = (wanted.unwrap_or(KILLS), AtomicBool::new(false));
    thread::scope(|scope| {
        let killer = scope.spawn(|| kills(stage, wanted, &done));
        let watcher = scope.spawn(|| most_down(stage, &done));
        let scenes = scenes::play(stage, || killer.is_finished());
        // Also when a scene failed: the others must not go on for ever.
        done.store(true, Ordering::Relaxed);
        let count = killer
            .join()
            .map_err(|_| anyhow::anyhow!("the killer panicked"))?;
        let down = watcher
            .join()
            .map_err(|_| anyhow::anyhow!("the watcher panicked"))?;
        let scenes = scenes?;
        let count = count?;
        eprintln!("{count} kills during {scenes} scenes, at most {down} member down at a time");
        ensure!(count >= wanted, "only {count} of {wanted} kills");
        ensure!(down <= 1, "{down} members were down at a time");
        Ok(())
    })?;
    stage.wait_until_ready(CLUSTER, 3)?;
    let settled = pods(stage)?;
    thread::sleep(Duration::from_secs(10));
    ensure!(settled == pods(stage)?, "pods still go although all is as wanted");
    Ok(())
}

/// Kills until there were `wanted`, or until the scenes are over; gives how many there were.
fn kills(stage: &Stage, wanted: u64, done: &AtomicBool) -> Result<u64> {
    // What looks random enough and is the same in each run.
    let mut luck = 20_260_101_u64;
    let mut killed = 0;
    while killed < wanted && !done.load(Ordering::Relaxed) {
        luck = luck
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_millis(500 + (luck >> 33) % 9000));
        for pid in controllers()? {
            // It may have ended by itself just now.
            let _ = kill_process(pid, Signal::KILL);
            killed += 1;
        }
        // Kubernetes waits longer each time before it starts a container again; a pod of its own starts at once.
        if killed % 2 == 0 {
            stage.kubectl().run(&format!(
                "-n pgherd delete pod -l {CONTROLLER} --force --grace-period=0 --ignore-not-found"
            ))?;
        }
        serves_again(stage)?;
    }
    Ok(killed)
}

/// The processes of controllers in pods of the local Kubernetes.
fn controllers() -> Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok());
        // Some end while they are looked at.
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if command.split(|byte| *byte == 0).next() == Some(b"/controller") {
            found.extend(number.and_then(Pid::from_raw));
        }
    }
    Ok(found)
}

fn serves_again(stage: &Stage) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    let ready = r"range .items[*]}{.metadata.name}={.status.conditions[?(@.type=='Ready')].status} {end";
    loop {
        let value = |object: &str, path: &str| stage.kubectl().value(object, path).unwrap_or_default();
        let states = value(&format!("-n pgherd pods -l {CONTROLLER}"), ready);
        // One that waits for the lease of a dead one is ready as well; killed again and again, none would ever lead.
        let holder = value("-n pgherd lease pgherd-controller", ".spec.holderIdentity");
        let leads = format!("{holder}=True");
        if states.split_whitespace().any(|state| state == leads) && !controllers()?.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < end, "no controller is ready again");
        thread::sleep(Duration::from_millis(300));
    }
}

/// The largest number of members, of those that are wanted all the time, that were seen down at once.
fn most_down(stage: &Stage, done: &AtomicBool) -> usize {
    let mut most = 0;
    while !done.load(Ordering::Relaxed) {
        let list = stage.kubectl().run(&format!(
            "-n {NAMESPACE} get pods -l cluster-name={CLUSTER} -o json"
        ));
        // The API server has more to do than to answer a test.
        let list: Value = serde_json::from_str(&list.unwrap_or_default()).unwrap_or_default();
        if let Some(pods) = list["items"].as_array() {
            let up = |ordinal: &u32| {
                let name = format!("{CLUSTER}-{ordinal}");
                let mut pods = pods.iter();
                pods.any(|pod| pod["metadata"]["name"] == *name && is_up(pod))
            };
            most = most.max((0..2).filter(|ordinal| !up(ordinal)).count());
        }
        thread::sleep(Duration::from_millis(300));
    }
    most
}

fn is_up(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
    pod["metadata"]["deletionTimestamp"].is_null() && ready.any(|condition| condition["status"] == "True")
}
