//! The corpus: what becomes of each manifest, exactly; that together they hold every field; and that each field, broken by itself, is refused
//! at its own path.

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, path::Path};

use pgherd_model::{
    config::{OperatorConfig, source},
    crd::{self, check::Schema},
    default, validate,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    #[serde(default)]
    metadata: Map<String, Value>,
    spec: Map<String, Value>,
    #[serde(default)]
    stored: Option<Value>,
    #[serde(default)]
    config: BTreeMap<String, String>,
    #[serde(default)]
    refused: Vec<Refusal>,
    #[serde(default)]
    warned: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    rule: String,
    path: String,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpus");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).expect("the corpus is there") {
        let path = entry.expect("an entry can be read").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a manifest is text");
        for document in serde_yaml::Deserializer::from_str(&text) {
            let case = Case::deserialize(document);
            cases.push(
                case.map_err(|err| format!("{}: {err}", path.display()))
                    .expect("a case"),
            );
        }
    }
    cases
}

impl Case {
    fn config(&self) -> OperatorConfig {
        let mut data = self.config.clone();
        data.entry("enable_teams_api".to_owned())
            .or_insert("false".to_owned());
        source::from_config_map(&data, "operator")
            .expect("the configuration is good")
            .0
    }

    fn object(&self) -> Value {
        least(&json!({"metadata": self.metadata, "spec": self.spec}))
    }

    fn old(&self) -> Option<Value> {
        self.stored.as_ref().map(least)
    }
}

/// The least manifest with an overlay.
fn least(overlay: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-case", "namespace": "test"},
        "spec": {"teamId": "acid", "numberOfInstances": 2, "postgresql": {"version": "17"}, "volume": {"size": "1Gi"}},
    });
    json_patch::merge(&mut object, overlay);
    object
}

/// What the schema and the rules refuse.
fn refusals(schema: &Schema, new: &Value, old: Option<&Value>, config: &OperatorConfig) -> Vec<Refusal> {
    let complete = default::complete(new, old, config);
    let mut found = schema.review(&complete, old);
    found.extend(validate::review(new, old, config).violations);
    let mut found: Vec<Refusal> = found
        .into_iter()
        .map(|violation| Refusal {
            rule: violation.rule.to_owned(),
            path: violation.path,
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The rules that warn, from the end of each warning.
fn warnings(lines: &[String]) -> BTreeSet<String> {
    let id = |line: &String| Some(line.rsplit_once('(')?.1.trim_end_matches(')').to_owned());
    lines.iter().filter_map(id).collect()
}

fn schema() -> Schema {
    Schema::of(&crd::postgresql())
}

#[test]
fn every_manifest_fares_as_it_says() {
    let schema = schema();
    let mut wrong = Vec::new();
    for case in cases() {
        let (config, object, old) = (case.config(), case.object(), case.old());
        let found = refusals(&schema, &object, old.as_ref(), &config);
        let mut wanted = case.refused.clone();
        wanted.sort();
        if found != wanted {
            wrong.push(format!("{}: wanted {wanted:?}, found {found:?}", case.case));
        }
        let warned = warnings(&validate::review(&object, old.as_ref(), &config).warnings);
        if warned != case.warned {
            wrong.push(format!(
                "{}: wanted warnings {:?}, found {warned:?}",
                case.case, case.warned
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_enough_manifests_each_with_a_name_of_its_own() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.case.as_str()).collect();
    assert_eq!(names.len(), cases.len());
    let accepted = cases.iter().filter(|case| case.refused.is_empty()).count();
    assert!(
        accepted >= 60 && cases.len() - accepted >= 50,
        "{accepted} of {}",
        cases.len()
    );
}

/// The fields of the schema: names joined by dots, `[]` for items and `{}` for values of maps. Kubernetes' own types below `depth` of them
/// are Kubernetes' affair.
fn fields(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    if EMBEDDED.iter().any(|embedded| path.ends_with(embedded)) {
        found.insert(path.to_owned());
        return;
    }
    let named = schema["properties"]
        .as_object()
        .filter(|fields| !fields.is_empty());
    if let Some(named) = named {
        for (name, field) in named {
            fields(field, &format!("{path}.{name}"), found);
        }
    } else if schema["items"].is_object() {
        fields(&schema["items"], &format!("{path}[]"), found);
    } else if schema["additionalProperties"].is_object() {
        fields(&schema["additionalProperties"], &format!("{path}{{}}"), found);
    } else {
        found.insert(path.to_owned());
    }
}

/// Types of Kubernetes that the API takes over whole.
const EMBEDDED: &[&str] = &[
    ".sidecars[]",
    ".initContainers[]",
    ".init_containers[]",
    ".livenessProbe",
    ".env[].valueFrom",
    ".volumeSource",
];

/// The fields that a value holds, in the same words.
fn held(schema: &Value, value: &Value, path: &str, found: &mut BTreeSet<String>) {
    found.insert(path.to_owned());
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let (field, path) = match schema["properties"].get(name) {
                    Some(field) => (field, format!("{path}.{name}")),
                    None => (&schema["additionalProperties"], format!("{path}{{}}")),
                };
                held(field, value, &path, found);
            }
        }
        Value::Array(items) => {
            for value in items {
                held(&schema["items"], value, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}

fn spec_schema() -> Value {
    let crd = serde_json::to_value(crd::postgresql()).expect("a CRD is JSON");
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

#[test]
fn accepted_manifests_hold_every_field() {
    let schema = spec_schema();
    let (mut wanted, mut found) = (BTreeSet::new(), BTreeSet::new());
    fields(&schema, "", &mut wanted);
    for case in cases().iter().filter(|case| case.refused.is_empty()) {
        held(&schema, &case.object()["spec"], "", &mut found);
    }
    let missing: Vec<_> = wanted.difference(&found).collect();
    assert!(missing.is_empty(), "no accepted manifest has {missing:?}");
}

/// One way to break a field: the value that takes its place.
fn broken(value: &Value) -> Value {
    match value {
        Value::String(_) => json!({"not": "a text"}),
        _ => json!("a text"),
    }
}

/// Every place in a value, as a JSON pointer with the path in the words of messages.
fn places(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let step = name.replace('~', "~0").replace('/', "~1");
                let (pointer, path) = (format!("{pointer}/{step}"), format!("{path}.{name}"));
                found.push((pointer.clone(), path.clone()));
                places(value, &pointer, &path, found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let (pointer, path) = (format!("{pointer}/{index}"), format!("{path}[{index}]"));
                found.push((pointer.clone(), path.clone()));
                places(value, &pointer, &path, found);
            }
        }
        _ => {}
    }
}

/// Fields that take anything, by the last names of their path.
fn takes_anything(path: &str) -> bool {
    path.contains(".volumeSource.")
        || path.ends_with(".httpGet.port")
        || path.ends_with(".tcpSocket.port")
        || path.ends_with(".divisor")
}

#[test]
fn a_broken_field_is_refused_at_its_path() {
    let schema = schema();
    let (mut tried, mut wrong) = (0, Vec::new());
    for case in cases()
        .iter()
        .filter(|case| case.refused.is_empty() && case.stored.is_none())
    {
        let (config, object) = (case.config(), case.object());
        let mut found = Vec::new();
        places(&object["spec"], "/spec", "spec", &mut found);
        for (pointer, path) in found {
            if takes_anything(&path) {
                continue;
            }
            let mut mutant = object.clone();
            let place = mutant.pointer_mut(&pointer).expect("the place was found in it");
            *place = broken(place);
            tried += 1;
            let refused = refusals(&schema, &mutant, None, &config);
            if !refused.iter().any(|refusal| refusal.path == path) {
                wrong.push(format!("{}: {path} broken, refused {refused:?}", case.case));
            }
        }
    }
    assert!(tried >= 300, "only {tried} cases");
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
