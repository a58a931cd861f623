//! What is changed or deleted by hand is as it was within seconds, with one event each, and no pod goes for it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pgherd_tests::psql::secret_name;

use super::Test;
use super::audit::settle;
use super::events::Events;
use super::rolling::{CLUSTER, pods, start};
use super::stage::{NAMESPACE, Stage};

pub(crate) const TESTS: &[Test] = &[("what_is_changed_by_hand_is_repaired_with_one_event", repairs)];

/// From the moment the hand lets go. The goal is printed beside what was seen; later than the limit is repaired by something else than the
/// watch that saw it.
const GOAL: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_mins(1);
/// What comes of a repair, if anything, is told by then.
const ECHO: Duration = Duration::from_secs(2);

/// Something done by hand.
struct Damage {
    what: &'static str,
    /// As kubectl has it, behind the namespace.
    command: Vec<String>,
    object: String,
    /// Of the object: as before when it is repaired. For one that is deleted that it is there again under another uid.
    field: &'static str,
    deletes: bool,
    /// The reason of the event that tells of the repair.
    reason: &'static str,
}

fn patched(
    what: &'static str,
    object: &str,
    patch: &str,
    field: &'static str,
    reason: &'static str,
) -> Damage {
    Damage {
        what,
        command: ["patch", object, "--type=merge", "-p", patch]
            .map(str::to_owned)
            .into(),
        object: object.to_owned(),
        field,
        deletes: false,
        reason,
    }
}

fn deleted(what: &'static str, object: &str, reason: &'static str) -> Damage {
    Damage {
        what,
        command: ["delete", object, "--wait=false", "--cascade=orphan"]
            .map(str::to_owned)
            .into(),
        object: object.to_owned(),
        field: ".metadata.uid",
        deletes: true,
        reason,
    }
}

fn damages() -> Vec<Damage> {
    let service = format!("service/{CLUSTER}");
    let replica = format!("service/{CLUSTER}-repl");
    let budget = format!("poddisruptionbudget/postgres-{CLUSTER}-pdb");
    let set = format!("statefulset/{CLUSTER}");
    let secret = format!("secret/{}", secret_name(CLUSTER, "postgres"));
    vec![
        patched(
            "a service's selector",
            &service,
            r#"{"spec":{"selector":{"spilo-role":"nobody"}}}"#,
            ".spec.selector",
            "Services",
        ),
        deleted("a service gone", &replica, "Services"),
        patched(
            "a disruption budget",
            &budget,
            r#"{"spec":{"minAvailable":0}}"#,
            ".spec.minAvailable",
            "Sync",
        ),
        deleted("a disruption budget gone", &budget, "Sync"),
        patched(
            "a secret's label",
            &secret,
            r#"{"metadata":{"labels":{"team":"nobody"}}}"#,
            ".metadata.labels",
            "Secrets",
        ),
        patched(
            "a secret's label gone",
            &secret,
            r#"{"metadata":{"labels":{"cluster-name":null}}}"#,
            ".metadata.labels",
            "Secrets",
        ),
        patched(
            "a StatefulSet's template",
            &set,
            r#"{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":7}}}}"#,
            ".spec.template.spec.terminationGracePeriodSeconds",
            "StatefulSet",
        ),
        deleted("a StatefulSet gone without its pods", &set, "StatefulSet"),
    ]
}

fn repairs(stage: &Stage) -> Result<()> {
    start(stage)?;
    // What there is to tell of the time before is told.
    settle(stage)?;
    let before = pods(stage)?;
    for damage in damages() {
        let took = repaired(stage, &damage).with_context(|| damage.what)?;
        let (took, goal) = (took.as_secs_f32(), GOAL.as_secs());
        eprintln!("{}: as before after {took:.1} s (goal: {goal} s)", damage.what);
    }
    // A pod that is about to be made anew would be gone by now.
    std::thread::sleep(Duration::from_secs(5));
    ensure!(before == pods(stage)?, "pods were made anew");
    stage.wait_until_ready(CLUSTER, 3)
}

fn repaired(stage: &Stage, damage: &Damage) -> Result<Duration> {
    let object = format!("-n {NAMESPACE} {}", damage.object);
    let before = stage.kubectl().value(&object, damage.field)?;
    let said = Events::of(stage, CLUSTER)?;
    let mut call = vec!["-n".to_owned(), NAMESPACE.to_owned()];
    call.extend(damage.command.clone());
    stage.kubectl().call(call).output()?;
    let begin = Instant::now();
    loop {
        let now = stage.kubectl().value(&object, damage.field).unwrap_or_default();
        if !now.is_empty() && (now != before) == damage.deletes {
            break;
        }
        ensure!(begin.elapsed() < LIMIT, "not repaired: {before:?} is {now:?}");
    }
    let took = begin.elapsed();
    is_told_once(stage, &said, damage.reason)?;
    Ok(took)
}

fn is_told_once(stage: &Stage, said: &Events, reason: &str) -> Result<()> {
    let begin = Instant::now();
    while Events::of(stage, CLUSTER)?.since(said).is_empty() {
        ensure!(begin.elapsed() < LIMIT, "no event tells of the repair");
    }
    std::thread::sleep(ECHO);
    let events = Events::of(stage, CLUSTER)?.since(said);
    let is_the_one = match events.as_slice() {
        [only] => only.count == 1 && only.reason == reason,
        _ => false,
    };
    ensure!(is_the_one, "not one {reason} event: {events:?}");
    Ok(())
}
