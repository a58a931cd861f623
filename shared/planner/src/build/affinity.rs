//! Which nodes the pods want, and that they keep apart (zalando-behaviour 3.3).

use k8s_openapi::api::core::v1::{Affinity, PodAffinityTerm, PodAntiAffinity, WeightedPodAffinityTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::Blueprint;

pub(super) fn build(blueprint: Blueprint<'_>) -> Option<Affinity> {
    let node_affinity = blueprint.cluster.pod.scheduling.node_affinity.clone();
    let pod_anti_affinity = apart(blueprint);
    let is_wanted = node_affinity.is_some() || pod_anti_affinity.is_some();
    is_wanted.then_some(Affinity {
        node_affinity,
        pod_affinity: None,
        pod_anti_affinity,
    })
}

/// The pods are told by all their labels, the team's and inherited ones too: so does Zalando's operator, and another selector would roll
/// running clusters.
fn apart(blueprint: Blueprint<'_>) -> Option<PodAntiAffinity> {
    let kubernetes = &blueprint.config.kubernetes;
    if !kubernetes.enable_pod_antiaffinity {
        return None;
    }
    let term = PodAffinityTerm {
        label_selector: Some(LabelSelector {
            match_labels: Some(blueprint.labels()),
            match_expressions: None,
        }),
        topology_key: kubernetes.pod_antiaffinity_topology_key.clone(),
        ..PodAffinityTerm::default()
    };
    Some(if kubernetes.pod_antiaffinity_preferred_during_scheduling {
        PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                weight: 1,
                pod_affinity_term: term,
            }]),
            ..PodAntiAffinity::default()
        }
    } else {
        PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![term]),
            ..PodAntiAffinity::default()
        }
    })
}
