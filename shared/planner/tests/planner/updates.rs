//! What our plans do for an edit, carried out to the end, beside what Zalando's operator did for the same edit.
//!
//! Every difference is either a bug of ours or a row of [`ACCEPTED`] with its reason. A row that matches nothing fails too.

use std::collections::BTreeSet;

use pgherd_model::api;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_planner::observed::ObjectRef;
use pgherd_planner::plan::Action;
use serde_json::{Value, json};

use crate::impact::rolled::{Record, carry_out};
use crate::recorded::{config, data, documents, environment};
use crate::world::World;

use accepted::ACCEPTED;

mod accepted;

/// A difference that is meant.
struct Accepted {
    /// The edit.
    case: &'static str,
    /// What of it: a key of [`told`].
    what: &'static str,
    /// Why.
    reason: &'static str,
}

/// Both sides in one form, by what they are about.
type Told = [(&'static str, Value); 6];

/// The manifests before and after an edit; none after a deletion.
fn manifests(case: &str, config: &OperatorConfig) -> (Cluster, Option<Cluster>) {
    let documents = documents(&data().join(format!("golden/updates/{case}.yaml")));
    let mut read = documents.into_iter().map(|mut object| {
        object["metadata"]["uid"] = json!("uid");
        object["metadata"]["namespace"] = json!("default");
        Cluster::parse(&api::decode(&object).unwrap(), config).unwrap()
    });
    (read.next().unwrap(), read.next())
}

/// `<kind>/<name>` of the object that an action changes.
fn changed(action: &Action) -> Option<String> {
    let named = |kind: &str, name: &str| Some(format!("{kind}/{name}"));
    match action {
        Action::Apply(object) => named(object.kind(), &object.reference().name),
        Action::Patch { target, .. }
        | Action::Scale { target, .. }
        | Action::GrowClaim { target, .. }
        | Action::Delete { target, .. } => named(&target.kind, &target.name),
        // Labels of pods come and go as these run; theirs were not recorded.
        Action::Relabel { target, .. } if target.kind == "PersistentVolumeClaim" => {
            named(&target.kind, &target.name)
        }
        Action::CreateSecret(draft) | Action::LabelSecret(draft) | Action::FillSecret(draft) => {
            named("Secret", &draft.name)
        }
        _ => None,
    }
}

/// What goes when the object does, until nothing of it is left.
fn deletion(world: &mut World) -> Record {
    world.observed.cluster.deletion_timestamp = Some("2026-01-01T00:00:00Z".to_owned());
    let mut record = Record::default();
    loop {
        let plan = world.plan_deletion();
        if plan.steps.is_empty() {
            return record;
        }
        world.execute(&plan);
        for step in plan.steps {
            match step.action {
                Action::Delete { target, .. } if target.kind == "Pod" => record.anew.push(target.name),
                other => record.others.push(other),
            }
        }
    }
}

fn ours(record: &Record) -> Told {
    let objects: BTreeSet<String> = record.others.iter().filter_map(changed).collect();
    let patches = record.others.iter().filter_map(|action| match action {
        // What shortens a switchover comes and goes with it.
        Action::PatchPatroni(patch) if patch["postgresql"].get("before_stop").is_some() => None,
        Action::PatchPatroni(patch) => Some(patch.clone()),
        _ => None,
    });
    let patches: Vec<Value> = patches.collect();
    let touched = objects.iter().any(|object| object.starts_with("StatefulSet/"));
    let is_set = |target: &ObjectRef| target.kind == "StatefulSet";
    let gone = record
        .others
        .iter()
        .position(|action| matches!(action, Action::Delete { target, .. } if is_set(target)));
    let made = |action: &Action| matches!(action, Action::Apply(object) if is_set(&object.reference()));
    let stateful_set = match gone {
        Some(at) if record.others.iter().skip(at).any(made) => "replaced",
        Some(_) => "deleted",
        None if touched => "patched",
        None => "untouched",
    };
    [
        ("podsDeleted", json!(record.anew)),
        ("podsRestartedByPatroni", json!(record.restarted)),
        ("switchovers", json!(record.switchovers)),
        ("patroniPatches", json!(patches)),
        ("statefulset", json!(stateful_set)),
        ("objectsChanged", json!(objects)),
    ]
}

fn theirs(row: &Value) -> Told {
    let patches = row["patroniPatches"].as_array().unwrap().iter();
    let patches = patches.map(|text| serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap());
    [
        ("podsDeleted", row["podsDeleted"].clone()),
        ("podsRestartedByPatroni", row["podsRestartedByPatroni"].clone()),
        ("switchovers", row["switchovers"].clone()),
        ("patroniPatches", patches.collect()),
        ("statefulset", row["statefulset"].clone()),
        ("objectsChanged", row["objectsChanged"].clone()),
    ]
}

#[test]
fn edits_do_what_zalandos_operator_does_but_for_what_is_accepted() {
    let config = config("U");
    let summary = documents(&data().join("golden/updates/summary.yaml")).remove(0);
    let (mut wrong, mut used, mut edits) = (Vec::new(), BTreeSet::new(), 0);
    for row in summary.as_array().unwrap() {
        let case = row["case"].as_str().unwrap();
        let (before, after) = manifests(case, &config);
        edits += 1;
        let mut world = World::new(before, config.clone(), environment("U"));
        world.settle();
        let record = match after {
            Some(after) => carry_out(&mut world, after),
            None => deletion(&mut world),
        };
        for ((what, theirs), (_, ours)) in theirs(row).iter().zip(&ours(&record)) {
            if theirs == ours {
                continue;
            }
            let known = ACCEPTED
                .iter()
                .position(|row| row.case == case && row.what == *what);
            match known {
                Some(index) => _ = used.insert(index),
                None => wrong.push(format!("{case} {what}: theirs {theirs}, ours {ours}")),
            }
        }
    }
    let stale = ACCEPTED
        .iter()
        .enumerate()
        .filter(|(index, _)| !used.contains(index));
    wrong.extend(
        stale.map(|(_, Accepted { case, what, reason })| format!("stale row: {case} {what} ({reason})")),
    );
    println!("{edits} edits, {} accepted differences", ACCEPTED.len());
    assert!(
        wrong.is_empty(),
        "{} differences\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
