//! Fields that nobody knows: mistyped ones, mostly. The API server prunes them before a webhook sees them, unless it validates strictly; a
//! manifest read from a file still has them.

use std::fmt;
use std::sync::LazyLock;

use k8s_openapi::api::core::v1::Volume;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use super::super::{Hit, Subject};
use crate::{api, crd};

/// The schema of `spec`, once.
static SPEC: LazyLock<JSONSchemaProps> = LazyLock::new(|| {
    let version = crd::postgresql().spec.versions.into_iter().next();
    let schema = version.and_then(|version| version.schema?.open_api_v3_schema);
    schema
        .and_then(|schema| schema.properties?.remove("spec"))
        .unwrap_or_default()
});

pub(in super::super) fn fields_are_known(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    if let Some(spec) = subject.raw.get("spec") {
        walk(spec, &SPEC, Place::Root("spec"), &mut hits);
        sources(spec, &mut hits);
    }
    hits
}

/// Kinds of volumes: the schema leaves them open, Kubernetes does not.
fn sources(spec: &Value, hits: &mut Vec<Hit>) {
    let volumes = spec.get("additionalVolumes").and_then(Value::as_array);
    for (index, volume) in volumes.into_iter().flatten().enumerate() {
        let Some(Value::Object(source)) = volume.get("volumeSource") else {
            continue;
        };
        let mut named = source.clone();
        named.insert("name".to_owned(), Value::from("any"));
        let known = api::decode::<Volume>(&Value::Object(named)).ok();
        let Some(Ok(Value::Object(known))) = known.map(serde_json::to_value) else {
            continue;
        };
        for kind in source
            .keys()
            .filter(|kind| !source[*kind].is_null() && !known.contains_key(*kind))
        {
            hits.push(Hit::new(
                format!("spec.additionalVolumes[{index}].volumeSource.{kind}"),
                "is no kind of volume: without one the volume is empty, and goes with its pod",
            ));
        }
    }
}

/// Where a value stands. Written out only for a hit.
#[derive(Clone, Copy)]
enum Place<'a> {
    Root(&'static str),
    Field(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

fn walk(value: &Value, schema: &JSONSchemaProps, place: Place<'_>, hits: &mut Vec<Hit>) {
    match value {
        Value::Array(items) => {
            if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
                for (index, value) in items.iter().enumerate() {
                    walk(value, item, Place::Item(&place, index), hits);
                }
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                let place = Place::Field(&place, key);
                let known = schema.properties.as_ref().and_then(|known| known.get(key));
                match (known, &schema.additional_properties) {
                    (Some(schema), _) => walk(value, schema, place, hits),
                    (None, Some(JSONSchemaPropsOrBool::Schema(schema))) => walk(value, schema, place, hits),
                    (None, None) if is_closed(schema) => {
                        hits.push(Hit::new(place.to_string(), unknown(key, schema)));
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// Objects without listed properties hold anything.
fn is_closed(schema: &JSONSchemaProps) -> bool {
    schema.properties.is_some() && schema.x_kubernetes_preserve_unknown_fields != Some(true)
}

fn unknown(key: &str, schema: &JSONSchemaProps) -> String {
    let known = schema.properties.iter().flat_map(|known| known.keys());
    let nearest = known
        .map(|candidate| {
            (
                strsim::osa_distance(&key.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= 1 + key.len() / 5)
        .min();
    match nearest {
        Some((_, candidate)) => format!("is not known and is ignored; did you mean {candidate}?"),
        None => "is not known and is ignored".to_owned(),
    }
}
