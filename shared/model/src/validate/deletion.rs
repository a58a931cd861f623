//! What a user should know before a cluster is deleted. Lives here: its rules. Must not: the gate itself; the controller keeps it
//! (`plan::deletion`), and a webhook that refuses a delete would only leave an object behind that nobody can remove.

use serde_json::Value;

use super::{Check, Example, Excuses, Hit, Review, Rule, Severity::Warn, When::Deleted, policy::Policy};
use crate::{config::OperatorConfig, names::annotations::FINALIZER};

/// An object that is about to go.
pub(super) struct Farewell<'a> {
    object: &'a Value,
    config: &'a OperatorConfig,
}

/// What is to be known about the deletion of a `postgresql`. Warnings only.
pub fn deletion(object: &Value, config: &OperatorConfig) -> Review {
    Policy::of(config).settle(hits(object, config), true, &Excuses::default())
}

/// What the rules find, whatever it comes to.
pub(super) fn hits(object: &Value, config: &OperatorConfig) -> super::Found {
    let farewell = Farewell { object, config };
    let found = RULES.iter().flat_map(|rule| match rule.check {
        Check::Deletion(check) => check(&farewell).into_iter().map(|hit| (rule, hit)).collect(),
        _ => Vec::new(),
    });
    found.collect()
}

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "PGV-121",
        paths: &["metadata.annotations"],
        severity: Warn,
        when: Deleted,
        demand: "The annotations are there that the operator asks for before it deletes a cluster (`delete_annotation_date_key`, `delete_annotation_name_key`).",
        reason: "Without them the object goes and its pods and volumes stay, or, with a finalizer, all of it stays until they are set.",
        accepts: Example::of("metadata: {name: acid-test, annotations: {delete-name: acid-test}}").under(&[("delete_annotation_name_key", "delete-name")]),
        rejects: Example::of("metadata: {name: acid-test}").under(&[("delete_annotation_name_key", "delete-name")]),
        since: "0.1",
        fixed: true,
        check: Check::Deletion(gate_is_open),
    },
    Rule {
        id: "PGV-122",
        paths: &["spec.volume", "spec.users"],
        severity: Warn,
        when: Deleted,
        demand: "Deleting a cluster leaves nothing behind.",
        reason: "Volume claims stay with `enable_persistent_volume_claim_deletion: false`, secrets with `enable_secrets_deletion: false`. A cluster that is made again under the name finds them.",
        accepts: Example::of("{}"),
        rejects: Example::of("{}").under(&[("enable_persistent_volume_claim_deletion", "false")]),
        since: "0.1",
        fixed: true,
        check: Check::Deletion(nothing_stays),
    },
    Rule {
        id: "PGV-123",
        paths: &["metadata.finalizers"],
        severity: Warn,
        when: Deleted,
        demand: "Where the operator gives clusters a finalizer (`enable_finalizers`), one that is deleted has it, or its objects have owners (`enable_owner_references`).",
        reason: "Otherwise a delete that the operator does not see, since it is down, leaves the cluster running without its object.",
        accepts: Example::of("{}"),
        rejects: Example::of("{}").under(&[("enable_finalizers", "true")]),
        since: "0.1",
        fixed: true,
        check: Check::Deletion(delete_is_not_missed),
    },
    Rule {
        id: "PGV-124",
        paths: &["spec.volume"],
        severity: Warn,
        when: Deleted,
        demand: "Deleting a cluster leaves its data.",
        reason: "With `enable_persistent_volume_claim_deletion`, as by default, the volume claims go with it. Only a backup brings the data back.",
        accepts: Example::of("{}").under(&[("enable_persistent_volume_claim_deletion", "false")]),
        rejects: Example::of("{}"),
        since: "0.1",
        fixed: true,
        check: Check::Deletion(data_stays),
    },
];

/// The model knows no date: of that annotation only the form is looked at.
fn gate_is_open(farewell: &Farewell<'_>) -> Vec<Hit> {
    let kubernetes = &farewell.config.kubernetes;
    if kubernetes.enable_owner_references {
        return Vec::new();
    }
    let annotations = farewell.object.pointer("/metadata/annotations");
    let value = |key: &str| annotations?.get(key)?.as_str();
    let name = farewell.object.pointer("/metadata/name").and_then(Value::as_str);
    let key = |key: &Option<String>| key.clone().filter(|key| !key.is_empty());
    let at = |key: &str, message: String| Hit::new(format!("metadata.annotations[{key}]"), message);
    let mut hits = Vec::new();
    if let Some(key) = key(&kubernetes.delete_annotation_date_key) {
        let given = value(&key);
        if !given.is_some_and(is_date) {
            hits.push(at(
                &key,
                format!(
                    "{}: must be today, YYYY-MM-DD, or the cluster stays",
                    stated(given)
                ),
            ));
        }
    }
    if let Some(key) = key(&kubernetes.delete_annotation_name_key) {
        let given = value(&key);
        if given != name {
            hits.push(at(
                &key,
                format!(
                    "{}: must be the cluster's name, or the cluster stays",
                    stated(given)
                ),
            ));
        }
    }
    hits
}

fn stated(value: Option<&str>) -> String {
    value.map_or_else(|| "is missing".to_owned(), |value| format!("is {value:?}"))
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([4, 2, 2])
        && parts
            .iter()
            .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn nothing_stays(farewell: &Farewell<'_>) -> Vec<Hit> {
    let kubernetes = &farewell.config.kubernetes;
    let mut hits = Vec::new();
    if !kubernetes.enable_persistent_volume_claim_deletion {
        let message = "volume claims stay (enable_persistent_volume_claim_deletion is false)";
        hits.push(Hit::new("spec.volume", message));
    }
    if !kubernetes.enable_secrets_deletion {
        let message = "secrets of roles stay (enable_secrets_deletion is false)";
        hits.push(Hit::new("spec.users", message));
    }
    hits
}

/// Nothing goes where an annotation is missing that must be there.
fn data_stays(farewell: &Farewell<'_>) -> Vec<Hit> {
    let goes = farewell.config.kubernetes.enable_persistent_volume_claim_deletion;
    if !goes || !gate_is_open(farewell).is_empty() {
        return Vec::new();
    }
    let message = "all data is deleted with the volume claims (enable_persistent_volume_claim_deletion)";
    vec![Hit::new("spec.volume", message)]
}

/// Whoever has switched finalizers on counts on them.
fn delete_is_not_missed(farewell: &Farewell<'_>) -> Vec<Hit> {
    let kubernetes = &farewell.config.kubernetes;
    let finalizers = farewell
        .object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    let is_held = finalizers
        .into_iter()
        .flatten()
        .any(|finalizer| finalizer == FINALIZER);
    if is_held || !kubernetes.enable_finalizers || kubernetes.enable_owner_references {
        return Vec::new();
    }
    let message = "has none of ours: if the operator is down now, the cluster's pods and volumes stay";
    vec![Hit::new("metadata.finalizers", message)]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{config, config_of, manifest};
    use super::*;

    const GATE: [(&str, &str); 2] = [
        ("delete_annotation_date_key", "d"),
        ("delete_annotation_name_key", "n"),
    ];

    fn ids(object: &Value, config: &OperatorConfig) -> Vec<String> {
        let review = deletion(object, config);
        assert_eq!(review.violations, []);
        let id = |line: &String| line[line.len() - 8..line.len() - 1].to_owned();
        review.warnings.iter().map(id).collect()
    }

    #[test]
    fn the_gate_wants_both_annotations() {
        let held = format!("finalizers: [{FINALIZER}]");
        let with =
            |annotations: &str| manifest(&format!("metadata: {{{held}, annotations: {{{annotations}}}}}"));
        let gated = config_of(&GATE);
        assert_eq!(ids(&with(""), &gated), ["PGV-121", "PGV-121"]);
        assert_eq!(ids(&with("d: '2026-02-01'"), &gated), ["PGV-121"]);
        assert_eq!(ids(&with("d: tomorrow, n: acid-test"), &gated), ["PGV-121"]);
        assert_eq!(ids(&with("d: '2026-02-01', n: other"), &gated), ["PGV-121"]);
        assert_eq!(ids(&with("d: '2026-02-01', n: acid-test"), &gated), ["PGV-124"]);
        assert_eq!(ids(&with(""), &config()), ["PGV-124"]);
    }

    #[test]
    fn data_that_goes_is_told_of_in_one_line() {
        let review = deletion(&manifest("{}"), &config());
        let line = "spec.volume: all data is deleted with the volume claims (enable_persistent_volume_claim_deletion) (PGV-124)";
        assert_eq!(review.warnings, [line]);
        let kept = config_of(&[("enable_persistent_volume_claim_deletion", "false")]);
        assert_eq!(ids(&manifest("{}"), &kept), ["PGV-122"]);
    }

    #[test]
    fn owners_need_neither_gate_nor_finalizer() {
        let mut parameters = GATE.to_vec();
        parameters.push(("enable_owner_references", "true"));
        assert_eq!(ids(&manifest("{}"), &config_of(&parameters)), ["PGV-124"]);
        let held = config_of(&[("enable_finalizers", "true")]);
        assert_eq!(ids(&manifest("{}"), &held), ["PGV-123", "PGV-124"]);
        let finalized = manifest(&format!("metadata: {{finalizers: [{FINALIZER}]}}"));
        assert_eq!(ids(&finalized, &held), ["PGV-124"]);
    }

    #[test]
    fn nothing_makes_a_delete_impossible() {
        let hard = config_of(&[
            ("delete_annotation_name_key", "n"),
            ("enable_finalizers", "true"),
            ("enable_secrets_deletion", "false"),
            ("enable_persistent_volume_claim_deletion", "false"),
            ("validation_profile", "strict"),
            ("validation_severity", "PGV-121:deny,PGV-122:deny"),
        ]);
        for object in [manifest("{}"), Value::Null, Value::from(3)] {
            assert_eq!(ids(&object, &hard).len(), if object.is_object() { 4 } else { 3 });
        }
    }
}
