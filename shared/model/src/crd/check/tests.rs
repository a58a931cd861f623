//! The check knows every keyword of our CRDs, and says what an API server would.

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::json;

use super::*;
use crate::crd;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::of(&crd::postgresql()));

fn review(new: &Value, old: Option<&Value>) -> Vec<(String, String)> {
    let found = SCHEMA.review(new, old);
    found
        .into_iter()
        .map(|found| (found.path, found.message))
        .collect()
}

fn paths(new: &Value, old: Option<&Value>) -> Vec<String> {
    review(new, old).into_iter().map(|(path, _)| path).collect()
}

fn manifest(overlay: &str) -> Value {
    let mut object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "metadata": {"name": "acid-test"},
        "spec": {"teamId": "acid", "numberOfInstances": 2, "postgresql": {"version": "17"}, "volume": {"size": "1Gi"}},
    });
    json_patch::merge(&mut object, &serde_yaml::from_str(overlay).unwrap());
    object
}

#[track_caller]
fn assert_refused(overlay: &str, path: &str, message: &str) {
    let found = review(&manifest(overlay), None);
    assert!(
        matches!(found.as_slice(), [(at, says)] if at == path && says.contains(message)),
        "{overlay}: {found:?}"
    );
}

fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
    for (keyword, value) in schema.as_object().unwrap() {
        found.insert(keyword.clone());
        match (keyword.as_str(), value) {
            ("properties", Value::Object(fields)) => {
                fields.values().for_each(|schema| keywords(schema, found));
            }
            ("items" | "additionalProperties", schema) => keywords(schema, found),
            _ => {}
        }
    }
}

#[test]
fn every_keyword_is_understood() {
    for crd in crd::all() {
        let mut root = Schema::of(&crd).root;
        // Only controllers write it.
        root["properties"].as_object_mut().unwrap().remove("status");
        let mut found = BTreeSet::new();
        keywords(&root, &mut found);
        let unknown: Vec<_> = found
            .iter()
            .filter(|keyword| !limits::KNOWN.contains(&keyword.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}

#[test]
fn a_good_manifest_passes() {
    assert_eq!(review(&manifest("{}"), None), []);
    assert_eq!(review(&manifest("status: Running"), None), []);
}

#[test]
fn limits_of_values_hold() {
    assert_refused(
        "spec: {numberOfInstances: two}",
        "spec.numberOfInstances",
        "is a string; expected an integer",
    );
    assert_refused(
        "spec: {numberOfInstances: -1}",
        "spec.numberOfInstances",
        "the least is 0",
    );
    assert_refused(
        "spec: {volume: {iops: 90000}}",
        "spec.volume.iops",
        "the most is 80000",
    );
    assert_refused("spec: {volume: {size: null}}", "spec.volume.size", "is missing");
    assert_refused(
        "spec: {postgresql: {version: '13'}}",
        "spec.postgresql.version",
        "14, 15, 16, 17, 18",
    );
    assert_refused(
        "spec: {resources: {limits: {cpu: 1 core}}}",
        "spec.resources.limits.cpu",
        "does not match",
    );
    assert_refused("spec: {clone: {cluster: a, uid: x}}", "spec.clone.uid", "uuid");
    assert_refused("spec: {users: {a: [Login]}}", "spec.users.a[0]", "is not allowed");
    assert_refused(
        "spec: {env: [{name: ''}]}",
        "spec.env[0].name",
        "has 0 characters; the least is 1",
    );
    assert_refused(
        "spec: {maintenanceWindows: [null]}",
        "spec.maintenanceWindows[0]",
        "is null",
    );
    assert_refused(
        "spec: {sidecars: [{name: a}]}",
        "spec.sidecars[0].image",
        "is missing",
    );
}

#[test]
fn replicas_are_numbers_that_can_be_scaled() {
    for number in ["1.0", "3000000000"] {
        let overlay = format!("spec: {{numberOfInstances: {number}}}");
        assert_refused(&overlay, "spec.numberOfInstances", "whole number");
    }
}

#[test]
fn rules_in_cel_hold() {
    for size in ["1K", "1e3Gi", "0", "0Gi"] {
        assert_refused(
            &format!("spec: {{volume: {{size: '{size}'}}}}"),
            "spec.volume.size",
            "above 0",
        );
    }
    assert_refused(
        "spec: {resources: {limits: {memory: 1K}}}",
        "spec.resources.limits.memory",
        "suffixes",
    );
    assert_refused("{metadata: {name: 1acid}}", ".", "a letter first");
    assert_refused(
        &format!("{{metadata: {{name: a{}}}}}", "b".repeat(58)),
        ".",
        "at most 58",
    );
    assert_refused(
        "spec: {sidecars: [{name: postgres, image: a}]}",
        "spec.sidecars[0]",
        "postgres",
    );
    assert_refused("spec: {standby: {}}", "spec.standby", "set one of");
    assert_refused(
        "spec: {clone: {cluster: a}, standby: {standby_host: b}}",
        "spec.clone",
        "not both",
    );
    assert_eq!(
        review(
            &manifest("spec: {clone: {cluster: ''}, standby: {standby_host: b}}"),
            None
        ),
        []
    );
}

#[test]
fn nothing_is_refused_for_what_is_stored_already() {
    for overlay in [
        "{metadata: {name: 1acid}}",
        "spec: {volume: {size: 1K}}",
        "spec: {clone: {cluster: a}, standby: {standby_host: b}}",
        "spec: {sidecars: [{name: postgres}]}",
        "spec: {users: {a: [Login]}}",
    ] {
        let stored = manifest(overlay);
        let mut new = stored.clone();
        new["spec"]["numberOfInstances"] = json!(3);
        assert!(!review(&new, None).is_empty());
        assert_eq!(review(&new, Some(&stored)), [], "{overlay}");
    }
}

#[test]
fn the_directory_of_the_data_stays() {
    let volume = |volume: &str| manifest(&format!("spec: {{volume: {volume}}}"));
    for (old, new, refused) in [
        ("{subPath: a}", "{subPath: b}", true),
        ("{subPath: a}", "{}", true),
        ("{}", "{subPath: a}", true),
        ("{subPath: a}", "{subPath: a, isSubPathExpr: true}", true),
        ("{subPath: a}", "{subPath: a, isSubPathExpr: false}", false),
        ("{subPath: ''}", "{isSubPathExpr: true}", false),
        ("{size: 2Gi}", "{size: 1Gi}", false),
    ] {
        let found = paths(&volume(new), Some(&volume(old)));
        assert_eq!(
            found == ["spec.volume.subPath"],
            refused,
            "{old} {new}: {found:?}"
        );
        assert!(refused || found.is_empty());
    }
}

#[test]
fn constants_are_filled_in_and_nulls_dropped() {
    let kept = SCHEMA.kept(&manifest(
        "spec: {tls: {secretName: s}, preparedDatabases: {d: {}}, mistyped: 1}",
    ));
    assert_eq!(kept["spec"]["tls"]["certificateFile"], "tls.crt");
    assert_eq!(kept["spec"]["preparedDatabases"]["d"]["defaultUsers"], false);
    assert_eq!(kept["spec"]["mistyped"], 1);
    let kept = SCHEMA.kept(&json!({"spec": {"users": {"a": null}, "patroni": null, "env": null}}));
    assert_eq!(kept, json!({"spec": {"users": {"a": null}, "env": null}}));
}
