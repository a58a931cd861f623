//! Keys that a manifest gives in clear end up in the variables of a pod template, because the image takes them nowhere else. Lives here: what is
//! taken for a credential, and leaving it out when something is printed or serialised for people. What is sent is made by
//! `plan::Object::to_value` alone.

use std::collections::BTreeMap;
use std::fmt;

use json_patch::Patch;
use pgherd_model::names::env::SPILO_CONFIGURATION;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// Stands for a value that is not shown; in a comparison it is equal to any.
pub const HIDDEN: &str = "(hidden)";

/// How much is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Veil {
    /// What its name or its look tells to be a credential. The rest stays: plans are made of it.
    Telling,
    /// Also every value of a variable and every word of a command: for those who may ask without saying who they are.
    Full,
}

/// A variable with one of these in its name may hold a credential. The image's configuration holds parameters of Postgres, some of which
/// are commands and connection strings.
const SUSPICIOUS: [&str; 7] = [
    "PASS",
    "PWD",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "KEY",
    SPILO_CONFIGURATION,
];

/// In the names of settings: what they hold may have a password in it.
const TELLING: [&str; 2] = ["COMMAND", "CONNINFO"];
/// A setting with such a name that is one of two words.
const PLAIN: &str = "password_encryption";
/// A text with one of these in it, in whatever case, holds a credential.
const LOOKS: [&str; 10] = [
    "passwd=",
    "password=",
    "pwd=",
    "secret=",
    "secrets=",
    "token=",
    "key=",
    "password\":",
    "passwd\":",
    "private key-----",
];
/// Annotations in which tools keep the whole object as it was given, secrets included: how their names end.
const COPIES: [&str; 3] = ["/last-applied-configuration", "/last-applied", "/applied"];
/// What the manifest of a clone may have in clear.
const KEYS: [&str; 2] = ["s3_access_key_id", "s3_secret_access_key"];
/// Where a patch of a StatefulSet meets variables, commands and arguments.
const CONTAINERS: [&str; 2] = ["/containers", "/initContainers"];

/// Hides what is in an object, a manifest or a part of one: in variables, commands, parameters of Postgres, keys of a clone, copies that tools
/// keep in annotations, and texts anywhere that look like a credential.
pub fn veil(value: &mut Value, how: Veil) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !is_copy(name));
            for (name, value) in fields.iter_mut() {
                field(name, value, how);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| veil(item, how)),
        Value::String(text) if looks_telling(text) => HIDDEN.clone_into(text),
        _ => {}
    }
}

fn field(name: &str, value: &mut Value, how: Veil) {
    if KEYS.contains(&name) && !value.is_null() {
        *value = Value::from(HIDDEN);
    }
    match (name, &mut *value) {
        ("parameters", Value::Object(_)) => *value = open(value),
        ("command" | "args", Value::Array(words)) => hide_words(words, how),
        ("env" | "httpHeaders", Value::Array(variables)) => {
            let variables = variables.iter_mut().filter_map(Value::as_object_mut);
            variables.for_each(|variable| hide_variable(variable, how));
        }
        _ => {}
    }
    veil(value, how);
}

fn hide_variable(variable: &mut Map<String, Value>, how: Veil) {
    let name = variable.get("name").and_then(Value::as_str).unwrap_or_default();
    let hides = how == Veil::Full || is_suspicious(name);
    if let Some(value) = variable.get_mut("value").filter(|_| hides) {
        *value = Value::from(HIDDEN);
    }
}

/// `--password=x`, `PASSWORD=x`, and `--password` before `x`.
fn hide_words(words: &mut [Value], how: Veil) {
    let mut is_next = false;
    for word in words {
        let text = word.as_str().unwrap_or_default();
        let name = text.split_once('=').map(|(name, _)| name);
        let hides = how == Veil::Full || is_next || name.is_some_and(is_suspicious);
        is_next = name.is_none() && text.starts_with('-') && is_suspicious(text);
        if hides {
            *word = Value::from(HIDDEN);
        }
    }
}

fn is_suspicious(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    SUSPICIOUS.iter().any(|part| upper.contains(part))
}

fn is_copy(annotation: &str) -> bool {
    COPIES.iter().any(|end| annotation.ends_with(end))
}

/// A password in a URL, a connection string, a line of `pg_hba`, a script; a private key.
fn looks_telling(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let names_one = LOOKS.iter().any(|look| lower.contains(look));
    names_one || lower.split("://").skip(1).any(has_password)
}

/// What follows `://` begins with `user:password@`.
fn has_password(rest: &str) -> bool {
    let place = rest
        .split(|letter: char| letter.is_whitespace() || letter == '"')
        .next();
    let user = place.and_then(|place| place.rsplit_once('@'));
    user.is_some_and(|(user, _)| user.contains(':'))
}

/// Serialises what [`veil`] leaves.
pub(crate) fn veiled<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut shown = serde_json::to_value(value).map_err(serde::ser::Error::custom)?;
    veil(&mut shown, Veil::Telling);
    shown.serialize(serializer)
}

/// Variables by name.
pub(crate) fn variables<S: Serializer>(
    entries: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let shown = entries.iter().map(|(name, value)| {
        let hides = is_suspicious(name) || looks_telling(value);
        (name, if hides { HIDDEN } else { value.as_str() })
    });
    serializer.collect_map(shown)
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

/// Patroni's configuration, or settings by name. Commands and connection strings may hold a credential; what is planned needs the rest.
pub(crate) fn configuration<T: Serialize, S: Serializer>(
    config: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let config = serde_json::to_value(config).map_err(serde::ser::Error::custom)?;
    open(&config).serialize(serializer)
}

fn open(config: &Value) -> Value {
    match config {
        Value::Object(fields) => {
            let shown = |(name, value): (&String, &Value)| {
                let upper = name.to_ascii_uppercase();
                let tells = SUSPICIOUS.iter().chain(&TELLING).any(|part| upper.contains(part));
                let hides = tells && name != PLAIN;
                let value = if hides { names(value) } else { open(value) };
                (name.clone(), value)
            };
            Value::Object(fields.iter().map(shown).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(open).collect()),
        Value::String(text) if looks_telling(text) => Value::from(HIDDEN),
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
mod tests;
