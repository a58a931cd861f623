//! The keywords of a schema that limit one value. Messages never hold the value: it may be a secret.

use std::sync::LazyLock;

use regex_lite::Regex;
use serde_json::Value;

use super::is_set;

/// As the API server reads it: in any case, and dashes may be missing.
static UUID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$")
        .expect("the pattern is a constant, which a test compiles")
});

/// All keywords that are understood, with those that limit nothing. A test holds the CRDs against it.
#[cfg(test)]
pub(super) const KNOWN: &[&str] = &[
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "required",
    "type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];

/// The value is of another type than the schema's.
pub(super) fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    if is_set(schema, "x-kubernetes-int-or-string") {
        let fits = value.is_i64() || value.is_string();
        return (!fits).then(|| format!("is {}; expected an integer or a string", name_of(value)));
    }
    let wanted = schema.get("type")?.as_str()?;
    let fits = match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_i64().is_some() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        _ => true,
    };
    (!fits).then(|| {
        format!(
            "is {}; expected {}",
            name_of(value),
            with_article(wanted_name(wanted))
        )
    })
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn wanted_name(wanted: &str) -> &str {
    if wanted == "array" { "list" } else { wanted }
}

fn with_article(word: &str) -> String {
    let article = if word.starts_with(['i', 'o']) { "an" } else { "a" };
    format!("{article} {word}")
}

/// The fields that are not there and must be.
pub(super) fn missing<'a>(schema: &'a Value, value: &Value) -> Vec<&'a str> {
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    match value {
        // Metadata is looked at by the API server before any schema.
        Value::Object(fields) => names
            .filter(|name| *name != "metadata" && !fields.contains_key(*name))
            .collect(),
        _ => Vec::new(),
    }
}

/// What a value of the right type breaks.
pub(super) fn broken(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        found.push(format!("is not allowed; allowed are {}", listed(words)));
    }
    match value {
        Value::String(text) => found.extend(of_text(schema, text)),
        Value::Number(_) => found.extend(of_number(schema, value.as_f64().unwrap_or_default())),
        Value::Array(items) => found.extend(of_count(schema, "Items", "items", items.len())),
        _ => {}
    }
    found
}

fn listed(words: &[Value]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned))
        .collect();
    words.join(", ")
}

fn of_text(schema: &Value, text: &str) -> Vec<String> {
    let mut found: Vec<String> = of_count(schema, "Length", "characters", text.chars().count()).collect();
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
    {
        found.push(format!("does not match {pattern}"));
    }
    if schema.get("format").is_some_and(|format| format == "uuid") && !UUID.is_match(text) {
        found.push("is not a uuid".to_owned());
    }
    found
}

fn of_number(schema: &Value, number: f64) -> Vec<String> {
    let limit = |keyword| schema.get(keyword).and_then(Value::as_f64);
    let mut found = Vec::new();
    if let Some(least) = limit("minimum").filter(|least| number < *least) {
        found.push(format!("is {number}; the least is {least}"));
    }
    if let Some(most) = limit("maximum").filter(|most| number > *most) {
        found.push(format!("is {number}; the most is {most}"));
    }
    found
}

fn of_count<'a>(
    schema: &'a Value,
    what: &'a str,
    unit: &'a str,
    count: usize,
) -> impl Iterator<Item = String> + use<'a> {
    let limit = move |side: &str| schema.get(format!("{side}{what}")).and_then(Value::as_u64);
    let count = count as u64;
    let few = limit("min")
        .filter(|least| count < *least)
        .map(|least| format!("has {count} {unit}; the least is {least}"));
    let many = limit("max")
        .filter(|most| count > *most)
        .map(|most| format!("has {count} {unit}; the most is {most}"));
    few.into_iter().chain(many)
}
