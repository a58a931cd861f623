//! Environment variables of all containers that the manifest gives.

use k8s_openapi::api::core::v1::EnvVar;
use serde_json::Value;

use super::super::{Hit, Subject};

/// Parts of names that speak of secrets.
const SECRETIVE: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "SECRET",
    "TOKEN",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "API_KEY",
    "APIKEY",
    "CREDENTIAL",
];
/// Ends of names that speak of where a secret is.
const PLACES: &[&str] = &["_FILE", "_PATH", "_NAME", "_ID", "_DIR", "_URL"];

/// Every variable with its path.
fn variables<'a>(subject: &'a Subject<'_>) -> Vec<(String, &'a EnvVar)> {
    let spec = &subject.spec;
    let mut found: Vec<(String, &EnvVar)> = Vec::new();
    let mut add = |path: &str, env: &'a [EnvVar]| {
        found.extend(
            env.iter()
                .enumerate()
                .map(|(index, variable)| (format!("{path}.env[{index}]"), variable)),
        );
    };
    add("spec", &spec.env);
    let lists = [
        ("sidecars", &spec.sidecars),
        ("initContainers", &spec.init_containers),
    ];
    for (list, containers) in lists {
        for (index, container) in containers.iter().enumerate() {
            let env = container.env.as_deref().unwrap_or_default();
            add(&format!("spec.{list}[{index}]"), env);
        }
    }
    found
}

pub(in super::super) fn variables_have_names(subject: &Subject<'_>) -> Vec<Hit> {
    let nameless = variables(subject)
        .into_iter()
        .filter(|(_, variable)| variable.name.is_empty() || variable.name.contains('='));
    nameless
        .map(|(path, variable)| {
            let message = if variable.name.is_empty() {
                "is empty; every variable needs a name"
            } else {
                "holds a =, which ends the name of a variable"
            };
            Hit::new(format!("{path}.name"), message)
        })
        .collect()
}

/// A value or one place to take it from.
pub(in super::super) fn variables_have_one_source(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits: Vec<Hit> = variables(subject)
        .into_iter()
        .filter_map(|(path, variable)| Some(Hit::new(path, source_problem(variable)?)))
        .collect();
    for (index, source) in subject.spec.env_from.iter().enumerate() {
        if source.config_map_ref.is_some() == source.secret_ref.is_some() {
            let message = "must name a configMapRef or a secretRef, one of the two";
            hits.push(Hit::new(format!("spec.envFrom[{index}]"), message));
        }
    }
    hits
}

fn source_problem(variable: &EnvVar) -> Option<&'static str> {
    let source = variable.value_from.as_ref()?;
    if variable.value.as_ref().is_some_and(|value| !value.is_empty()) {
        return Some("has value and valueFrom; keep one of them");
    }
    let places = serde_json::to_value(source).ok().and_then(|source| {
        source
            .as_object()
            .map(|source| source.values().filter(|place| **place != Value::Null).count())
    });
    (places != Some(1)).then_some("has a valueFrom with none or several places; name one")
}

/// What everybody who may read the manifest, the StatefulSet or a pod can read. The value is never told.
pub(in super::super) fn secrets_are_kept(subject: &Subject<'_>) -> Vec<Hit> {
    let clear = variables(subject).into_iter().filter(|(_, variable)| {
        let given = variable.value.as_ref().is_some_and(|value| !value.is_empty());
        given && is_secretive(&variable.name)
    });
    let mut hits: Vec<Hit> = clear
        .map(|(path, variable)| {
            let message = format!(
                "{:?} looks like a secret in clear; take it from a Secret by valueFrom",
                variable.name
            );
            Hit::new(path, message)
        })
        .collect();
    let clone = subject.spec.clone.as_ref();
    if clone.is_some_and(|clone| {
        clone
            .s3_secret_access_key
            .as_ref()
            .is_some_and(|key| !key.is_empty())
    }) {
        let message = "is a secret in clear, in the pods too; put it into a pod environment Secret";
        hits.push(Hit::new("spec.clone.s3_secret_access_key", message));
    }
    hits
}

fn is_secretive(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRETIVE.iter().any(|part| name.contains(part)) && !PLACES.iter().any(|end| name.ends_with(end))
}
