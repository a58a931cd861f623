//! A Kubernetes object of any kind, kept as it came: decoded once, and of its parts only the metadata. A leaf. Must not: be printed; it may be
//! a secret.
//!
//! kube's `DynamicObject` keeps everything twice while it is decoded, and has to be written out to become text again.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use pgherd_model::names::labels::STANDING;
use pgherd_model::names::operator::FIELD_MANAGER;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// Where labels and annotations are that may have to go because we wrote them.
const WORN: [&[&str]; 4] = [
    &["f:metadata", "f:annotations"],
    &["f:metadata", "f:labels"],
    &["f:spec", "f:template", "f:metadata", "f:annotations"],
    &["f:spec", "f:template", "f:metadata", "f:labels"],
];

/// An object without its managedFields, which are as long as the rest. What stays of them are names of labels and annotations that we wrote
/// beside those that all have: mostly none.
#[derive(Clone)]
pub struct Whole {
    pub metadata: ObjectMeta,
    /// All of it, the metadata included.
    pub value: Value,
    /// We wrote fields of it otherwise than by apply, when we made it for example: our applies do not take these away.
    pub is_updated: bool,
}

impl Whole {
    /// None where the metadata is none.
    pub fn of(mut value: Value) -> Option<Self> {
        let mut is_updated = false;
        if let Some(fields) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            let managed = fields.remove("managedFields");
            let mut entries = managed.iter().filter_map(Value::as_array).flatten();
            is_updated = entries.any(is_update_of_ours);
            if let Some(ours) = managed.as_ref().and_then(ours) {
                fields.insert("managedFields".to_owned(), ours);
            }
        }
        let metadata = match value.get("metadata") {
            Some(metadata) => ObjectMeta::deserialize(metadata).ok()?,
            None => ObjectMeta::default(),
        };
        Some(Self {
            metadata,
            value,
            is_updated,
        })
    }
}

/// An entry of managedFields: what we wrote otherwise than by apply.
fn is_update_of_ours(entry: &Value) -> bool {
    let is = |key: &str, word: &str| entry[key] == word;
    is("manager", FIELD_MANAGER) && is("operation", "Update") && entry["subresource"].is_null()
}

/// What we wrote of [`WORN`], in the form of managedFields.
fn ours(managed: &Value) -> Option<Value> {
    let mut kept = json!({});
    let entries = managed.as_array()?.iter();
    for entry in entries.filter(|entry| entry["manager"] == FIELD_MANAGER) {
        for path in WORN {
            let mut place = path.iter();
            let found = place.try_fold(&entry["fieldsV1"], |tree, step| tree.get(step));
            let names = found.and_then(Value::as_object).into_iter().flatten();
            let stands = |name: &str| {
                name.strip_prefix("f:")
                    .is_some_and(|name| STANDING.contains(&name))
            };
            for (name, _) in names.filter(|(name, _)| *name != "." && !stands(name)) {
                let tree = path.iter().fold(&mut kept, |tree, step| &mut tree[*step]);
                tree[name] = json!({});
            }
        }
    }
    let has_any = kept.as_object().is_some_and(|kept| !kept.is_empty());
    has_any.then(|| json!([{ "manager": FIELD_MANAGER, "fieldsV1": kept }]))
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole")
            .field("namespace", &self.metadata.namespace)
            .field("name", &self.metadata.name)
            .finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::of(value).ok_or_else(|| D::Error::custom("an object's metadata cannot be decoded"))
    }
}

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl Resource for Whole {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    /// Of the decoded metadata: the object itself stays as it came.
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_kept_as_it_came_and_not_printed() {
        let text = r#"{"kind":"Secret","metadata":{"name":"s","namespace":"n","managedFields":[{"manager":"m"}],
            "generation":3},"data":{"password":"aHVudGVyMg=="}}"#;
        let whole: Whole = serde_json::from_str(text).unwrap();
        let expected = json!({"kind": "Secret", "metadata": {"name": "s", "namespace": "n", "generation": 3},
            "data": {"password": "aHVudGVyMg=="}});
        assert_eq!(whole.value, expected);
        assert_eq!(serde_json::to_value(&whole).unwrap(), expected);
        assert_eq!(whole.metadata.generation, Some(3));
        assert!(!format!("{whole:?}").contains("aHVu"));
    }

    #[test]
    fn of_managed_fields_stays_what_we_wrote_and_others_may_lack() {
        let annotations =
            json!({"f:annotations": {".": {}, "f:a": {}}, "f:labels": {"f:team": {}, "f:application": {}}});
        let template = json!({"f:template": {"f:metadata": {"f:labels": {"f:tier": {}}}, "f:spec": {"f:containers": {}}}});
        let managed = json!([
            {"manager": "pgherd", "operation": "Apply", "fieldsV1": {"f:metadata": annotations, "f:spec": template}},
            {"manager": "somebody", "operation": "Update", "fieldsV1": {"f:metadata": {"f:annotations": {"f:b": {}}}}},
        ]);
        let whole = Whole::of(json!({"metadata": {"name": "s", "managedFields": managed}})).unwrap();
        let kept = json!([{"manager": "pgherd", "fieldsV1": {
            "f:metadata": {"f:annotations": {"f:a": {}}},
            "f:spec": {"f:template": {"f:metadata": {"f:labels": {"f:tier": {}}}}},
        }}]);
        assert_eq!(whole.value["metadata"]["managedFields"], kept);
        assert!(whole.metadata.managed_fields.is_some());
        let plain = json!([{"manager": "pgherd", "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}}]);
        let whole = Whole::of(json!({"metadata": {"name": "s", "managedFields": plain}})).unwrap();
        assert!(whole.value["metadata"].get("managedFields").is_none());
    }

    #[test]
    fn what_cannot_be_decoded_is_not_quoted() {
        let text = r#"{"metadata":{"name":{"hunter2":1}}}"#;
        let error = serde_json::from_str::<Whole>(text).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(Whole::of(json!({"data": {}})).is_some());
    }

    #[test]
    fn what_we_wrote_otherwise_than_by_apply_is_noticed() {
        let written = |entry: Value| {
            let object = json!({"metadata": {"managedFields": [{"manager": "kubectl", "operation": "Update"}, entry]}});
            Whole::of(object).unwrap().is_updated
        };
        assert!(written(json!({"manager": FIELD_MANAGER, "operation": "Update"})));
        for other in [
            json!({"manager": FIELD_MANAGER, "operation": "Apply"}),
            json!({"manager": FIELD_MANAGER, "operation": "Update", "subresource": "status"}),
        ] {
            assert!(!written(other.clone()), "{other}");
        }
    }
}
