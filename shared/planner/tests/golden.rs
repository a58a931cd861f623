//! Our objects beside those that Zalando's operator created for the same manifests and configurations, field by field.
//!
//! Every difference is either a bug of ours or a row of [`ACCEPTED`] with its reason. A row that matches nothing fails too.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pgherd_model::api::postgresql::Postgresql;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::{OperatorConfig, source};
use pgherd_planner::build::{self, Desired};
use pgherd_planner::observed::{PodEnvironment, Source};
use pgherd_planner::plan::{Object, SecretDraft};
use serde_json::{Map, Value, json};

/// A difference that is meant. `*` at the end of a pattern stands for anything.
struct Accepted {
    /// `<configuration>/<case>`.
    case: &'static str,
    /// `<kind>/<namespace>/<name>`.
    object: &'static str,
    /// Where in the object.
    path: &'static str,
    reason: &'static str,
}

const ACCEPTED: &[Accepted] = &[
    Accepted {
        case: "A/bad-user",
        object: "manifest",
        path: "refused",
        reason: "no object at all for a manifest that can never work; theirs makes services and fails",
    },
    Accepted {
        case: "A/accounts",
        object: "Secret/default/nothing-given.accounts.*",
        path: "added",
        reason: "a user whose flags are null is a user; the CRD of 2.0.1 drops it silently",
    },
    Accepted {
        case: "A/boxes",
        object: "StatefulSet/default/boxes",
        path: "/spec/template/spec/containers/1/ports/1/protocol",
        reason: "the CRD's schema fills in TCP when the manifest is stored",
    },
    Accepted {
        case: "A/boxes",
        object: "StatefulSet/default/boxes",
        path: "/spec/template/spec/initContainers/0/resources",
        reason: "empty: how Go writes a struct",
    },
    Accepted {
        case: "A/streamed",
        object: "Secret/default/fes-user.*",
        path: "missing",
        reason: "event streams are not built yet",
    },
    Accepted {
        case: "B/bad-user",
        object: "manifest",
        path: "refused",
        reason: "no object at all for a manifest that can never work; theirs makes services and fails",
    },
    Accepted {
        case: "B/accounts",
        object: "Secret/default/nothing-given.accounts.*",
        path: "added",
        reason: "a user whose flags are null is a user; the CRD of 2.0.1 drops it silently",
    },
    Accepted {
        case: "B/boxes",
        object: "StatefulSet/default/boxes",
        path: "/spec/template/spec/containers/1/ports/1/protocol",
        reason: "the CRD's schema fills in TCP when the manifest is stored",
    },
    Accepted {
        case: "B/boxes",
        object: "StatefulSet/default/boxes",
        path: "/spec/template/spec/initContainers/0/resources",
        reason: "empty: how Go writes a struct",
    },
    Accepted {
        case: "B/streamed",
        object: "Secret/default/fes-user.*",
        path: "missing",
        reason: "event streams are not built yet",
    },
    Accepted {
        case: "C/bad-user",
        object: "manifest",
        path: "refused",
        reason: "no object at all for a manifest that can never work; theirs makes services and fails",
    },
    Accepted {
        case: "C/accounts",
        object: "Secret/default/nothing-given.accounts.*",
        path: "added",
        reason: "a user whose flags are null is a user; the CRD of 2.0.1 drops it silently",
    },
    Accepted {
        case: "C/boxes",
        object: "StatefulSet/default/boxes",
        path: "/spec/template/spec/containers/1/ports/1/protocol",
        reason: "the CRD's schema fills in TCP when the manifest is stored",
    },
    Accepted {
        case: "C/boxes",
        object: "StatefulSet/default/boxes",
        path: "/spec/template/spec/initContainers/0/resources",
        reason: "empty: how Go writes a struct",
    },
    Accepted {
        case: "C/streamed",
        object: "Secret/default/fes-user.*",
        path: "missing",
        reason: "event streams are not built yet",
    },
    Accepted {
        case: "A/*",
        object: "Secret/default/pooler.*",
        path: "missing",
        reason: "poolers are not built yet",
    },
    Accepted {
        case: "C/*",
        object: "Secret/default/pooler.*",
        path: "missing",
        reason: "poolers are not built yet",
    },
    Accepted {
        case: "B/*",
        object: "Secret/default/gatekeeper-user.*",
        path: "missing",
        reason: "poolers are not built yet",
    },
    Accepted {
        case: "A/pooled",
        object: "Secret/default/gate.*",
        path: "missing",
        reason: "poolers are not built yet",
    },
    Accepted {
        case: "B/pooled",
        object: "Secret/default/gate.*",
        path: "missing",
        reason: "poolers are not built yet",
    },
    Accepted {
        case: "C/pooled",
        object: "Secret/default/gate.*",
        path: "missing",
        reason: "poolers are not built yet",
    },
    Accepted {
        case: "B/*",
        object: "Secret/default/extra-role.*",
        path: "missing",
        reason: "infrastructure roles are not built yet",
    },
    Accepted {
        case: "B/*",
        object: "Secret/default/legacy-one.*",
        path: "missing",
        reason: "infrastructure roles are not built yet",
    },
    Accepted {
        case: "B/*",
        object: "Secret/default/legacy-two.*",
        path: "missing",
        reason: "infrastructure roles are not built yet",
    },
    Accepted {
        case: "B/*",
        object: "Secret/default/monitor.*",
        path: "missing",
        reason: "infrastructure roles are not built yet",
    },
];

/// Kinds in the recordings.
const KINDS: [&str; 5] = [
    "Service",
    "Endpoints",
    "Secret",
    "PodDisruptionBudget",
    "StatefulSet",
];

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data")
}

fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml::Deserializer::from_str(&text)
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect()
}

fn config(name: &str) -> OperatorConfig {
    let file = if name == "C" { "C-stored" } else { name };
    let object = documents(&data().join(format!("config/{file}.yaml"))).remove(0);
    let read = if name == "C" {
        source::from_object(&object, "default")
    } else {
        let values: BTreeMap<String, String> = serde_json::from_value(object["data"].clone()).unwrap();
        source::from_config_map(&values, "default")
    };
    read.unwrap().0
}

/// What the operator found in the ConfigMap and the Secret that configuration B names.
fn environment(config: &str) -> Source<PodEnvironment> {
    if config != "B" {
        return Source::Known(PodEnvironment::default());
    }
    let entries = [
        ("FROM_OPERATOR_CM", "cm-value"),
        ("APP_MODE", "from-operator-cm"),
        ("ZZZ", "last"),
        ("AAA", "first"),
        ("LOG_S3_BUCKET", "log-bucket-from-cm"),
    ];
    Source::Known(PodEnvironment {
        secret_keys: ["FROM_OPERATOR_SECRET", "AAA", "PGPASSWORD"]
            .map(str::to_owned)
            .into(),
        config_map: entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    })
}

fn manifest(case: &str) -> Postgresql {
    let mut object = documents(&data().join(format!("golden/manifests/{case}.yaml"))).remove(0);
    object["metadata"]["uid"] = json!("<uid>");
    object["metadata"]["namespace"] = json!("default");
    pgherd_model::api::decode(&object).unwrap()
}

/// `<kind>/<namespace>/<name>` to object, as sent.
type Objects = BTreeMap<String, Value>;

fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    [&object["kind"], &metadata["namespace"], &metadata["name"]]
        .map(|value| value.as_str().unwrap_or_default())
        .join("/")
}

fn ours(desired: Desired) -> Objects {
    let mut objects: Vec<Value> = desired.secrets.iter().map(secret).collect();
    objects.extend(
        desired
            .services
            .into_iter()
            .map(|object| Object::Service(object).to_value()),
    );
    objects.extend(
        desired
            .endpoints
            .map(|object| Object::Endpoints(object).to_value()),
    );
    let budgets = desired.disruption_budgets.into_iter();
    objects.extend(budgets.map(|object| Object::PodDisruptionBudget(object).to_value()));
    let stateful_set = desired.stateful_set.known().unwrap().clone();
    let mut stateful_set = Object::StatefulSet(Box::new(stateful_set)).to_value();
    for claim in stateful_set["spec"]["volumeClaimTemplates"]
        .as_array_mut()
        .unwrap()
    {
        // The API server adds both to what Zalando's operator sends.
        claim
            .as_object_mut()
            .unwrap()
            .retain(|name, _| name != "apiVersion" && name != "kind");
    }
    objects.push(stateful_set);
    objects.into_iter().map(|object| (key(&object), object)).collect()
}

/// As an executor sends it, without the password.
fn secret(draft: &SecretDraft) -> Value {
    let mut metadata = json!({ "name": draft.name, "namespace": draft.namespace, "labels": draft.labels });
    if !draft.annotations.is_empty() {
        metadata["annotations"] = json!(draft.annotations);
    }
    if !draft.owner_references.is_empty() {
        metadata["ownerReferences"] = json!(draft.owner_references);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "stringData": { "username": draft.username },
        "type": "Opaque",
    })
}

/// Paths at which the two differ, with both values.
fn differences(theirs: &Value, ours: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match (theirs, ours) {
        (Value::Object(left), Value::Object(right)) => {
            let part = |object: &Map<String, Value>, key: &str| object.get(key).cloned().unwrap_or_default();
            for key in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
                differences(
                    &part(left, key),
                    &part(right, key),
                    &format!("{path}/{key}"),
                    found,
                );
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            let part = |list: &[Value], index: usize| list.get(index).cloned().unwrap_or_default();
            for index in 0..left.len().max(right.len()) {
                differences(
                    &part(left, index),
                    &part(right, index),
                    &format!("{path}/{index}"),
                    found,
                );
            }
        }
        _ if theirs == ours => {}
        _ => found.push((path.to_owned(), format!("theirs {theirs}, ours {ours}"))),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    }
}

/// One comparison in progress.
#[derive(Default)]
struct Comparison {
    used: BTreeSet<usize>,
    wrong: Vec<String>,
    compared: BTreeMap<&'static str, usize>,
}

impl Comparison {
    fn case(&mut self, case: &str, theirs: &Objects, ours: &Objects) {
        for name in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let kind = KINDS.into_iter().find(|kind| name.starts_with(kind)).unwrap();
            let mut found = Vec::new();
            match (theirs.get(name), ours.get(name)) {
                (Some(theirs), Some(ours)) => {
                    *self.compared.entry(kind).or_default() += 1;
                    differences(theirs, ours, "", &mut found);
                }
                (Some(_), None) => found.push(("missing".to_owned(), String::new())),
                (None, _) => found.push(("added".to_owned(), String::new())),
            }
            for (path, what) in found {
                self.judge(case, name, &path, &what);
            }
        }
    }

    fn judge(&mut self, case: &str, object: &str, path: &str, what: &str) {
        let row = ACCEPTED.iter().position(|row| {
            matches(row.case, case) && matches(row.object, object) && matches(row.path, path)
        });
        match row {
            Some(row) => _ = self.used.insert(row),
            None => self.wrong.push(format!("{case} {object} {path}: {what}")),
        }
    }
}

fn compare(config_name: &str) {
    let config = config(config_name);
    let mut comparison = Comparison::default();
    for entry in std::fs::read_dir(data().join("golden").join(config_name)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let case = format!("{config_name}/{name}");
        let theirs: Objects = documents(&path)
            .into_iter()
            .map(|object| (key(&object), object))
            .collect();
        match Cluster::parse(&manifest(name), &config) {
            Ok(cluster) => {
                let desired = build::build(&cluster, &config, &environment(config_name));
                comparison.case(&case, &theirs, &ours(desired));
            }
            Err(violations) => comparison.judge(&case, "manifest", "refused", &format!("{violations:?}")),
        }
    }
    for (index, row) in ACCEPTED.iter().enumerate() {
        if row.case.starts_with(config_name) && !comparison.used.contains(&index) {
            let Accepted {
                case,
                object,
                path,
                reason,
            } = row;
            comparison
                .wrong
                .push(format!("unused row: {case} {object} {path} ({reason})"));
        }
    }
    println!("{config_name}: compared {:?}", comparison.compared);
    let wrong = comparison.wrong;
    assert!(
        wrong.is_empty(),
        "{} differences\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn objects_under_the_defaults() {
    compare("A");
}

#[test]
fn objects_in_endpoints_mode_with_nearly_every_parameter() {
    compare("B");
}

#[test]
fn objects_under_the_defaults_of_the_schema() {
    compare("C");
}
