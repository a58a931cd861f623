//! The operator's own configuration under review, in both forms, by the parser that the controller uses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Review, Violation};
use crate::config::{ConfigError, Form, source};

/// A value cannot be read, or is outside of what is allowed.
pub const VALUE: &str = "PGC-001";
/// Values do not go together.
pub const CONFLICT: &str = "PGC-002";
/// The object is not made like a configuration.
pub const SHAPE: &str = "PGC-003";

/// Reviews a configuration that is being stored: an `OperatorConfiguration`, or the ConfigMap of that form; `old` is the stored object on an
/// update, whose own mistakes never block it. Names without a namespace are in `operator_namespace`.
pub fn operator_configuration(
    new: &Value,
    old: Option<&Value>,
    form: Form,
    operator_namespace: &str,
) -> Review {
    let (found, findings) = read(new, form, operator_namespace);
    let known: BTreeSet<(&str, String)> = old
        .map(|old| read(old, form, operator_namespace).0)
        .unwrap_or_default()
        .into_iter()
        .map(|violation| (violation.rule, violation.path))
        .collect();
    let mut violations = found;
    violations.retain(|violation| !known.contains(&(violation.rule, violation.path.clone())));
    violations.sort();
    Review {
        violations,
        warnings: findings,
    }
}

fn read(object: &Value, form: Form, operator_namespace: &str) -> (Vec<Violation>, Vec<String>) {
    let outcome = match form {
        Form::Crd => source::from_object(object, operator_namespace),
        Form::ConfigMap => match texts(object.get("data")) {
            Ok(data) => source::from_config_map(&data, operator_namespace),
            Err(violation) => return (vec![violation], Vec::new()),
        },
    };
    match outcome {
        Ok((_, findings)) => (
            Vec::new(),
            findings
                .iter()
                .map(|finding| super::shorten(&finding.to_string(), super::WARNING_LIMIT))
                .collect(),
        ),
        Err(errors) => (errors.iter().map(violation).collect(), Vec::new()),
    }
}

fn texts(data: Option<&Value>) -> Result<BTreeMap<String, String>, Violation> {
    let fields = match data {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(Violation::new(SHAPE, "data", "is not an object")),
    };
    let text = |(key, value): (&String, &Value)| match value {
        Value::String(text) => Ok((key.clone(), text.clone())),
        _ => Err(Violation::new(SHAPE, format!("data.{key}"), "is not a string")),
    };
    fields.iter().map(text).collect()
}

/// The error's own words, without the path in front.
fn violation(error: &ConfigError) -> Violation {
    let rule = match error {
        ConfigError::Value { .. } => VALUE,
        ConfigError::Conflict { .. } => CONFLICT,
        ConfigError::Shape { .. } => SHAPE,
    };
    let text = error.to_string();
    let message = text
        .strip_prefix(error.path())
        .and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(&text);
    Violation::new(rule, error.path(), message)
}
