//! Keys that a manifest gives in clear end up in the variables of a pod template, because the image takes them nowhere else. Lives here:
//! leaving them out when an object is printed or serialised for people. What is sent is made by `plan::Object::to_value` alone.

use std::collections::BTreeMap;
use std::fmt;

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
