//! The catalogue's own examples, ratcheting, and what a review says. Its laws are in `laws`.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::config::{Form, source};

mod branches;
mod coverage;
mod laws;
mod policies;
mod shaped;

pub(super) fn config_of(parameters: &[(&str, &str)]) -> OperatorConfig {
    let data: BTreeMap<String, String> = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    source::from_config_map(&data, "default").unwrap().0
}

pub(super) fn config() -> OperatorConfig {
    config_of(&[("enable_teams_api", "false")])
}

/// The least manifest with an overlay in YAML.
pub(super) fn manifest(overlay: &str) -> Value {
    let mut object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-test", "namespace": "test"},
        "spec": {"teamId": "acid", "numberOfInstances": 2, "postgresql": {"version": "17"}, "volume": {"size": "1Gi"}},
    });
    json_patch::merge(&mut object, &serde_yaml::from_str(overlay).unwrap());
    object
}

/// What the catalogue finds in objects as they are.
fn found(new: &Value, old: Option<&Value>, config: &OperatorConfig) -> Found {
    let read = |object| Manifest::complete(Cow::Borrowed(object), config);
    hits(&read(new), old.map(read).as_ref(), config)
}

fn broken_rules(example: &Example) -> Vec<&'static str> {
    let new = manifest(example.manifest);
    let stored = example.stored.map(manifest);
    let config = config_of(example.config);
    let mut found = found(&new, stored.as_ref(), &config);
    found.extend(deletion::hits(&new, &config));
    found.into_iter().map(|(rule, _)| rule.id).collect()
}

pub(super) fn violations(review: &Review) -> Vec<(&str, &str)> {
    review
        .violations
        .iter()
        .map(|violation| (violation.rule, violation.path.as_str()))
        .collect()
}

#[test]
fn every_rule_lets_its_accepting_example_through() {
    for rule in catalogue() {
        let broken = broken_rules(&rule.accepts);
        assert!(
            !broken.contains(&rule.id),
            "{}: {:?} breaks {broken:?}",
            rule.id,
            rule.accepts.manifest
        );
    }
}

#[test]
fn accepting_examples_are_good_manifests() {
    for rule in catalogue() {
        let stored = rule.accepts.stored.map(manifest);
        let review = review(
            &manifest(rule.accepts.manifest),
            stored.as_ref(),
            &config_of(rule.accepts.config),
        );
        assert_eq!(violations(&review), [], "{}", rule.id);
    }
}

#[test]
fn every_rule_finds_its_rejecting_example() {
    for rule in catalogue() {
        let broken = broken_rules(&rule.rejects);
        assert!(
            broken.contains(&rule.id),
            "{}: {:?} breaks only {broken:?}",
            rule.id,
            rule.rejects.manifest
        );
    }
}

#[test]
fn deny_rules_refuse_and_warn_rules_warn() {
    for rule in catalogue() {
        let stored = rule.rejects.stored.map(manifest);
        let (new, config) = (manifest(rule.rejects.manifest), config_of(rule.rejects.config));
        let review = match rule.when {
            When::Deleted => deletion(&new, &config),
            _ => review(&new, stored.as_ref(), &config),
        };
        let refused = review
            .violations
            .iter()
            .any(|violation| violation.rule == rule.id);
        let warned = review
            .warnings
            .iter()
            .any(|warning| warning.ends_with(&format!("({})", rule.id)));
        match rule.severity {
            Severity::Deny => assert!(refused && !warned, "{}", rule.id),
            // A path that another rule refuses is not warned about.
            Severity::Warn => assert!(
                !refused && (warned || !review.violations.is_empty()),
                "{}",
                rule.id
            ),
        }
    }
}

#[test]
fn ids_are_unique_and_increase() {
    assert!(catalogue().is_sorted_by(|one, next| one.id < next.id));
    for rule in catalogue() {
        let number = rule.id.strip_prefix("PGV-").unwrap();
        assert!(number.len() == 3 && number.parse::<u16>().is_ok(), "{}", rule.id);
    }
}

#[test]
fn rules_are_written_alike() {
    for rule in catalogue() {
        assert!(
            rule.demand.ends_with(['.', ')']) && rule.reason.ends_with('.'),
            "{}",
            rule.id
        );
        assert!(!rule.paths.is_empty(), "{}", rule.id);
        let is_change = matches!(rule.check, Check::Change(_));
        assert_eq!(rule.when == When::Transition, is_change, "{}", rule.id);
        assert_eq!(rule.accepts.stored.is_some(), is_change, "{}", rule.id);
        assert_eq!(rule.rejects.stored.is_some(), is_change, "{}", rule.id);
    }
}

#[test]
fn whatever_stops_a_parse_has_a_rule() {
    // A violation of the parse without a rule would let through what the controller refuses.
    let text = include_str!("../cluster/rules.rs");
    let ids: Vec<&str> = text.split('"').filter(|part| part.starts_with("PGV-")).collect();
    assert!(ids.len() > 10);
    for id in ids {
        assert!(
            matches!(rule(id).unwrap().check, Check::Parse | Check::Decode),
            "{id}"
        );
    }
    let reasons = text.split("pub mod reason").nth(1).unwrap();
    for reason in reasons
        .split('"')
        .filter(|part| part.chars().all(char::is_alphanumeric) && !part.is_empty())
    {
        assert!(
            by_check(|check| matches!(check, Check::Finding(found) if *found == reason)).count() == 1,
            "{reason}"
        );
    }
}

#[test]
fn all_violations_at_once_sorted_by_path() {
    let bad = manifest(
        "{metadata: {name: Acid}, spec: {numberOfInstances: -1, volume: {size: 5x}, users: {Bad: []},
          maintenanceWindows: ['25:00-26:00'], databases: {a-b: postgres}, allowedSourceRanges: [anyone]}}",
    );
    let review = review(&bad, None, &config());
    assert_eq!(
        violations(&review),
        [
            ("PGV-002", "metadata.name"),
            ("PGV-049", "spec.allowedSourceRanges[0]"),
            ("PGV-027", "spec.databases.a-b"),
            ("PGV-031", "spec.maintenanceWindows[0]"),
            ("PGV-006", "spec.numberOfInstances"),
            ("PGV-022", "spec.users.Bad"),
            ("PGV-012", "spec.volume.size"),
        ]
    );
}

#[test]
fn what_was_stored_does_not_block_another_change() {
    let stored = manifest("spec: {users: {Bad: []}, patroni: {ttl: 20}}");
    let mut new = stored.clone();
    new["spec"]["numberOfInstances"] = json!(3);
    assert_eq!(violations(&review(&new, Some(&stored), &config())), []);
    new["spec"]["users"]["Worse"] = json!([]);
    assert_eq!(
        violations(&review(&new, Some(&stored), &config())),
        [("PGV-022", "spec.users.Worse")]
    );
}

#[test]
fn transitions_are_never_forgiven() {
    let stored = manifest("spec: {postgresql: {version: '17'}, volume: {size: 10Gi}}");
    let new = manifest("spec: {postgresql: {version: '16'}, volume: {size: 9Gi}}");
    let review = review(&new, Some(&stored), &config());
    assert_eq!(
        violations(&review),
        [
            ("PGV-010", "spec.postgresql.version"),
            ("PGV-013", "spec.volume.size")
        ]
    );
}

#[test]
fn a_field_that_is_left_out_is_no_change() {
    let stored = manifest("spec: {teamId: acid, postgresql: {version: '15'}}");
    let new = manifest("spec: {teamId: null, postgresql: null, numberOfInstances: null}");
    assert_eq!(review(&new, Some(&stored), &config()), Review::default());
}

#[test]
fn a_version_of_the_past_may_stay() {
    let stored = manifest("spec: {postgresql: {version: '13'}}");
    let new = manifest("spec: {postgresql: {version: '13'}, numberOfInstances: 3}");
    assert_eq!(violations(&review(&new, Some(&stored), &config())), []);
    assert_eq!(
        violations(&review(&new, None, &config())),
        [("PGV-009", "spec.postgresql.version")]
    );
}

#[test]
fn an_object_on_its_way_out_is_let_through() {
    let dying =
        manifest("{metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: {numberOfInstances: -1}}");
    assert_eq!(review(&dying, None, &config()), Review::default());
}

#[test]
fn a1_names_and_teams() {
    let verdict = |name: &str, team: &str| {
        let mut object = manifest("{}");
        object["metadata"]["name"] = json!(name);
        object["spec"]["teamId"] = json!(team);
        let config = config_of(&[
            ("enable_team_id_clustername_prefix", "true"),
            ("enable_teams_api", "false"),
        ]);
        review(&object, None, &config).violations.is_empty()
    };
    for (name, team) in [
        ("acid-test", "acid"),
        ("test-my-name", "test"),
        ("my-team-another-test", "my-team"),
    ] {
        assert!(verdict(name, team), "{name} {team}");
    }
    let long = format!("fooobar-{}", "a".repeat(56));
    for (name, team) in [
        ("------strange-team-cluster", "-----"),
        (long.as_str(), "fooobar"),
        ("acid-test", "test"),
        ("-test", ""),
        ("-test", "-"),
        ("", "-"),
        ("-", "-"),
        ("foo-bar", "qwerty"),
    ] {
        assert!(!verdict(name, team), "{name} {team}");
    }
}

#[test]
fn a_new_switch_does_not_make_stored_names_wrong() {
    let strict = config_of(&[
        ("enable_team_id_clustername_prefix", "true"),
        ("enable_teams_api", "false"),
    ]);
    let stored = manifest("{metadata: {name: shop}}");
    let new = manifest("{metadata: {name: shop}, spec: {numberOfInstances: 3}}");
    assert_eq!(violations(&review(&new, Some(&stored), &strict)), []);
    assert_eq!(
        violations(&review(&new, None, &strict)),
        [("PGV-003", "metadata.name")]
    );
}

#[test]
fn warnings_fit_a_line_and_name_their_rule() {
    let long = "x".repeat(300);
    let new = manifest(&format!(
        "spec: {{{long}: 1, topologySpreadConstraint: [], init_containers: [{{name: a, image: b}}]}}"
    ));
    let warnings = review(&new, None, &config()).warnings;
    assert!(
        warnings
            .iter()
            .all(|warning| warning.chars().count() <= LINE_LIMIT)
    );
    assert!(warnings.contains(
        &"spec.topologySpreadConstraint: is not known and is ignored; did you mean topologySpreadConstraints? (PGV-052)".to_owned()
    ));
    assert!(warnings.iter().any(|warning| warning.ends_with("… (PGV-052)")));
    assert!(warnings.iter().any(|warning| warning.ends_with("(PGV-051)")));
}

#[test]
fn no_field_of_a_good_manifest_is_unknown() {
    let full = manifest(
        "spec: {env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}], users: {a.b: []},
          additionalVolumes: [{name: a, mountPath: /a, volumeSource: {csi: {anything: 1}}}],
          patroni: {slots: {s: {type: physical}}}, preparedDatabases: {d: {schemas: {s: {}}}}, podAnnotations: {x: y}}",
    );
    let warnings = review(&full, None, &config()).warnings;
    assert!(
        warnings.iter().all(|warning| !warning.contains("PGV-052")),
        "{warnings:?}"
    );
    let nested = review(&manifest("spec: {patroni: {tttl: 3}}"), None, &config()).warnings;
    assert_eq!(
        nested,
        ["spec.patroni.tttl: is not known and is ignored; did you mean ttl? (PGV-052)"]
    );
}

#[test]
fn a_secret_of_the_manifest_is_never_told() {
    for clone in [
        "{cluster: Bad_Name, s3_secret_access_key: hunter2}",
        "{cluster: a, timestamp: never, s3_secret_access_key: hunter2}",
        "{cluster: a, s3_secret_access_key: [hunter2]}",
        "hunter2",
    ] {
        let stored = manifest("{}");
        let review = review(
            &manifest(&format!("spec: {{clone: {clone}}}")),
            Some(&stored),
            &config(),
        );
        assert!(!review.violations.is_empty());
        assert!(!format!("{review:?}").contains("hunter2"), "{review:?}");
    }
}

#[test]
fn a_wrong_type_is_named_without_its_value() {
    let message = |overlay: &str| {
        review(&manifest(overlay), None, &config())
            .violations
            .remove(0)
            .to_string()
    };
    assert_eq!(
        message("spec: {clone: {cluster: a, s3_secret_access_key: 4711}}"),
        "spec.clone.s3_secret_access_key: is a whole number; expected a string (PGV-001)"
    );
    assert_eq!(
        message("spec: {numberOfInstances: two}"),
        "spec.numberOfInstances: is a string; expected a whole number (PGV-001)"
    );
    assert_eq!(
        message("spec: {users: [a]}"),
        "spec.users: is a list; expected an object (PGV-001)"
    );
}

#[test]
fn lock_outs_are_recognised() {
    let warnings = |lines: &[&str]| {
        let new = manifest(&format!("spec: {{patroni: {{pg_hba: {}}}}}", json!(lines)));
        review(&new, None, &config()).warnings.len()
    };
    assert_eq!(warnings(&[]), 0);
    let good = [
        "local all all trust",
        "host all postgres 10.0.0.0/8 md5",
        "hostssl replication standby all md5",
    ];
    assert_eq!(warnings(&good), 0);
    assert_eq!(warnings(&["# nothing", ""]), 3);
    assert_eq!(
        warnings(&[
            "local all all trust",
            "hostssl all all all reject",
            "hostssl all all all md5"
        ]),
        2
    );
    assert_eq!(
        warnings(&[
            "local all all trust",
            "hostssl all +admins all md5",
            "host replication \"standby\" all md5"
        ]),
        0
    );
}

#[test]
fn operator_configurations_are_read_by_the_same_parser() {
    let bad = json!({"configuration": {"workers": -1, "kubernetes": {"pdb_name_format": "no-variable"}}});
    let review = operator_configuration(&bad, None, Form::Crd, "pgherd");
    assert_eq!(
        violations(&review),
        [
            (
                operator_configuration::VALUE,
                "configuration.kubernetes.pdb_name_format"
            ),
            (operator_configuration::VALUE, "configuration.workers"),
        ]
    );
    assert!(!review.violations[0].message.starts_with("configuration."));
    let mut better = bad.clone();
    better["configuration"]["workers"] = json!(4);
    assert_eq!(
        operator_configuration(&better, Some(&bad), Form::Crd, "pgherd").violations,
        []
    );
}

#[test]
fn config_maps_are_read_too() {
    let review =
        |data: Value| operator_configuration(&json!({"data": data}), None, Form::ConfigMap, "pgherd");
    assert_eq!(review(json!({"workers": "4"})).violations, []);
    assert_eq!(
        violations(&review(json!({"workers": "many"}))),
        [(operator_configuration::VALUE, "workers")]
    );
    assert_eq!(
        violations(&review(json!({"workers": 4}))),
        [(operator_configuration::SHAPE, "data.workers")]
    );
    assert_eq!(
        violations(&review(json!([]))),
        [(operator_configuration::SHAPE, "data")]
    );
    assert_eq!(review(json!({"wrkers": "4"})).warnings.len(), 1);
}

#[test]
fn the_page_has_every_rule_and_example() {
    let page = reference::markdown();
    for rule in rules() {
        assert!(page.contains(&format!("\n## {}\n", rule.id)));
        assert!(page.contains(rule.rejects.manifest));
    }
}
