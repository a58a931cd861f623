//! Metadata of an object, decoded no further than we read it. Must not: know kinds.
//!
//! Of `ObjectMeta` the largest part is managedFields, each entry of which would become a tree of JSON values, with every event.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference, Time};
use kube::Resource;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use serde::{Deserialize, Deserializer};

/// An object of which only the metadata is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Part {
    #[serde(default, deserialize_with = "metadata")]
    pub(super) metadata: ObjectMeta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Vec<String>>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    managed_fields: Option<Vec<Entry>>,
    name: Option<String>,
    namespace: Option<String>,
    owner_references: Option<Vec<OwnerReference>>,
    resource_version: Option<String>,
    uid: Option<String>,
}

/// Who has written something, and how; not what.
#[derive(Deserialize)]
struct Entry {
    manager: Option<String>,
    operation: Option<String>,
    subresource: Option<String>,
}

/// Of managedFields it has who, and not what.
pub(super) fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let found = Option::<Metadata>::deserialize(deserializer)?.unwrap_or_default();
    let entry = |entry: Entry| ManagedFieldsEntry {
        manager: entry.manager,
        operation: entry.operation,
        subresource: entry.subresource,
        ..ManagedFieldsEntry::default()
    };
    let managed = found.managed_fields;
    Ok(ObjectMeta {
        annotations: found.annotations,
        creation_timestamp: found.creation_timestamp,
        deletion_timestamp: found.deletion_timestamp,
        finalizers: found.finalizers,
        generation: found.generation,
        labels: found.labels,
        managed_fields: managed.map(|entries| entries.into_iter().map(entry).collect()),
        name: found.name,
        namespace: found.namespace,
        owner_references: found.owner_references,
        resource_version: found.resource_version,
        uid: found.uid,
        ..ObjectMeta::default()
    })
}

impl Resource for Part {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn metadata_api() -> bool {
        true
    }

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

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use kube::core::{ObjectList, WatchEvent};
    use serde_json::json;

    use super::*;

    #[test]
    fn all_that_is_read_is_decoded_and_of_managed_fields_who_wrote() {
        let text = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {
            "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7", "generation": 3, "selfLink": "x",
            "labels": {"team": "acid"}, "annotations": {"k": "v"}, "finalizers": ["f"],
            "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
            "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "o", "uid": "p", "controller": true}],
            "managedFields": [{"manager": "m", "operation": "Update", "subresource": "status", "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {"f:phase": {}}}}],
        }});
        let all: ObjectMeta = serde_json::from_value(text["metadata"].clone()).unwrap();
        let part: Part = serde_json::from_str(&text.to_string()).unwrap();
        let mut expected = ObjectMeta {
            self_link: None,
            ..all
        };
        for entry in expected.managed_fields.iter_mut().flatten() {
            (entry.time, entry.fields_type, entry.fields_v1) = (None, None, None);
        }
        assert_eq!(part.metadata, expected);
    }

    #[test]
    fn a_watch_and_a_list_tell_of_metadata() {
        let event = r#"{"object":{"metadata":{"name":"a","labels":null}},"type":"MODIFIED"}"#;
        let event: WatchEvent<Part> = serde_json::from_str(event).unwrap();
        let WatchEvent::Modified(part) = event else {
            panic!("{event:?}");
        };
        assert_eq!(part.metadata.name.as_deref(), Some("a"));
        let list = r#"{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{},
            "items":[{"metadata":{"name":"a"}},{"metadata":null},{}]}"#;
        let list: ObjectList<Part> = serde_json::from_str(list).unwrap();
        assert_eq!(list.items.len(), 3);
        assert!(Part::metadata_api(), "the rest is not sent");
    }
}
