//! Our objects beside those that Zalando's operator created for the same manifests and configurations, field by field.
//!
//! Every difference is either a bug of ours or a row of [`ACCEPTED`] with its reason. A row that matches nothing fails too.

use std::collections::{BTreeMap, BTreeSet};

use pgherd_model::cluster::Cluster;
use pgherd_planner::build::{self, Desired};
use pgherd_planner::plan::{Object, SecretDraft};
use serde_json::{Map, Value};

use crate::accepted::{ACCEPTED, Accepted};
use crate::recorded::{Objects, config, data, documents, environment, key, manifest};

/// Kinds in the recordings.
const KINDS: [&str; 5] = [
    "Service",
    "Endpoints",
    "Secret",
    "PodDisruptionBudget",
    "StatefulSet",
];

fn ours(desired: Desired) -> Objects {
    let mut objects: Vec<Value> = desired.secrets.iter().map(SecretDraft::to_value).collect();
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
