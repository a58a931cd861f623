//! Keys that a manifest gives in clear end up in the variables of a pod template, because the image takes them nowhere else. Lives here:
//! leaving them out when an object is printed or serialised for people. What is sent is made by `plan::Object::to_value` alone.

use std::collections::BTreeMap;
use std::fmt;

use json_patch::Patch;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};
use pgherd_model::names::env::SPILO_CONFIGURATION;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::observed::source::Source;

/// Stands for a value that is not shown.
pub(crate) const HIDDEN: &str = "(hidden)";
/// A variable with one of these in its name may hold a credential. The image's configuration holds parameters of Postgres, some of which
/// are commands and connection strings.
const SUSPICIOUS: [&str; 7] = [
    "PASSWORD",
    "PASSWD",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "KEY",
    SPILO_CONFIGURATION,
];

/// In the names of settings: what they hold may have a password in it.
const TELLING: [&str; 2] = ["COMMAND", "CONNINFO"];
/// Where a patch of a StatefulSet meets variables, commands and arguments.
const CONTAINERS: [&str; 2] = ["/containers", "/initContainers"];

/// The same with the values of suspicious variables hidden.
pub fn stateful_set(object: &StatefulSet) -> StatefulSet {
    let mut shown = object.clone();
    if let Some(spec) = shown.spec.as_mut() {
        hide_in(&mut spec.template);
    }
    shown
}

fn hide_in(template: &mut PodTemplateSpec) {
    if let Some(pod) = template.spec.as_mut() {
        pod.containers.iter_mut().for_each(hide);
        pod.init_containers.iter_mut().flatten().for_each(hide);
    }
}

fn hide(container: &mut Container) {
    for variable in container.env.iter_mut().flatten() {
        let name = variable.name.to_ascii_uppercase();
        if SUSPICIOUS.iter().any(|part| name.contains(part)) {
            variable.value = variable.value.as_ref().map(|_| HIDDEN.to_owned());
        }
    }
}

/// Serialises with [`stateful_set`] in between.
pub(crate) fn source<S: Serializer>(value: &Source<StatefulSet>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Source::Known(object) => Source::Known(stateful_set(object)),
        Source::Unknown(reason) => Source::Unknown(reason.clone()),
    }
    .serialize(serializer)
}

/// As [`source`], for an object that may be absent.
pub(crate) fn optional_source<S: Serializer>(
    value: &Source<Option<StatefulSet>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Source::Known(object) => Source::Known(object.as_ref().map(stateful_set)),
        Source::Unknown(reason) => Source::Unknown(reason.clone()),
    }
    .serialize(serializer)
}

/// As [`source`], for templates alone.
pub(crate) fn templates<S: Serializer>(
    value: &BTreeMap<String, Source<Option<PodTemplateSpec>>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut shown = value.clone();
    for template in shown.values_mut() {
        if let Source::Known(Some(template)) = template {
            hide_in(template);
        }
    }
    shown.serialize(serializer)
}

/// As [`source`], for the object of a step.
pub(crate) fn boxed<S: Serializer>(value: &StatefulSet, serializer: S) -> Result<S::Ok, S::Error> {
    stateful_set(value).serialize(serializer)
}

/// Settings with their names only: any value may hold a credential. What is taken away stays seen as that.
pub(crate) fn values<S: Serializer>(settings: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    names(settings).serialize(serializer)
}

/// The operations of a patch. What stands in containers, and what is not a single word, may hold a credential.
pub(crate) fn operations<S: Serializer>(changes: &Patch, serializer: S) -> Result<S::Ok, S::Error> {
    let mut shown = serde_json::to_value(changes).unwrap_or_default();
    for operation in shown.as_array_mut().into_iter().flatten() {
        let path = operation["path"].as_str().unwrap_or_default();
        let is_open = path.ends_with("/image") || !CONTAINERS.iter().any(|part| path.contains(part));
        if let Some(value) = operation.get_mut("value").filter(|value| {
            let is_word = !value.is_object() && !value.is_array();
            !(is_open && is_word)
        }) {
            *value = Value::from(HIDDEN);
        }
    }
    shown.serialize(serializer)
}

/// Patroni's configuration. Commands and connection strings may hold a credential; what is planned needs the rest.
pub(crate) fn configuration<S: Serializer>(config: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    open(config).serialize(serializer)
}

fn open(config: &Value) -> Value {
    match config {
        Value::Object(fields) => {
            let shown = |(name, value): (&String, &Value)| {
                let upper = name.to_ascii_uppercase();
                let hides = SUSPICIOUS.iter().chain(&TELLING).any(|part| upper.contains(part));
                let value = if hides { names(value) } else { open(value) };
                (name.clone(), value)
            };
            Value::Object(fields.iter().map(shown).collect())
        }
        other => other.clone(),
    }
}

fn names(settings: &Value) -> Value {
    match settings {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), names(value)));
            Value::Object(fields.collect())
        }
        Value::Null => Value::Null,
        _ => Value::from(HIDDEN),
    }
}

/// `Debug` by way of `Serialize`, which knows what to hide.
pub(crate) fn debug<T: Serialize>(value: &T, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&serde_json::to_string(value).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observed::{ObjectRef, PatroniView};
    use crate::plan::Action;

    #[test]
    fn a_printed_patch_has_places_and_single_words_but_nothing_from_containers() {
        let operations = json!([
            {"op": "replace", "path": "/spec/type", "value": "NodePort"},
            {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "spilo:2"},
            {"op": "replace", "path": "/spec/template/spec/containers/0/env/3/value", "value": "hunter2"},
            {"op": "add", "path": "/spec/template/spec/containers/1", "value": {"args": ["--key=hunter2"]}},
            {"op": "remove", "path": "/spec/template/spec/initContainers/0/command/1"},
        ]);
        let action = Action::Patch {
            target: ObjectRef::default(),
            operations: serde_json::from_value(operations).unwrap(),
        };
        let shown = format!("{action:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        for part in ["NodePort", "spilo:2", "env/3/value", "command/1"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }

    #[test]
    fn a_printed_configuration_of_patroni_has_its_numbers_and_not_its_commands() {
        let config = json!({
            "ttl": 30,
            "standby_cluster": {"host": "a.example.org", "restore_command": "fetch --password=hunter2"},
            "postgresql": {"parameters": {"max_connections": "90", "primary_conninfo": "password=hunter2"}},
        });
        let view = PatroniView {
            config,
            ..PatroniView::default()
        };
        let shown = format!("{view:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let back: PatroniView = serde_json::from_str(&shown).unwrap();
        assert_eq!(back.config["postgresql"]["parameters"]["max_connections"], "90");
        assert_eq!(back.config["standby_cluster"]["restore_command"], HIDDEN);
    }
}
