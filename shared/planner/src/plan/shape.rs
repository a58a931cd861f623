//! What of a template pods are made anew for. Lives here: which parts running pods are given as they run, or never read. Must not: compare
//! (`diff`), or decide what is made anew (`roll`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, EnvVar, PodTemplateSpec, WeightedPodAffinityTerm};
use pgherd_model::names::env::SPILO_CONFIGURATION;

use crate::build::spilo;

pub(super) mod first_start;

/// Two templates of which this is the same ask for the same pods.
pub fn shape(template: &PodTemplateSpec) -> PodTemplateSpec {
    let [Some(mut template), _] = first_start::forgotten(Some(template), None) else {
        return template.clone();
    };
    template.metadata = None;
    let Some(spec) = template.spec.as_mut() else {
        return template;
    };
    if let Some(affinity) = spec.affinity.as_mut() {
        forget_labels(affinity);
    }
    let containers = spec.containers.iter_mut();
    let variables = containers.flat_map(|container| container.env.iter_mut().flatten());
    for EnvVar { name, value, .. } in variables {
        if name == SPILO_CONFIGURATION {
            *value = value.as_deref().map(spilo::for_pods);
        }
    }
    template
}

/// The `kept` one with what running pods are given as they run, as it is `wanted`: labels, annotations, and the labels by which pods keep
/// apart.
pub(super) fn dressed(mut kept: PodTemplateSpec, wanted: &PodTemplateSpec) -> PodTemplateSpec {
    kept.metadata.clone_from(&wanted.metadata);
    let labels = wanted
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.as_ref());
    let affinity = kept.spec.as_mut().and_then(|spec| spec.affinity.as_mut());
    if let Some(affinity) = affinity {
        for labels_there in labels_of(affinity) {
            *labels_there = labels.cloned();
        }
    }
    kept
}

fn forget_labels(affinity: &mut Affinity) {
    for labels in labels_of(affinity) {
        *labels = None;
    }
}

/// By which labels pods are told that keep apart: all those of the template (`build::affinity`).
fn labels_of(affinity: &mut Affinity) -> impl Iterator<Item = &mut Option<BTreeMap<String, String>>> {
    let apart = affinity.pod_anti_affinity.as_mut();
    let (strict, lax) = apart.map_or((None, None), |it| {
        (
            it.required_during_scheduling_ignored_during_execution.as_mut(),
            it.preferred_during_scheduling_ignored_during_execution.as_mut(),
        )
    });
    let lax = lax
        .into_iter()
        .flatten()
        .map(|it: &mut WeightedPodAffinityTerm| &mut it.pod_affinity_term);
    let terms = strict.into_iter().flatten().chain(lax);
    terms.filter_map(|term| Some(&mut term.label_selector.as_mut()?.match_labels))
}

/// A difference at this place of a StatefulSet makes no pod anew.
pub(super) fn is_worn(path: &str) -> bool {
    const METADATA: [&str; 2] = [
        "/spec/template/metadata/annotations",
        "/spec/template/metadata/labels",
    ];
    const APART: &str = "/spec/template/spec/affinity/podAntiAffinity/";
    METADATA.iter().any(|worn| path.starts_with(worn))
        || path.starts_with(APART) && path.contains("/labelSelector/matchLabels/")
}
