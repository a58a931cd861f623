//! The StatefulSet around the pod template (zalando-behaviour 3.3).

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource, Pod, Volume,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use pgherd_model::config::{ClaimFate, PodManagement};
use pgherd_model::names::Role;
use pgherd_model::names::objects::DATA_VOLUME;

use super::metadata::non_empty;
use super::{Blueprint, pod};
use crate::observed::PodEnvironment;

pub(super) fn build(blueprint: Blueprint<'_>, environment: &PodEnvironment) -> StatefulSet {
    let (cluster, config, names) = (blueprint.cluster, blueprint.config, blueprint.names);
    let mut annotations = cluster.inherited.annotations.clone();
    annotations.extend(cluster.inherited.downscaler_annotations.clone());
    let management = match config.kubernetes.pod_management_policy {
        PodManagement::OrderedReady => "OrderedReady",
        PodManagement::Parallel => "Parallel",
    };
    StatefulSet {
        metadata: blueprint.metadata(names.stateful_set().to_owned(), blueprint.labels(), annotations),
        spec: Some(StatefulSetSpec {
            replicas: Some(cluster.instances),
            selector: LabelSelector {
                match_labels: Some(names.selector()),
                match_expressions: None,
            },
            service_name: Some(names.service(Role::Primary)),
            template: pod::template(blueprint, environment),
            volume_claim_templates: Some(vec![claim(blueprint)]),
            // Pods go only when we say so: replicas first, then the primary after a switchover.
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                rolling_update: None,
            }),
            pod_management_policy: Some(management.to_owned()),
            persistent_volume_claim_retention_policy: Some(retention(blueprint)),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

/// A pod as Kubernetes would make it of the template, under a name of its own: to ask an API server whether it takes it. Never to be stored.
pub fn trial_pod(stateful_set: &StatefulSet, pod: &str) -> Pod {
    let Some(spec) = &stateful_set.spec else {
        return Pod::default();
    };
    let metadata = spec.template.metadata.clone().unwrap_or_default();
    let mut pod_spec = spec.template.spec.clone().unwrap_or_default();
    let claims = spec.volume_claim_templates.iter().flatten();
    let names = claims.filter_map(|claim| claim.metadata.name.as_deref());
    let volumes = names.map(|name| Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: format!("{name}-{pod}"),
            read_only: None,
        }),
        ..Volume::default()
    });
    pod_spec.volumes.get_or_insert_default().extend(volumes);
    pod_spec.hostname = Some(pod.to_owned());
    pod_spec.subdomain.clone_from(&spec.service_name);
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{pod}-try-")),
            namespace: stateful_set.metadata.namespace.clone(),
            labels: metadata.labels,
            annotations: metadata.annotations,
            ..ObjectMeta::default()
        },
        spec: Some(pod_spec),
        status: None,
    }
}

fn retention(blueprint: Blueprint<'_>) -> StatefulSetPersistentVolumeClaimRetentionPolicy {
    let retention = blueprint
        .config
        .kubernetes
        .persistent_volume_claim_retention_policy;
    let word = |fate| {
        Some(match fate {
            ClaimFate::Delete => "Delete".to_owned(),
            ClaimFate::Retain => "Retain".to_owned(),
        })
    };
    StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: word(retention.when_deleted),
        when_scaled: word(retention.when_scaled),
    }
}

/// Claims have no owner: data must outlive the object.
fn claim(blueprint: Blueprint<'_>) -> PersistentVolumeClaim {
    let storage = &blueprint.cluster.storage;
    let requests = BTreeMap::from([("storage".to_owned(), Quantity(storage.size.to_string()))]);
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(DATA_VOLUME.to_owned()),
            labels: Some(blueprint.labels()),
            annotations: non_empty(blueprint.inherited_annotations()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some(requests),
                limits: None,
            }),
            storage_class_name: storage.class.clone(),
            selector: storage.selector.clone(),
            volume_mode: Some("Filesystem".to_owned()),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}
