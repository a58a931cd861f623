//! The examples of the rules about the operator's configuration, and what is said in both forms.

use serde_json::json;

use super::*;

/// A ConfigMap with these data in YAML.
fn map(data: &str) -> Value {
    json!({"data": serde_yaml::from_str::<Value>(data).unwrap()})
}

fn ids(data: &str) -> Vec<&'static str> {
    let found = look(&map(data), Form::ConfigMap, "pgherd").0;
    found.into_iter().map(|(rule, _)| rule.id).collect()
}

fn stored(new: &Value, old: Option<&Value>) -> Review {
    operator_configuration(new, old, Form::ConfigMap, "pgherd")
}

#[test]
fn every_rule_finds_its_rejecting_example_and_nothing_in_the_other() {
    for rule in rules() {
        assert_eq!(ids(rule.accepts.manifest), [""; 0], "{}", rule.id);
        let review = stored(&map(rule.rejects.manifest), None);
        let refused = review
            .violations
            .iter()
            .any(|violation| violation.rule == rule.id);
        let warned = review
            .warnings
            .iter()
            .any(|warning| warning.ends_with(&format!("({})", rule.id)));
        let denies = rule.severity == super::super::Severity::Deny;
        assert_eq!((refused, warned), (denies, !denies), "{}: {review:?}", rule.id);
    }
}

#[test]
fn parameters_of_rules_are_parameters() {
    for rule in rules() {
        for name in rule.paths {
            assert!(param(name).is_some(), "{}: {name}", rule.id);
        }
    }
}

#[test]
fn what_the_operator_cannot_start_with_is_what_its_parser_refuses() {
    for row in rows::RULES.iter().filter(|row| row.id != SHAPE) {
        let data: BTreeMap<String, String> = serde_yaml::from_str(row.rejects).unwrap();
        let outcome = source::from_config_map(&data, "pgherd");
        assert_eq!(outcome.is_err(), row.is_fatal, "{}", row.id);
    }
}

#[test]
fn every_pair_of_quantities_is_compared() {
    for (small, large) in [
        ("default_memory_request", "default_memory_limit"),
        ("min_cpu_limit", "default_cpu_limit"),
        ("default_cpu_request", "max_cpu_request"),
        ("logical_backup_memory_request", "logical_backup_memory_limit"),
        (
            "connection_pooler_default_cpu_request",
            "connection_pooler_default_cpu_limit",
        ),
    ] {
        assert_eq!(
            ids(&format!("{{{small}: '2', {large}: '1'}}")),
            ["PGC-024"],
            "{small}"
        );
        assert_eq!(
            ids(&format!("{{{small}: '1', {large}: '1'}}")),
            [""; 0],
            "{small}"
        );
    }
}

#[test]
fn defaults_break_no_rule() {
    assert_eq!(ids("{}"), [""; 0]);
    let sample = json!({"configuration": {}});
    let found = look(&sample, Form::Crd, "pgherd").0;
    let ids: Vec<_> = found.into_iter().map(|(rule, _)| rule.id).collect();
    assert_eq!(ids, [""; 0]);
}

#[test]
fn warnings_are_given_beside_errors() {
    let review = stored(&map("{workers: many, wrkers: '4'}"), None);
    assert_eq!(review.violations.len(), 1);
    assert_eq!(
        review.warnings,
        ["wrkers: is not a parameter; did you mean workers? (PGC-004)"]
    );
}

#[test]
fn a_stored_mistake_does_not_block_and_a_new_one_does() {
    let old = map("{docker_image: 'a b', workers: '4'}");
    assert_eq!(
        stored(&map("{docker_image: 'a b', workers: '5'}"), Some(&old)).violations,
        []
    );
    let worse = stored(
        &map("{docker_image: 'a b', connection_pooler_image: 'a b'}"),
        Some(&old),
    );
    assert_eq!(worse.violations.len(), 1);
}

#[test]
fn severities_of_strange_rules_are_told_with_the_nearest() {
    let warnings = |list: &str| stored(&json!({"data": {"validation_severity": list}}), None).warnings;
    assert_eq!(warnings("PGV-011:deny,pgv-049:warn,PGT-003:deny"), [""; 0]);
    assert_eq!(
        warnings("PGX-011:deny"),
        ["validation_severity: PGX-011 is no rule; did you mean PGV-011? (PGC-016)"]
    );
    assert_eq!(
        warnings("PGV-001:warn"),
        ["validation_severity: PGV-001 is ignored: its severity is fixed (PGC-016)"]
    );
    let wrong = stored(&json!({"data": {"validation_severity": "PGV-011:forbid"}}), None);
    assert_eq!(wrong.violations.len(), 1);
    let crd = json!({"configuration": {"admission": {"validation_severity": {"PGV-411": "deny"}, "validation_profile": "lax"}}});
    let review = operator_configuration(&crd, None, Form::Crd, "pgherd");
    assert_eq!(
        review.violations[0].path,
        "configuration.admission.validation_profile"
    );
    assert!(review.warnings[0].starts_with("configuration.admission.validation_severity: PGV-411"));
}

#[test]
fn no_secret_is_told() {
    let data = json!({"data": {
        "logical_backup_s3_secret_access_key": "hunter2", "scalyr_api_key": "hunter2", "scalyr_api_ky": "hunter2", "min_instances": "x",
    }});
    assert!(!format!("{:?}", stored(&data, None)).contains("hunter2"));
}
