//! Whether the CRD in a cluster is ours. Lives here: the comparison. Must not: what is done about another (controller).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use serde::Serialize;
use serde_json::Value;

use super::WRITTEN_BY;

/// How a CRD that is there compares with the one that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It stores and serves the same.
    Same,
    /// A later version of ours wrote it (which one), and every field that we know is in it.
    Newer(String),
    /// It is an earlier one of ours, or somebody else's: fields that we write may be pruned or refused.
    Other,
}

impl Standing {
    /// Of `present`, for somebody who wants `wanted`. Names, categories and conversion are not looked at.
    pub fn of(present: &CustomResourceDefinition, wanted: &CustomResourceDefinition) -> Self {
        let Some(ours) = wanted.spec.versions.first() else {
            return Self::Same;
        };
        let mut versions = present.spec.versions.iter();
        let Some(theirs) = versions.find(|version| version.name == ours.name) else {
            return Self::Other;
        };
        let (has, wants) = (schema(theirs), schema(ours));
        let serves = contains(&value(&theirs.subresources), &value(&ours.subresources))
            && contains(
                &value(&theirs.additional_printer_columns),
                &value(&ours.additional_printer_columns),
            );
        if serves && has == wants {
            return Self::Same;
        }
        match (signature(present), signature(wanted)) {
            (Some(theirs), Some(ours)) if number(theirs) > number(ours) && knows(&has, &wants) => {
                Self::Newer(theirs.to_owned())
            }
            _ => Self::Other,
        }
    }
}

fn signature(crd: &CustomResourceDefinition) -> Option<&str> {
    let annotations = crd.metadata.annotations.as_ref()?;
    annotations.get(WRITTEN_BY).map(String::as_str)
}

/// As in `1.10.2`; what is no number counts as 0.
fn number(version: &str) -> Vec<u64> {
    let parts = version.split(['.', '-', '+']).take(3);
    parts.map(|part| part.parse().unwrap_or_default()).collect()
}

fn value(part: &impl Serialize) -> Value {
    serde_json::to_value(part).unwrap_or_default()
}

fn schema(version: &CustomResourceDefinitionVersion) -> Value {
    let mut schema = value(&version.schema);
    drop_void(&mut schema);
    schema
}

/// API servers leave out what says nothing.
fn drop_void(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(drop_void);
            fields.retain(|_, field| !is_void(field));
        }
        Value::Array(entries) => entries.iter_mut().for_each(drop_void),
        _ => {}
    }
}

fn is_void(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// All that is wanted is there; what an API server adds does not count.
fn contains(has: &Value, wants: &Value) -> bool {
    match (has, wants) {
        (_, Value::Null) => true,
        (Value::Object(has), Value::Object(wants)) => wants
            .iter()
            .all(|(key, wants)| has.get(key).is_some_and(|has| contains(has, wants))),
        (Value::Array(has), Value::Array(wants)) => {
            has.len() == wants.len() && has.iter().zip(wants).all(|(has, wants)| contains(has, wants))
        }
        _ => has == wants,
    }
}

/// Every field that one schema has is in the other.
fn knows(has: &Value, wants: &Value) -> bool {
    let fields = |schema: &Value| schema.get("properties").and_then(Value::as_object).cloned();
    if let Some(wanted) = fields(wants) {
        let known = fields(has).unwrap_or_default();
        let is_known =
            |(name, wants): (&String, &Value)| known.get(name).is_some_and(|has| knows(has, wants));
        if !wanted.iter().all(is_known) {
            return false;
        }
    }
    ["openAPIV3Schema", "items", "additionalProperties"]
        .iter()
        .all(|keyword| match (has.get(keyword), wants.get(keyword)) {
            (Some(has), Some(wants)) => knows(has, wants),
            (None, Some(_)) => false,
            (_, None) => true,
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crd;

    fn changed(change: impl FnOnce(&mut Value)) -> CustomResourceDefinition {
        let mut raw = serde_json::to_value(&crd::all()[0]).unwrap();
        change(&mut raw);
        serde_json::from_value(raw).unwrap()
    }

    fn standing(change: impl FnOnce(&mut Value)) -> Standing {
        Standing::of(&changed(change), &crd::all()[0])
    }

    const SCHEMA: &str = "/spec/versions/0/schema/openAPIV3Schema";
    const STATUS: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";

    fn at<'a>(crd: &'a mut Value, path: &str) -> &'a mut Value {
        crd.pointer_mut(path)
            .unwrap_or_else(|| panic!("nothing at {path}"))
    }

    fn sign(crd: &mut Value, version: &str) {
        crd["metadata"]["annotations"]["pgherd.io/version"] = version.into();
    }

    #[test]
    fn what_an_api_server_adds_is_no_difference() {
        assert_eq!(standing(|_| {}), Standing::Same);
        let added = standing(|crd| {
            crd["spec"]["conversion"] = json!({"strategy": "None"});
            crd["spec"]["names"]["categories"] = json!(["mine"]);
            at(crd, "/spec/versions/0/additionalPrinterColumns/0")["priority"] = 0.into();
            at(crd, SCHEMA)["nullable"] = false.into();
        });
        assert_eq!(added, Standing::Same);
    }

    #[test]
    fn what_prunes_or_refuses_our_fields_is_another() {
        let pruning = |crd: &mut Value| {
            at(crd, STATUS).as_object_mut().unwrap().remove("lastGoodSpec");
        };
        assert_eq!(standing(pruning), Standing::Other);
        let refusing = standing(|crd| at(crd, SCHEMA)["maxProperties"] = 3.into());
        assert_eq!(refusing, Standing::Other);
        let without_scale = standing(|crd| {
            at(crd, "/spec/versions/0/subresources")
                .as_object_mut()
                .unwrap()
                .remove("scale");
        });
        assert_eq!(without_scale, Standing::Other);
        let of_another_version = standing(|crd| *at(crd, "/spec/versions/0/name") = "v2".into());
        assert_eq!(of_another_version, Standing::Other);
        // Whoever replaces the spec leaves our annotation.
        let replaced = standing(|crd| {
            sign(crd, "99.0.0");
            pruning(crd);
        });
        assert_eq!(replaced, Standing::Other);
    }

    #[test]
    fn a_later_one_of_ours_is_known_by_its_number_and_its_fields() {
        let with_more = |version: &str| {
            standing(|crd| {
                sign(crd, version);
                at(crd, STATUS)["another"] = json!({"type": "string"});
            })
        };
        assert_eq!(with_more("99.0.0"), Standing::Newer("99.0.0".to_owned()));
        assert_eq!(with_more("0.0.1"), Standing::Other);
        assert_eq!(with_more("rubbish"), Standing::Other);
        assert!(number("0.10.0") > number("0.9.9"));
    }
}
