//! Why something is done, in one or two words each: what of the pods differs, which settings. Lives here: reading the plan's reasons. Must not:
//! values, which may be secret.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Container, EnvVar};
use pgherd_model::cluster::Cluster;
use pgherd_model::names::env::{PGVERSION, SPILO_CONFIGURATION};
use pgherd_model::postgres_parameters::{HOT_STANDBY, patroni_default, restarts};
use serde_json::Value;

use super::Change;
use crate::build::spilo;
use crate::plan::{Action, Impact, Step, dynamic};

const TEMPLATE: &str = "/spec/template/";
/// Part of Patroni's configuration whose fields are parameters of Postgres.
const PARAMETERS: &str = "parameters";
const SLOTS: &str = "slots";
const STANDBY: &str = "standby_cluster";

/// Postgres restarts in place for this step.
pub(super) fn is_restart(step: &Step) -> bool {
    matches!(step.action, Action::PatchPatroni(_)) && step.impact > Impact::Reload
}

/// What of the pods is changed.
pub(super) fn of_roll(change: &Change) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for path in change
        .plan
        .steps
        .iter()
        .filter_map(Step::stateful_set_paths)
        .flatten()
    {
        let found = match path.strip_prefix(TEMPLATE).map(word) {
            Some(Word::Is(word)) => vec![word],
            Some(Word::Variables) => variables(change),
            Some(Word::None) | None => Vec::new(),
        };
        for word in found {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    words
}

/// What a path below the template means.
enum Word {
    Is(String),
    /// Variables of the database container, which have names.
    Variables,
    /// Nothing that a pod is made anew for.
    None,
}

fn word(path: &str) -> Word {
    let steps: Vec<&str> = path.split('/').collect();
    let name = match steps.as_slice() {
        ["metadata", "annotations" | "labels", ..] => return Word::None,
        ["spec", "containers", "0", "env", ..] => return Word::Variables,
        ["spec", "containers", "0", "volumeMounts", ..] => "volumes",
        ["spec", "containers", "0", field, ..] | ["metadata", field, ..] => field,
        ["spec", "containers", ..] => "sidecars",
        ["spec", "initContainers", ..] => "init containers",
        ["spec", field, ..] => field,
        _ => path,
    };
    Word::Is(spelled(name))
}

/// `priorityClassName` as `priority class name`.
fn spelled(field: &str) -> String {
    let letter = |letter: char| {
        let space = letter.is_ascii_uppercase().then_some(' ');
        space.into_iter().chain(letter.to_lowercase())
    };
    field.chars().flat_map(letter).collect()
}

/// The variables that differ, by name; the settings of the image by what they say.
fn variables(change: &Change) -> Vec<String> {
    let (before, after) = (environment(&change.before), environment(&change.after));
    let differs = |name: &str| match (before.get(name), after.get(name)) {
        (Some(one), Some(other)) => one != other && !same_for_pods(name, one, other),
        (one, other) => one.is_some() || other.is_some(),
    };
    let mut names: Vec<&str> = before
        .keys()
        .chain(after.keys())
        .copied()
        .filter(|name| differs(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    let clusters = (&change.before.cluster, &change.after.cluster);
    names
        .into_iter()
        .flat_map(|name| match name {
            SPILO_CONFIGURATION => settings(clusters),
            PGVERSION => vec!["version".to_owned()],
            other => vec![other.to_owned()],
        })
        .collect()
}

fn environment(state: &super::State) -> BTreeMap<&str, &EnvVar> {
    let container = state.desired.stateful_set.known().and_then(database_container);
    let variables = container
        .and_then(|container| container.env.as_ref())
        .into_iter()
        .flatten();
    variables
        .map(|variable| (variable.name.as_str(), variable))
        .collect()
}

fn database_container(stateful_set: &StatefulSet) -> Option<&Container> {
    let pod = stateful_set.spec.as_ref()?.template.spec.as_ref()?;
    pod.containers.first()
}

fn same_for_pods(name: &str, one: &EnvVar, other: &EnvVar) -> bool {
    let texts = (one.value.as_deref(), other.value.as_deref());
    name == SPILO_CONFIGURATION
        && matches!(texts, (Some(one), Some(other)) if spilo::same_for_pods(one, other))
}

/// What differs in the settings that each member has of its own.
fn settings((before, after): (&Cluster, &Cluster)) -> Vec<String> {
    let mut words = Vec::new();
    if before.version != after.version {
        words.push("version".to_owned());
    }
    let (old, new) = (&before.postgres, &after.postgres);
    words.extend(changed(&old.local_parameters, &new.local_parameters));
    if old.pg_hba != new.pg_hba {
        words.push("pg_hba".to_owned());
    }
    if old.initdb != new.initdb {
        words.push("initdb".to_owned());
    }
    if words.is_empty() {
        words.push(SPILO_CONFIGURATION.to_owned());
    }
    words
}

/// Keys whose values are not the same in both.
fn changed(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<String> = one
        .keys()
        .chain(other.keys())
        .filter(|name| one.get(*name) != other.get(*name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Settings that go through Patroni, by what they take.
#[derive(Default)]
pub(super) struct Settings {
    /// Parameters that take effect when Postgres starts again.
    pub(super) restarting: Vec<String>,
    /// All others.
    pub(super) reloading: Vec<String>,
}

/// The settings that are changed in Patroni's configuration.
pub(super) fn of_patroni(change: &Change) -> Settings {
    let mut settings = Settings::default();
    for step in &change.plan.steps {
        let Action::PatchPatroni(Value::Object(patch)) = &step.action else {
            continue;
        };
        let version = change.after.cluster.version;
        // A promotion is told by itself.
        let told = patch
            .iter()
            .filter(|(name, value)| *name != STANDBY || !value.is_null());
        for name in told.flat_map(|(name, value)| names(name, value)) {
            if is_restart(step) && restarts(&name, version) {
                settings.restarting.push(name);
            } else {
                settings.reloading.push(name);
            }
        }
    }
    settings
}

/// Settings that the old manifest names and the new one does not, as they are changed in Patroni's configuration.
pub(super) fn taken_back(change: &Change) -> Vec<String> {
    let names = |state: &super::State| {
        let places = dynamic::claimed(&state.cluster).into_iter();
        places
            .filter_map(|place| {
                let (part, name) = place
                    .trim_start_matches('/')
                    .rsplit_once('/')
                    .unwrap_or(("", &place[1..]));
                match part {
                    STANDBY => None,
                    SLOTS => Some(format!("slot {name}")),
                    _ => Some(name.to_owned()),
                }
            })
            .filter(|name| name != STANDBY)
            .collect::<Vec<String>>()
    };
    let (before, after) = (names(&change.before), names(&change.after));
    let settings = of_patroni(change);
    let mut changed = settings.restarting;
    changed.extend(settings.reloading);
    changed.retain(|name| before.contains(name) && !after.contains(name));
    changed
}

/// What a part of Patroni's configuration sets.
fn names(name: &str, value: &Value) -> Vec<String> {
    let Value::Object(part) = value else {
        return vec![name.to_owned()];
    };
    let mut names = Vec::new();
    for (field, value) in part {
        match value {
            Value::Object(parameters) if field == PARAMETERS => names.extend(parameters.keys().cloned()),
            _ if name == SLOTS => names.push(format!("slot {field}")),
            _ => names.push(field.clone()),
        }
    }
    names
}

/// All of these parameters shrink, and a replica must not have less of them than its primary.
pub(super) fn is_primary_first(change: &Change, parameters: &[String]) -> bool {
    let number = |cluster: &Cluster, name: &str| -> Option<i64> {
        let value = cluster.postgres.dynamic_parameters.get(name);
        let value = value.map(String::as_str).or_else(|| patroni_default(name));
        value?.trim().parse().ok()
    };
    let shrinks = |name: &String| {
        let (before, after) = (
            number(&change.before.cluster, name),
            number(&change.after.cluster, name),
        );
        HOT_STANDBY.contains(&name.as_str()) && after < before
    };
    parameters.iter().all(shrinks)
}
