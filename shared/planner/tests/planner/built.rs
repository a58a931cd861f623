//! Our objects beside those that Zalando's operator created for the same manifests and configurations, field by field.
//!
//! Every difference is either a bug of ours or a row of [`ACCEPTED`] with its reason. A row that matches nothing fails too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pgherd_model::cluster::Cluster;
use pgherd_planner::build::{self, Desired};
use pgherd_planner::plan::{Object, SecretDraft};
use serde_json::{Map, Value};

use crate::accepted::{ACCEPTED, Accepted};
use crate::recorded::{Objects, config, data, documents, environment, key, manifest, role_sources};

/// Kinds in the recordings.
const KINDS: [&str; 7] = [
    "ServiceAccount",
    "RoleBinding",
    "Service",
    "Endpoints",
    "Secret",
    "PodDisruptionBudget",
    "StatefulSet",
];

/// Operator configurations: see the data's README.
const CONFIGURATIONS: [&str; 4] = ["A", "B", "C", "E"];

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

/// All comparisons together.
#[derive(Default)]
struct Comparison {
    /// Rows that matched something, with the configuration.
    used: BTreeSet<(usize, String)>,
    wrong: Vec<String>,
    objects: BTreeMap<&'static str, usize>,
    fields: usize,
}

impl Comparison {
    /// The objects of one manifest under one configuration.
    fn case(&mut self, under: &str, case: &str, theirs: &Objects, ours: &Objects) {
        for name in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let kind = KINDS.into_iter().find(|kind| name.starts_with(kind)).unwrap();
            let mut found = Vec::new();
            match (theirs.get(name), ours.get(name)) {
                (Some(theirs), Some(ours)) => {
                    *self.objects.entry(kind).or_default() += 1;
                    self.fields += leaves(theirs);
                    differences(theirs, ours, "", &mut found);
                }
                (Some(_), None) => found.push(("missing".to_owned(), String::new())),
                (None, _) => found.push(("added".to_owned(), String::new())),
            }
            for (path, what) in found {
                self.judge(under, case, name, &path, &what);
            }
        }
    }

    fn judge(&mut self, under: &str, case: &str, object: &str, path: &str, what: &str) {
        let row = ACCEPTED.iter().position(|row| {
            row.under.contains(under)
                && matches(row.case, case)
                && matches(row.object, object)
                && matches(row.path, path)
        });
        match row {
            Some(row) => _ = self.used.insert((row, under.to_owned())),
            None => self.wrong.push(format!("{under}/{case} {object} {path}: {what}")),
        }
    }

    /// Every row has to be seen under every configuration that it names.
    fn look_for_stale_rows(&mut self) {
        for (index, row) in ACCEPTED.iter().enumerate() {
            let letters = row.under.chars().map(|letter| letter.to_string());
            let stale = letters.filter(|under| !self.used.contains(&(index, under.clone())));
            let lines: Vec<String> = stale
                .map(|under| {
                    let Accepted {
                        case,
                        object,
                        path,
                        reason,
                        ..
                    } = row;
                    format!("stale row: {under}/{case} {object} {path} ({reason})")
                })
                .collect();
            self.wrong.extend(lines);
        }
    }
}

/// Values that are compared.
fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.values().map(leaves).sum(),
        Value::Array(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}

fn by_key(path: &Path) -> Objects {
    documents(path)
        .into_iter()
        .map(|object| (key(&object), object))
        .collect()
}

/// What a namespace's clusters share.
fn shared(desired: &Desired) -> Objects {
    [
        Object::ServiceAccount(desired.service_account.clone()),
        Object::RoleBinding(desired.role_binding.clone()),
    ]
    .map(|object| object.to_value())
    .into_iter()
    .map(|object| (key(&object), object))
    .collect()
}

#[test]
fn objects_are_those_of_zalandos_operator_but_for_what_is_accepted() {
    let mut comparison = Comparison::default();
    let mut manifests = 0;
    for under in CONFIGURATIONS {
        let config = config(under);
        for entry in std::fs::read_dir(data().join("golden").join(under)).unwrap() {
            let path = entry.unwrap().path();
            let case = path.file_stem().unwrap().to_str().unwrap();
            manifests += 1;
            match Cluster::parse(&manifest(case), &config) {
                Ok(cluster) => {
                    let cluster = cluster.with_roles_of(&role_sources(&config), &config);
                    let desired = build::build(&cluster, &config, &environment(under));
                    let theirs = by_key(&data().join(format!("golden/namespace/{under}.yaml")));
                    comparison.case(under, case, &theirs, &shared(&desired));
                    comparison.case(under, case, &by_key(&path), &ours(desired));
                }
                Err(violations) => {
                    comparison.judge(under, case, "manifest", "refused", &format!("{violations:?}"));
                }
            }
        }
    }
    comparison.look_for_stale_rows();
    println!(
        "{manifests} pairs of manifest and configuration, {} fields of {:?} compared, {} accepted differences",
        comparison.fields,
        comparison.objects,
        ACCEPTED.len()
    );
    let wrong = comparison.wrong;
    assert!(
        wrong.is_empty(),
        "{} differences\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
