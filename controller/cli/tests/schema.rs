//! The CRD's schema and CEL rules against the webhook's rules: whatever the API server refuses by itself, a rule of the catalogue refuses
//! too, with better words, or it is a limit that only the schema has. And what of the catalogue holds when the webhook is away.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own examples has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use pgherd_model::config::{Form, OperatorConfig, source};
use pgherd_model::crd::{self, check::Schema};
use pgherd_model::validate::{self, Example, Rule, When, catalogue};
use pgherd_model::{default, finding::Violation};
use serde_json::{Value, json};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::of(&crd::postgresql()));

/// Limits that only the schema has, as Zalando's has them, by field (`*` is any step): no rule says them again. An empty text is as good as
/// none to the rules, where a pattern wants more.
const ONLY_SCHEMA: &[&str] = &[
    "spec.clone.timestamp",
    "spec.clone.uid",
    "spec.connectionPooler.resources.*.*",
    "spec.logicalBackupSchedule",
    "spec.resources.*.*",
    "spec.streams[*].cpu",
    "spec.streams[*].memory",
    "spec.volume.iops",
    "spec.volume.throughput",
];

/// Rules whose breaking example the API server refuses by itself: they hold when the webhook is away, and no setting softens them.
const HELD: &[&str] = &[
    "PGV-001", "PGV-002", "PGV-006", "PGV-008", "PGV-009", "PGV-012", "PGV-015", "PGV-019", "PGV-032",
    "PGV-036", "PGV-038", "PGV-039", "PGV-040", "PGV-049", "PGV-060", "PGV-063", "PGV-065", "PGV-067",
    "PGV-136",
];

/// The least manifest with an overlay in YAML, as the catalogue's examples are meant.
fn manifest(overlay: &str) -> Value {
    let mut object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-test", "namespace": "test"},
        "spec": {"teamId": "acid", "numberOfInstances": 2, "postgresql": {"version": "17"}, "volume": {"size": "1Gi"}},
    });
    json_patch::merge(&mut object, &serde_yaml::from_str(overlay).unwrap());
    object
}

fn config_of(example: &Example) -> OperatorConfig {
    let data: BTreeMap<String, String> = example
        .config
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    source::from_config_map(&data, "default").unwrap().0
}

/// Rules about manifests that are being stored.
fn rules() -> impl Iterator<Item = &'static Rule> {
    catalogue()
        .iter()
        .copied()
        .filter(|rule| rule.id.starts_with("PGV-") && rule.when != When::Deleted)
}

fn by_schema(new: &Value, old: Option<&Value>, config: &OperatorConfig) -> Vec<Violation> {
    let complete = |object, old| default::complete(object, old, config);
    SCHEMA.review(&complete(new, old), old.map(|old| complete(old, None)).as_deref())
}

fn of_example(example: &Example) -> Vec<Violation> {
    let stored = example.stored.map(manifest);
    by_schema(&manifest(example.manifest), stored.as_ref(), &config_of(example))
}

/// `spec.users.app[0]` fits `spec.users.*[*]`.
fn fits(path: &str, pattern: &str) -> bool {
    let steps = |text: &str| {
        text.replace('[', ".[")
            .split('.')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (path, pattern) = (steps(path), steps(pattern));
    let is_step = |(step, wanted): (&String, &String)| {
        step == wanted || wanted == "*" || (wanted == "[*]" && step.starts_with('['))
    };
    path.len() == pattern.len() && path.iter().zip(&pattern).all(is_step)
}

fn is_at_or_below(path: &str, place: &str) -> bool {
    let below = path.strip_prefix(place);
    place == "." || below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What the schema refuses and neither a rule nor the list speaks of. Types and missing fields are left to the schema: it is looked at
/// before any webhook is asked, and rules read more than it lets through.
fn unsaid(found: Vec<Violation>, new: &Value, old: Option<&Value>, config: &OperatorConfig) -> Vec<String> {
    let is_shape = |found: &Violation| found.message == "is missing" || found.message.contains("; expected ");
    if found.iter().all(is_shape) {
        return Vec::new();
    }
    let ours = validate::review(new, old, config).violations;
    // Nothing else can be said of an object that cannot be read.
    if ours.iter().any(|violation| violation.rule == "PGV-001") {
        return Vec::new();
    }
    let is_said = |found: &Violation| {
        ours.iter()
            .any(|ours| is_at_or_below(&ours.path, &found.path) || is_at_or_below(&found.path, &ours.path))
    };
    found
        .into_iter()
        .filter(|found| !is_shape(found) && !is_said(found))
        .filter(|found| !ONLY_SCHEMA.iter().any(|pattern| fits(&found.path, pattern)))
        .map(|found| found.to_string())
        .collect()
}

#[test]
fn accepting_examples_pass_the_schema() {
    for rule in rules() {
        assert_eq!(of_example(&rule.accepts), [], "{}", rule.id);
    }
}

#[test]
fn what_the_schema_refuses_of_the_examples_a_rule_refuses_too() {
    for rule in rules() {
        for example in [&rule.accepts, &rule.rejects] {
            let (new, stored) = (manifest(example.manifest), example.stored.map(manifest));
            let unsaid = unsaid(of_example(example), &new, stored.as_ref(), &config_of(example));
            assert!(
                unsaid.is_empty(),
                "{}: {:?}: {unsaid:#?}",
                rule.id,
                example.manifest
            );
        }
    }
}

#[test]
fn these_rules_hold_without_the_webhook() {
    let held: Vec<&str> = rules()
        .filter(|rule| !of_example(&rule.rejects).is_empty())
        .map(|rule| rule.id)
        .collect();
    assert_eq!(held, HELD);
}

/// Every manifest of the tests' data.
fn manifests() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/manifests");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let object = serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            found.push((name, object));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(found.len() > 25, "{} manifests", found.len());
    found
}

#[test]
fn what_zalandos_operator_was_seen_to_run_passes_the_schema() {
    let config = OperatorConfig::default_for(Form::Crd);
    for (name, object) in manifests() {
        // It has every field, also those that exclude each other.
        let is_recorded = name != "everything-else.yaml";
        assert!(
            !is_recorded || by_schema(&object, None, &config).is_empty(),
            "{name}"
        );
    }
}

/// Pointers to every value below `spec`.
fn pointers(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    found.insert(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let step = name.replace('~', "~0").replace('/', "~1");
            pointers(value, &format!("{at}/{step}"), found);
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| pointers(item, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

#[test]
fn what_the_schema_refuses_of_broken_manifests_a_rule_refuses_too() {
    let config = OperatorConfig::default_for(Form::Crd);
    let odd = [
        json!(null),
        json!(""),
        json!("1K"),
        json!("no such value"),
        json!(-1),
        json!(100_000),
        json!({}),
        json!([""]),
    ];
    let (mut tried, mut refused, mut unsaid_of) = (0, 0, BTreeMap::new());
    for (name, mut object) in manifests() {
        if object["spec"].get("standby").is_some() {
            object["spec"].as_object_mut().unwrap().shift_remove("clone");
        }
        let mut places = BTreeSet::new();
        pointers(&object["spec"], "/spec", &mut places);
        for place in places {
            for value in &odd {
                let mut broken = object.clone();
                *broken.pointer_mut(&place).unwrap() = value.clone();
                tried += 1;
                let found = by_schema(&broken, None, &config);
                refused += usize::from(!found.is_empty());
                for found in unsaid(found, &broken, None, &config) {
                    unsaid_of
                        .entry(found)
                        .or_insert_with(|| format!("{name}: {place} = {value}"));
                }
            }
        }
    }
    assert!(unsaid_of.is_empty(), "{unsaid_of:#?}");
    assert!(tried > 3000 && refused > 1000, "{refused} of {tried} refused");
}
