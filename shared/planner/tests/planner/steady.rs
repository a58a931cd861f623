//! Objects that Zalando's operator made, as a real API server stores them, defaults and all: we find nothing to change.

use pgherd_model::cluster::Cluster;
use pgherd_planner::build::build;
use pgherd_planner::observed::{Observed, Source};
use pgherd_planner::plan::{Action, Plan, plan};
use serde_json::Value;

use crate::recorded::{config, data, documents, environment, manifest};
use crate::world::NOW;

/// Everything of one kind.
fn all<T: serde::de::DeserializeOwned>(objects: &[Value], kind: &str) -> Vec<T> {
    let of_kind = objects.iter().filter(|object| object["kind"] == kind);
    of_kind
        .map(|object| serde_json::from_value(object.clone()).unwrap())
        .collect()
}

/// The plan for a cluster whose objects are stored like this.
fn plan_for(config_name: &str, case: &str, edit: impl Fn(&mut Value)) -> Plan {
    let config = config(config_name);
    let mut objects = documents(&data().join(format!("golden/stored/{config_name}/{case}.yaml")));
    for object in &mut objects {
        object["metadata"]["uid"] = Value::from("stored");
        object["metadata"]["resourceVersion"] = Value::from("1");
        edit(object);
    }
    let cluster = Cluster::parse(&manifest(case), &config).unwrap();
    let desired = build(&cluster, &config, &environment(config_name));
    let observed = Observed {
        stateful_set: Source::Known(all(&objects, "StatefulSet").into_iter().next()),
        services: Source::Known(all(&objects, "Service")),
        disruption_budgets: Source::Known(all(&objects, "PodDisruptionBudget")),
        ..Observed::default()
    };
    plan(&cluster, &desired, &observed, &config, NOW)
}

/// Lines of the steps that concern the stored kinds; what else is missing is not asked about here.
fn changes(plan: &Plan) -> Vec<String> {
    let is_change = |action: &Action| {
        matches!(
            action,
            Action::Apply(_) | Action::Patch { .. } | Action::Scale { .. }
        )
    };
    plan.steps
        .iter()
        .filter(|step| is_change(&step.action))
        .map(ToString::to_string)
        .collect()
}

#[test]
fn what_zalandos_operator_left_is_not_touched() {
    let mut cases = 0;
    for config_name in ["A", "B"] {
        for entry in std::fs::read_dir(data().join("golden/stored").join(config_name)).unwrap() {
            let path = entry.unwrap().path();
            let case = path.file_stem().unwrap().to_str().unwrap();
            assert_eq!(
                changes(&plan_for(config_name, case, |_| {})),
                [""; 0],
                "{config_name}/{case}"
            );
            cases += 1;
        }
    }
    assert_eq!(cases, 13);
}

#[test]
fn a_stored_difference_is_repaired_where_it_is() {
    let plan = plan_for("A", "minimal", |object| {
        if object["kind"] == "StatefulSet" {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = Value::from("old");
        }
    });
    assert_eq!(
        changes(&plan),
        ["apply StatefulSet default/minimal (differs at /spec/template/spec/containers/0/image)"]
    );
}

#[test]
fn a_stray_variable_needs_a_patch() {
    let plan = plan_for("A", "minimal", |object| {
        if object["kind"] == "StatefulSet" {
            let env = &mut object["spec"]["template"]["spec"]["containers"][0]["env"];
            env.as_array_mut()
                .unwrap()
                .insert(0, serde_json::json!({ "name": "STRAY", "value": "x" }));
        }
    });
    let changes = changes(&plan);
    assert!(
        changes.len() == 1 && changes[0].starts_with("patch StatefulSet"),
        "{changes:?}"
    );
}

#[test]
fn what_cannot_be_changed_is_held_and_the_rest_goes_on() {
    let plan = plan_for("A", "minimal", |object| {
        if object["kind"] == "StatefulSet" {
            object["spec"]["podManagementPolicy"] = Value::from("Parallel");
            object["spec"]["template"]["spec"]["containers"][0]["image"] = Value::from("old");
        }
    });
    let holds: Vec<String> = plan.holds.iter().map(ToString::to_string).collect();
    assert!(
        holds
            .iter()
            .any(|hold| hold.contains("does not let /spec/podManagementPolicy change")),
        "{holds:?}"
    );
    let applied = plan.steps.iter().find_map(|step| match &step.action {
        Action::Apply(object) if object.kind() == "StatefulSet" => Some(object.to_value()),
        _ => None,
    });
    assert_eq!(applied.unwrap()["spec"]["podManagementPolicy"], "Parallel");
}
