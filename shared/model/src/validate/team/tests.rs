//! The examples of the rules about teams, and circles over several objects.

use serde_json::json;

use super::super::tests::config_of;
use super::*;

fn object(name: &str, overlay: &str) -> Value {
    let mut object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "PostgresTeam", "metadata": {"name": name, "namespace": "test"}, "spec": {},
    });
    json_patch::merge(&mut object, &serde_yaml::from_str(overlay).unwrap());
    object
}

fn config(parameters: &[(&str, &str)]) -> OperatorConfig {
    let mut all = vec![
        ("enable_postgres_team_crd", "true"),
        ("enable_postgres_team_crd_superusers", "true"),
    ];
    all.extend(parameters);
    config_of(&all)
}

fn warnings(overlay: &str, others: &[Value]) -> Vec<String> {
    let review = team(&object("new", overlay), None, others, &config(&[]));
    assert_eq!(review.violations, []);
    review.warnings
}

#[test]
fn examples_keep_and_break_their_rules() {
    for rule in RULES {
        let broken = |example: &Example| -> Vec<&str> {
            let found = hits(&object("a", example.manifest), &[], &config(example.config));
            found.into_iter().map(|(rule, _)| rule.id).collect()
        };
        assert_eq!(broken(&rule.accepts), [""; 0], "{}", rule.id);
        assert!(broken(&rule.rejects).contains(&rule.id), "{}", rule.id);
    }
}

#[test]
fn a_circle_is_told_once_and_by_name() {
    let found = warnings("spec: {additionalTeams: {a: [b, x], b: [c], c: [a]}}", &[]);
    assert_eq!(
        found,
        ["spec.additionalTeams.a[0]: a → b → c → a: each gets the members of all (PGT-003)"]
    );
}

#[test]
fn circles_run_through_other_objects_but_not_through_other_lists() {
    let other = object("other", "spec: {additionalTeams: {b: [a]}}");
    let others = std::slice::from_ref(&other);
    assert_eq!(warnings("spec: {additionalTeams: {a: [b]}}", others).len(), 1);
    assert_eq!(
        warnings("spec: {additionalSuperuserTeams: {a: [b]}}", others),
        [""; 0]
    );
    assert_eq!(warnings("spec: {additionalTeams: {x: [a]}}", others), [""; 0]);
    // The stored state of the object itself is no other object.
    let itself = object("new", "spec: {additionalTeams: {b: [a]}}");
    assert_eq!(warnings("spec: {additionalTeams: {a: [b]}}", &[itself]), [""; 0]);
}

#[test]
fn teams_of_upstreams_own_test_are_all_admitted() {
    let first = object(
        "1",
        "spec: {additionalSuperuserTeams: {A: [B, 24x7], B: [A, C, 24x7]}, additionalTeams: {A: [C], B: []}}",
    );
    let second = "spec: {additionalSuperuserTeams: {C: [24x7]}, additionalTeams: {A: [C], C: [A, B, acid]}}";
    let found = warnings(second, &[first, Value::Null, json!({"spec": 3})]);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn an_override_refuses_what_is_new_only() {
    let config = config(&[("validation_severity", "PGT-004:deny")]);
    let stored = object("a", "spec: {additionalMembers: {acid: [ann, ann]}}");
    let moved = object("a", "spec: {additionalMembers: {acid: [zoe, ann, ann]}}");
    let worse = object("a", "spec: {additionalMembers: {acid: [ann, ann, zoe, zoe]}}");
    assert_eq!(team(&stored, None, &[], &config).violations.len(), 1);
    assert_eq!(team(&moved, Some(&stored), &[], &config).violations, []);
    assert_eq!(team(&worse, Some(&stored), &[], &config).violations.len(), 1);
}

#[test]
fn long_chains_end() {
    let all: serde_json::Map<String, Value> = (0..300)
        .map(|n| (format!("t{n}"), json!([format!("t{}", (n + 1) % 300)])))
        .collect();
    let mut ring = object("a", "{}");
    ring["spec"]["additionalTeams"] = all.into();
    assert_eq!(team(&ring, None, &[], &config(&[])).warnings.len(), 1);
}
