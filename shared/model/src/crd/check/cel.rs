//! CEL rules of a schema, evaluated. Names of fields are taken as they are written: our rules use none that CEL would have escaped.

use std::{collections::HashMap, sync::Arc};

use kube_cel::{
    KubeCelExt,
    cel::{
        Context, Program,
        objects::{OptionalValue, Value as Cel},
    },
};
use serde_json::Value;

use super::is_set;

/// All rules of a schema, compiled, by their text.
pub(super) struct Rules(HashMap<String, Result<Program, String>>);

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Rules {
    pub(super) fn of(schema: &Value) -> Self {
        let mut rules = HashMap::new();
        compile(schema, &mut rules);
        Self(rules)
    }

    /// The rules right at this place that are broken: where below it, and what they say.
    pub(super) fn broken(&self, schema: &Value, value: &Value, old: Option<&Value>) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for rule in rules_of(schema) {
            let text = |field| rule.get(field).and_then(Value::as_str).unwrap_or_default();
            let outcome = match self.0.get(text("rule")) {
                Some(Ok(program)) => holds(program, is_set(rule, "optionalOldSelf"), value, old),
                Some(Err(why)) => Err(why.clone()),
                None => Ok(true),
            };
            let message = match outcome {
                Ok(true) => continue,
                Ok(false) => text("message").to_owned(),
                Err(why) => format!("cannot be checked by the rule {:?}: {why}", text("rule")),
            };
            found.push((text("fieldPath").to_owned(), message));
        }
        found
    }
}

fn rules_of(schema: &Value) -> impl Iterator<Item = &Value> {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
    rules.into_iter().flatten()
}

fn compile(schema: &Value, rules: &mut HashMap<String, Result<Program, String>>) {
    for rule in rules_of(schema).filter_map(|rule| rule.get("rule")?.as_str()) {
        let program = Program::compile(rule).map_err(|error| error.to_string());
        rules.insert(rule.to_owned(), program);
    }
    let named = schema.get("properties").and_then(Value::as_object);
    let below = named.into_iter().flatten().map(|(_, schema)| schema);
    let others = ["items", "additionalProperties"].map(|keyword| schema.get(keyword));
    for schema in below.chain(others.into_iter().flatten()) {
        compile(schema, rules);
    }
}

/// A rule about a change has nothing to say of a new value, unless it asks for that.
fn holds(program: &Program, asks: bool, value: &Value, old: Option<&Value>) -> Result<bool, String> {
    let old = match old {
        Some(old) if asks => Cel::Opaque(Arc::new(OptionalValue::of(cel(old)))),
        None if asks => Cel::Opaque(Arc::new(OptionalValue::none())),
        Some(old) => cel(old),
        None if program.references().has_variable("oldSelf") => return Ok(true),
        None => Cel::Null,
    };
    let mut context = Context::default().with_all();
    context.add_variable_from_value("self", cel(value));
    context.add_variable_from_value("oldSelf", old);
    match program.execute(&context) {
        Ok(Cel::Bool(holds)) => Ok(holds),
        Ok(_) => Err("it says neither yes nor no".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whole numbers are signed in CEL, whatever they are in JSON.
fn cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(switch) => Cel::Bool(*switch),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(cel).collect())),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), cel(value)))
            .collect::<HashMap<String, Cel>>()
            .into(),
    }
}
