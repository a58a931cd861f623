//! Makes a schema that an API server accepts out of what schemars writes for our types, and puts the constraints in. Lives here: the walk over
//! the schema as JSON. Must not: knowledge of fields.
//!
//! schemars describes what serde reads, which is more tolerant than what shall be stored: every field may be null, and has serde's default. So
//! required fields, defaults and nulls are taken out first, and come back from the table alone.

use serde_json::{Map, Value, json};

use super::constraints::{Constraint, DefaultValue, Row, Rule};

/// The finished schema, or the path of a row for which there is no field.
pub(super) fn apply(mut schema: Value, rows: &[Row]) -> Result<Value, String> {
    strip(&mut schema, "", rows);
    for (path, constraint) in rows {
        let place = find(&mut schema, path).ok_or_else(|| path.clone())?;
        constrain(place, constraint);
    }
    Ok(schema)
}

/// Takes out of our own types what only the table decides, and out of embedded ones the descriptions.
fn strip(schema: &mut Value, path: &str, rows: &[Row]) {
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    if rows
        .iter()
        .any(|row| row.0 == path && row.1 == Constraint::Embedded)
    {
        let about = fields.remove("description");
        strip_embedded(schema);
        if let (Some(fields), Some(about)) = (schema.as_object_mut(), about) {
            fields.insert("description".to_owned(), about);
        }
        return;
    }
    for keyword in ["required", "default", "nullable", "title"] {
        fields.remove(keyword);
    }
    plain_format(fields);
    for (child, step) in children(fields) {
        strip(child, &join(path, &step), rows);
    }
}

fn strip_embedded(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    for keyword in ["description", "default", "nullable"] {
        fields.remove(keyword);
    }
    for (child, _) in children(fields) {
        strip_embedded(child);
    }
}

/// Rust's unsigned numbers have no name in OpenAPI.
fn plain_format(fields: &mut Map<String, Value>) {
    if fields.get("format") == Some(&json!("uint32")) {
        fields.insert("format".to_owned(), json!("int32"));
    }
}

/// The schemas right below, with their steps of the path.
fn children(fields: &mut Map<String, Value>) -> Vec<(&mut Value, String)> {
    let mut found = Vec::new();
    for (keyword, value) in fields.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                found.extend(properties.iter_mut().map(|(name, schema)| (schema, name.clone())));
            }
            ("items", items) => found.push((items, "[]".to_owned())),
            ("additionalProperties", values) => found.push((values, "*".to_owned())),
            _ => {}
        }
    }
    found
}

fn join(path: &str, step: &str) -> String {
    if path.is_empty() {
        step.to_owned()
    } else {
        format!("{path}.{step}")
    }
}

fn find<'a>(schema: &'a mut Value, path: &str) -> Option<&'a mut Map<String, Value>> {
    path.split('.')
        .filter(|step| !step.is_empty())
        .try_fold(schema, |place, step| match step {
            "[]" => place.get_mut("items"),
            "*" => place.get_mut("additionalProperties"),
            name => place.get_mut("properties")?.get_mut(name),
        })?
        .as_object_mut()
}

fn constrain(place: &mut Map<String, Value>, constraint: &Constraint) {
    let (keyword, value) = match constraint {
        Constraint::Required([]) => {
            place.remove("required");
            return;
        }
        Constraint::Required(fields) => ("required", json!(fields)),
        Constraint::Pattern(pattern) => ("pattern", json!(pattern)),
        Constraint::Format(format) => ("format", json!(format)),
        Constraint::OneOf(words) => ("enum", json!(words)),
        Constraint::AtLeast(least) => ("minimum", json!(least)),
        Constraint::AtMost(most) => ("maximum", json!(most)),
        Constraint::Nullable => ("nullable", json!(true)),
        Constraint::Default(DefaultValue::Switch(switch)) => ("default", json!(switch)),
        Constraint::Default(DefaultValue::Text(text)) => ("default", json!(text)),
        Constraint::Longer(least) => ("minLength", json!(least)),
        Constraint::Rule(rule) => return add_rule(place, rule),
        Constraint::Anything => {
            place.insert("type".to_owned(), json!("object"));
            ("x-kubernetes-preserve-unknown-fields", json!(true))
        }
        Constraint::Embedded => return,
    };
    place.insert(keyword.to_owned(), value);
}

fn add_rule(place: &mut Map<String, Value>, rule: &Rule) {
    let mut row = json!({ "rule": rule.rule, "message": rule.message });
    if let Some(field) = rule.field {
        row["fieldPath"] = json!(field);
    }
    if rule.spares {
        row["optionalOldSelf"] = json!(true);
    }
    let rules = place
        .entry("x-kubernetes-validations")
        .or_insert_with(|| json!([]));
    if let Some(rules) = rules.as_array_mut() {
        rules.push(row);
    }
}
