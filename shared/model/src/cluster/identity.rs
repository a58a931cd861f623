//! Who the cluster is, and what its objects take over from the `postgresql` object (zalando-behaviour 3.1).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use regex_lite::Regex;

use super::{
    reading::{Reading, pick},
    rules,
};
use crate::{
    api::API_VERSION,
    default,
    names::{Labels, objects::CLUSTER_NAME_LIMIT},
};

/// Who a cluster is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Namespace of the `postgresql` object and of nearly all that belongs to it.
    pub namespace: String,
    /// Its name; also Patroni's scope.
    pub name: String,
    /// Its uid: part of the path of its backups. Empty before the object is stored.
    pub uid: String,
    /// Generation of the spec that was parsed; 0 before the object is stored.
    pub generation: i64,
    /// The owning team.
    pub team: String,
}

/// What the cluster's objects take over from the `postgresql` object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inherited {
    /// Labels on every object.
    pub labels: Labels,
    /// Annotations on every object.
    pub annotations: Labels,
    /// Further annotations on StatefulSet and pooler, by which others scale them down.
    pub downscaler_annotations: Labels,
    /// Owners of every object but claims and secrets in other namespaces: those of the `postgresql` object, and itself where configured.
    pub owner_references: Vec<OwnerReference>,
}

pub(super) fn read(reading: &mut Reading<'_>) -> Identity {
    let meta = reading.meta;
    let name = meta.name.clone().unwrap_or_default();
    if let Some(problem) = name_problem(&name) {
        reading.violate(rules::NAME, "metadata.name", problem);
    }
    Identity {
        namespace: meta.namespace.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        team: reading
            .spec
            .team_id
            .clone()
            .unwrap_or_else(|| default::team(&name).to_owned()),
        name,
    }
}

fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("is missing".to_owned());
    }
    if name.len() > CLUSTER_NAME_LIMIT {
        return Some(format!(
            "{name:?} is longer than {CLUSTER_NAME_LIMIT} characters: the replica service appends to it and ends at 63",
        ));
    }
    (!is_dns_label(name)).then(|| {
        format!("{name:?} must start with a lower-case letter, go on with those, digits and dashes, and not end with a dash")
    })
}

/// RFC 1035: what the name of a service must be.
pub(crate) fn is_dns_label(name: &str) -> bool {
    let inner = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    inner && name.starts_with(|first: char| first.is_ascii_lowercase()) && !name.ends_with('-')
}

pub(super) fn inherit(reading: &Reading<'_>, identity: &Identity) -> Inherited {
    let (meta, config) = (reading.meta, &reading.config.kubernetes);
    let mut owner_references = meta.owner_references.clone().unwrap_or_default();
    if config.enable_owner_references {
        owner_references.push(OwnerReference {
            api_version: API_VERSION.to_owned(),
            kind: "postgresql".to_owned(),
            name: identity.name.clone(),
            uid: identity.uid.clone(),
            controller: Some(true),
            block_owner_deletion: None,
        });
    }
    Inherited {
        labels: pick(meta.labels.as_ref(), &config.inherited_labels),
        annotations: pick(meta.annotations.as_ref(), &config.inherited_annotations),
        downscaler_annotations: matching(reading),
        owner_references,
    }
}

/// The annotations whose keys one of the configured expressions matches anywhere. An expression that is none matches nothing.
fn matching(reading: &Reading<'_>) -> Labels {
    let patterns: Vec<Regex> = reading
        .config
        .kubernetes
        .downscaler_annotations
        .iter()
        .filter_map(|pattern| Regex::new(pattern).ok())
        .collect();
    let annotations = reading.meta.annotations.iter().flatten();
    annotations
        .filter(|(key, _)| patterns.iter().any(|pattern| pattern.is_match(key)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
