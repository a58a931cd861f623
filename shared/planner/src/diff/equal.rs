//! Two spellings of one value.

use pgherd_model::names::env::SPILO_CONFIGURATION;
use pgherd_model::units::Quantity;
use serde_json::Value;

use super::place::Place;
use crate::build::spilo;
use crate::redact::HIDDEN;

/// Neither is an object or a list. A snapshot from a file hides keys, in arguments too.
pub(super) fn scalars(one: &Value, other: &Value, place: &Place<'_>) -> bool {
    if [one, other].iter().any(|value| value.as_str() == Some(HIDDEN)) {
        return true;
    }
    match (text(one), text(other)) {
        (Some(one), Some(other)) if place.is_quantity() => quantities(&one, &other),
        _ => one == other,
    }
}

/// Values of a variable: the image's configuration may differ in what is changed through Patroni, and a snapshot from a file hides keys.
pub(super) fn variables(name: &str, one: &str, other: &str) -> bool {
    one == other
        || [one, other].contains(&HIDDEN)
        || (name == SPILO_CONFIGURATION && spilo::same_for_pods(one, other))
}

/// Absent means the same: the API server does not store it.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

pub(super) fn quantities(one: &str, other: &str) -> bool {
    match (Quantity::parse(one), Quantity::parse(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
