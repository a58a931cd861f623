//! Where pods may run, by the rules of Kubernetes: a StatefulSet that breaks them is refused, and no pod is ever made.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, Toleration, TopologySpreadConstraint},
    apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement,
};

use super::{
    super::{Hit, Subject},
    syntax,
};

const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub(in super::super) fn kubernetes_takes_it(subject: &Subject<'_>) -> Vec<Hit> {
    let spec = &subject.spec;
    let mut hits = affinity(subject);
    for (index, toleration) in spec.tolerations.iter().enumerate() {
        let path = format!("spec.tolerations[{index}]");
        hits.extend(
            toleration_problem(toleration)
                .map(|(field, problem)| Hit::new(format!("{path}{field}"), problem)),
        );
    }
    let mut seen = BTreeSet::new();
    for (index, constraint) in spec.topology_spread_constraints.iter().enumerate() {
        let path = format!("spec.topologySpreadConstraints[{index}]");
        hits.extend(spread(constraint, &path));
        if !seen.insert((&constraint.topology_key, &constraint.when_unsatisfiable)) {
            let message = "repeats topologyKey and whenUnsatisfiable of another constraint; keep one of them";
            hits.push(Hit::new(path, message));
        }
    }
    let names = [
        ("podPriorityClassName", &spec.pod_priority_class_name),
        ("schedulerName", &spec.scheduler_name),
    ];
    for (field, name) in names {
        let name = name.as_deref().filter(|name| !name.is_empty());
        if let Some(name) = name.filter(|name| !syntax::is_subdomain(name)) {
            let message = format!("{name:?} cannot be a name: lower-case letters, digits, dashes and dots");
            hits.push(Hit::new(format!("spec.{field}"), message));
        }
    }
    hits
}

fn affinity(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(affinity) = subject.spec.node_affinity.as_ref() else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    if let Some(required) = &affinity.required_during_scheduling_ignored_during_execution {
        let path = "spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
        if required.node_selector_terms.is_empty() {
            hits.push(Hit::new(path, "is empty; give at least one term"));
        }
        for (index, term) in required.node_selector_terms.iter().enumerate() {
            hits.extend(node_term(term, &format!("{path}[{index}]")));
        }
    }
    let preferred = affinity
        .preferred_during_scheduling_ignored_during_execution
        .iter();
    for (index, preferred) in preferred.flatten().enumerate() {
        let path = format!("spec.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[{index}]");
        if !(1..=100).contains(&preferred.weight) {
            let message = format!("{} is no weight; allowed are 1 to 100", preferred.weight);
            hits.push(Hit::new(format!("{path}.weight"), message));
        }
        hits.extend(node_term(&preferred.preference, &format!("{path}.preference")));
    }
    hits
}

fn node_term(term: &NodeSelectorTerm, path: &str) -> Vec<Hit> {
    let parts = [
        ("matchExpressions", &term.match_expressions),
        ("matchFields", &term.match_fields),
    ];
    let mut hits = Vec::new();
    for (field, requirements) in parts {
        for (index, requirement) in requirements.iter().flatten().enumerate() {
            let path = format!("{path}.{field}[{index}]");
            hits.extend(node_requirement(requirement).map(|problem| Hit::new(path, problem)));
        }
    }
    hits
}

fn node_requirement(requirement: &NodeSelectorRequirement) -> Option<String> {
    let values = requirement.values.as_deref().unwrap_or_default();
    let operator = requirement.operator.as_str();
    match operator {
        _ if !syntax::is_qualified(&requirement.key) => {
            Some(format!("{:?} cannot be the key of a label", requirement.key))
        }
        "In" | "NotIn" if values.is_empty() => Some(format!("{operator} needs values")),
        "Exists" | "DoesNotExist" if !values.is_empty() => Some(format!("{operator} takes no values")),
        "Gt" | "Lt" if values.len() != 1 || values.iter().any(|value| value.parse::<i64>().is_err()) => {
            Some(format!("{operator} takes one whole number"))
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => None,
        _ => Some(format!(
            "{operator:?} is no operator; allowed are In, NotIn, Exists, DoesNotExist, Gt, Lt"
        )),
    }
}

fn toleration_problem(toleration: &Toleration) -> Option<(&'static str, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (key, value, effect) = (
        text(&toleration.key),
        text(&toleration.value),
        text(&toleration.effect),
    );
    let operator = text(&toleration.operator);
    let exists = operator == "Exists";
    if !matches!(operator.as_str(), "" | "Equal" | "Exists" | "Lt" | "Gt") {
        let problem = format!("{operator:?} is no operator; allowed are Exists and Equal");
        return Some((".operator", problem));
    }
    if key.is_empty() && !exists {
        return Some((".operator", "must be Exists where there is no key".to_owned()));
    }
    if !key.is_empty() && !syntax::is_qualified(&key) {
        return Some((".key", format!("{key:?} cannot be the key of a taint")));
    }
    if exists && !value.is_empty() {
        return Some((".value", "must be empty where the operator is Exists".to_owned()));
    }
    if !effect.is_empty() && !EFFECTS.contains(&effect.as_str()) {
        let problem = format!("{effect:?} is no effect; allowed are {}", EFFECTS.join(", "));
        return Some((".effect", problem));
    }
    let timed = toleration.toleration_seconds.is_some() && effect != "NoExecute";
    timed.then(|| {
        (
            ".effect",
            "must be NoExecute where there are tolerationSeconds".to_owned(),
        )
    })
}

fn spread(constraint: &TopologySpreadConstraint, path: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut hit = |field: &str, problem: String| hits.push(Hit::new(format!("{path}.{field}"), problem));
    if constraint.max_skew < 1 {
        hit(
            "maxSkew",
            format!("{} is too small; give at least 1", constraint.max_skew),
        );
    }
    if !syntax::is_qualified(&constraint.topology_key) {
        hit(
            "topologyKey",
            format!(
                "{:?} cannot be the key of a label of nodes",
                constraint.topology_key
            ),
        );
    }
    let when = constraint.when_unsatisfiable.as_str();
    if !matches!(when, "DoNotSchedule" | "ScheduleAnyway") {
        hit(
            "whenUnsatisfiable",
            format!("{when:?} is not known; allowed are DoNotSchedule and ScheduleAnyway"),
        );
    }
    if let Some(domains) = constraint.min_domains
        && (domains < 1 || when != "DoNotSchedule")
    {
        hit(
            "minDomains",
            "must be at least 1, and goes with whenUnsatisfiable: DoNotSchedule only".to_owned(),
        );
    }
    let policies = [
        ("nodeAffinityPolicy", &constraint.node_affinity_policy),
        ("nodeTaintsPolicy", &constraint.node_taints_policy),
    ];
    for (field, policy) in policies {
        let unknown = |policy: &&String| !matches!(policy.as_str(), "Honor" | "Ignore");
        if let Some(policy) = policy.as_ref().filter(unknown) {
            hit(
                field,
                format!("{policy:?} is not known; allowed are Honor and Ignore"),
            );
        }
    }
    let selector = constraint.label_selector.as_ref();
    let requirements = selector.and_then(|selector| selector.match_expressions.as_ref());
    for (index, requirement) in requirements.into_iter().flatten().enumerate() {
        if let Some(problem) = label_requirement(requirement) {
            hit(&format!("labelSelector.matchExpressions[{index}]"), problem);
        }
    }
    hits
}

fn label_requirement(requirement: &LabelSelectorRequirement) -> Option<String> {
    let empty = requirement.values.as_ref().is_none_or(Vec::is_empty);
    match requirement.operator.as_str() {
        _ if !syntax::is_qualified(&requirement.key) => {
            Some(format!("{:?} cannot be the key of a label", requirement.key))
        }
        "In" | "NotIn" if empty => Some(format!("{} needs values", requirement.operator)),
        "Exists" | "DoesNotExist" if !empty => Some(format!("{} takes no values", requirement.operator)),
        "In" | "NotIn" | "Exists" | "DoesNotExist" => None,
        other => Some(format!(
            "{other:?} is no operator; allowed are In, NotIn, Exists, DoesNotExist"
        )),
    }
}

/// A constraint counts the pods that its selector finds: without one it counts none, and nothing is spread.
pub(in super::super) fn spread_has_an_effect(subject: &Subject<'_>) -> Vec<Hit> {
    let constraints = subject.spec.topology_spread_constraints.iter().enumerate();
    let idle = constraints.filter(|(_, constraint)| constraint.label_selector.is_none());
    let label = &subject.config.kubernetes.cluster_name_label;
    let cluster = subject.object.metadata.name.as_deref().unwrap_or_default();
    idle.map(|(index, _)| {
        Hit::new(
            format!("spec.topologySpreadConstraints[{index}].labelSelector"),
            format!("is missing: nothing is spread; add matchLabels: {{{label}: {cluster}}}"),
        )
    })
    .collect()
}
