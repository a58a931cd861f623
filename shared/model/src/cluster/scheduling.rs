//! Where the pods may run (zalando-behaviour 3.3). Keeping the members apart is the operator's decision alone and not here.

use k8s_openapi::api::core::v1::{
    NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Toleration,
    TopologySpreadConstraint,
};

use super::reading::Reading;
use crate::config::ReadinessMerge;

/// Where the pods may run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scheduling {
    /// Nodes, from the manifest and the operator's readiness label.
    pub node_affinity: Option<NodeAffinity>,
    /// Taints that are tolerated.
    pub tolerations: Vec<Toleration>,
    /// Spread over nodes and zones.
    pub topology_spread: Vec<TopologySpreadConstraint>,
    /// Scheduler; none leaves it to Kubernetes.
    pub scheduler: Option<String>,
    /// Priority class; none leaves it to Kubernetes.
    pub priority_class: Option<String>,
}

pub(super) fn read(reading: &Reading<'_>) -> Scheduling {
    let (spec, config) = (reading.spec, &reading.config.kubernetes);
    let own_priority = spec
        .pod_priority_class_name
        .clone()
        .filter(|name| !name.is_empty());
    Scheduling {
        node_affinity: node_affinity(reading),
        tolerations: tolerations(reading),
        topology_spread: spec.topology_spread_constraints.clone(),
        scheduler: spec.scheduler_name.clone().filter(|name| !name.is_empty()),
        priority_class: own_priority.or_else(|| config.pod_priority_class_name.clone()),
    }
}

/// The manifest's, or else the operator's single one.
fn tolerations(reading: &Reading<'_>) -> Vec<Toleration> {
    if !reading.spec.tolerations.is_empty() {
        return reading.spec.tolerations.clone();
    }
    let operator = &reading.config.kubernetes.toleration;
    let part = |name: &str| operator.get(name).filter(|value| !value.is_empty()).cloned();
    let toleration = Toleration {
        key: part("key"),
        operator: part("operator"),
        value: part("value"),
        effect: part("effect"),
        toleration_seconds: None,
    };
    if toleration == Toleration::default() {
        Vec::new()
    } else {
        vec![toleration]
    }
}

/// The manifest's affinity and the operator's readiness label. Where the manifest requires nothing, the label becomes the one requirement;
/// where it does, the label becomes one more term or a part of each, as configured.
fn node_affinity(reading: &Reading<'_>) -> Option<NodeAffinity> {
    let ready = readiness(reading);
    let Some(mut affinity) = reading.spec.node_affinity.clone() else {
        return ready.map(require);
    };
    let Some(ready) = ready else {
        return Some(affinity);
    };
    match affinity
        .required_during_scheduling_ignored_during_execution
        .as_mut()
    {
        None => affinity.required_during_scheduling_ignored_during_execution = Some(selector(ready)),
        Some(required) => match reading.config.kubernetes.node_readiness_label_merge {
            Some(ReadinessMerge::Or) => required.node_selector_terms.push(ready),
            Some(ReadinessMerge::And) => merge_into_each(&mut required.node_selector_terms, &ready),
            None => {}
        },
    }
    Some(affinity)
}

fn merge_into_each(terms: &mut [NodeSelectorTerm], ready: &NodeSelectorTerm) {
    for term in terms {
        term.match_expressions
            .get_or_insert_default()
            .extend(ready.match_expressions.iter().flatten().cloned());
    }
}

/// The readiness labels as one term, sorted by key so that it is always the same; none when there are none.
fn readiness(reading: &Reading<'_>) -> Option<NodeSelectorTerm> {
    let mut labels: Vec<_> = reading.config.kubernetes.node_readiness_label.iter().collect();
    labels.sort();
    let expressions = labels.into_iter().map(|(key, value)| NodeSelectorRequirement {
        key: key.clone(),
        operator: "In".to_owned(),
        values: Some(vec![value.clone()]),
    });
    let expressions: Vec<_> = expressions.collect();
    (!expressions.is_empty()).then_some(NodeSelectorTerm {
        match_expressions: Some(expressions),
        match_fields: None,
    })
}

fn require(term: NodeSelectorTerm) -> NodeAffinity {
    NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(selector(term)),
        preferred_during_scheduling_ignored_during_execution: None,
    }
}

fn selector(term: NodeSelectorTerm) -> NodeSelector {
    NodeSelector {
        node_selector_terms: vec![term],
    }
}
