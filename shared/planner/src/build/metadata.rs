//! Metadata that all objects share: names, labels, inherited annotations, owners (zalando-behaviour 3.1).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_model::names::{Labels, Role};

use super::Blueprint;

impl Blueprint<'_> {
    /// The labels on every object.
    pub(super) fn labels(self) -> Labels {
        self.names
            .labels(&self.cluster.identity.team, &self.cluster.inherited.labels)
    }

    /// The labels on the objects of a role.
    pub(super) fn role_labels(self, role: Role) -> Labels {
        self.names
            .role_labels(role, &self.cluster.identity.team, &self.cluster.inherited.labels)
    }

    /// Metadata of an object of the cluster, with its owners.
    pub(super) fn metadata(self, name: String, labels: Labels, annotations: Labels) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.names.namespace().to_owned()),
            labels: Some(labels),
            annotations: non_empty(annotations),
            owner_references: Some(self.cluster.inherited.owner_references.clone())
                .filter(|owners| !owners.is_empty()),
            ..ObjectMeta::default()
        }
    }

    /// Annotations that every object inherits.
    pub(super) fn inherited_annotations(self) -> Labels {
        self.cluster.inherited.annotations.clone()
    }
}

/// None for an empty map: absent and empty are the same, and absent is what the API server gives back.
pub(super) fn non_empty(map: Labels) -> Option<Labels> {
    Some(map).filter(|map| !map.is_empty())
}
