//! What the API server says of an object, by the schema and the CEL rules of its CRD, without an API server. Lives here: the walk over
//! schema and object, and what is kept of the object before it (nulls, defaults). Keywords are in `limits`, CEL in `cel`. Must not: rules of
//! ours; they are in `validate`.
//!
//! What did not change on an update is not looked at, as the API server does since Kubernetes 1.30: no list of our CRDs has keys by which its
//! items could be told apart, so an item that changed is a list that changed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value};

use crate::finding::Violation;

mod cel;
mod limits;

/// What violations are named after that no rule of the catalogue has found.
pub const RULE: &str = "CRD";

/// The schema of a kind's first version.
#[derive(Debug)]
pub struct Schema {
    root: Value,
    rules: cel::Rules,
    /// The field that the scale subresource writes: `spec.numberOfInstances`.
    replicas: Option<String>,
}

impl Schema {
    /// The schema of a CRD; one without a schema admits everything.
    pub fn of(crd: &CustomResourceDefinition) -> Self {
        let version = crd.spec.versions.first();
        let validation = version.and_then(|version| version.schema.as_ref());
        let schema = validation.and_then(|validation| validation.open_api_v3_schema.as_ref());
        let scale = version.and_then(|version| version.subresources.as_ref()?.scale.as_ref());
        let root = schema
            .and_then(|schema| serde_json::to_value(schema).ok())
            .unwrap_or_default();
        Self {
            rules: cel::Rules::of(&root),
            root,
            replicas: scale.map(|scale| scale.spec_replicas_path.trim_start_matches('.').to_owned()),
        }
    }

    /// The object as the API server keeps it: constants filled in, and no null where the schema knows none. Fields that the schema does not
    /// know are left: they are somebody's text.
    pub fn kept(&self, object: &Value) -> Value {
        let mut object = object.clone();
        keep(&self.root, &mut object);
        object
    }

    /// Everything that the API server would refuse, sorted by path; on an update `old` is the stored object. Both have been through the
    /// mutating webhook ([`crate::default::complete`]). A status is not looked at: it cannot be written beside the rest.
    pub fn review(&self, new: &Value, old: Option<&Value>) -> Vec<Violation> {
        let written = |object: &Value| {
            let mut object = self.kept(object);
            if let Some(fields) = object.as_object_mut() {
                fields.shift_remove("status");
            }
            object
        };
        let (new, old) = (written(new), old.map(written));
        let mut walk = Walk {
            rules: &self.rules,
            found: Vec::new(),
        };
        walk.node(&self.root, &new, old.as_ref(), "");
        if let Some(path) = &self.replicas {
            walk.scalable(&new, path);
        }
        walk.found.sort();
        walk.found
    }
}

fn is_set(schema: &Value, keyword: &str) -> bool {
    schema
        .get(keyword)
        .is_some_and(|value| *value == Value::Bool(true))
}

/// The schemas of an object's fields: those with names, and the one for all others.
fn field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let named = schema.get("properties").and_then(|fields| fields.get(name));
    named.or_else(|| schema.get("additionalProperties").filter(|all| all.is_object()))
}

fn keep(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => keep_fields(schema, fields),
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    keep(schema, item);
                }
            }
        }
        _ => {}
    }
}

fn keep_fields(schema: &Value, fields: &mut Map<String, Value>) {
    let is_dropped = |name: &String, value: &Value| {
        value.is_null() && field(schema, name).is_some_and(|schema| !is_set(schema, "nullable"))
    };
    fields.retain(|name, value| !is_dropped(name, value));
    let named = schema.get("properties").and_then(Value::as_object);
    for (name, schema) in named.into_iter().flatten() {
        if let Some(default) = schema.get("default")
            && !fields.contains_key(name)
        {
            fields.insert(name.clone(), default.clone());
        }
    }
    for (name, value) in fields.iter_mut() {
        if let Some(schema) = field(schema, name) {
            keep(schema, value);
        }
    }
}

struct Walk<'a> {
    rules: &'a cel::Rules,
    found: Vec<Violation>,
}

impl Walk<'_> {
    fn node(&mut self, schema: &Value, value: &Value, old: Option<&Value>, path: &str) {
        if old == Some(value) || (value.is_null() && is_set(schema, "nullable")) {
            return;
        }
        if let Some(message) = limits::wrong_type(schema, value) {
            return self.refuse(path, message);
        }
        let (limits, missing) = (limits::broken(schema, value), limits::missing(schema, value));
        // A rule takes for granted what the other keywords demand.
        if limits.is_empty() && missing.is_empty() {
            for (below, message) in self.rules.broken(schema, value, old) {
                self.refuse(&format!("{path}{below}"), message);
            }
        }
        for message in limits {
            self.refuse(path, message);
        }
        for name in missing {
            self.refuse(&step(path, name), "is missing".to_owned());
        }
        self.below(schema, value, old, path);
    }

    fn below(&mut self, schema: &Value, value: &Value, old: Option<&Value>, path: &str) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if let Some(schema) = field(schema, name) {
                        let old = old.and_then(|old| old.get(name));
                        self.node(schema, value, old, &step(path, name));
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(schema) = schema.get("items") {
                        self.node(schema, item, None, &format!("{path}[{index}]"));
                    }
                }
            }
            _ => {}
        }
    }

    /// What the scale subresource shows as a number of replicas is one: whole, written without a point, of 32 bits.
    fn scalable(&mut self, object: &Value, path: &str) {
        let number = object.pointer(&format!("/{}", path.replace('.', "/")));
        let Some(number) = number.filter(|value| value.is_number()) else {
            return;
        };
        if number.as_i64().is_none_or(|number| number > i64::from(i32::MAX)) {
            let message = format!("must be a whole number, at most {}, without a point", i32::MAX);
            self.refuse(path, message);
        }
    }

    fn refuse(&mut self, path: &str, message: String) {
        let path = if path.is_empty() { "." } else { path };
        self.found.push(Violation::new(RULE, path, message));
    }
}

fn step(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests;
