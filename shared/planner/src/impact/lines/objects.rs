//! Volumes, services and the other objects of Kubernetes.

use std::collections::{BTreeMap, BTreeSet};

use pgherd_model::finding::{LINE_LIMIT, shorten};

use super::super::Change;
use super::super::text::{because, count, listed};
use crate::plan::{Action, Hold, HoldReason, Matter, Reason, Step};

/// Fields that rules of validation speak about.
const TOLD_BY_RULES: &str = "/spec/volumeClaimTemplates";

/// What Kubernetes or a switch of the operator does not let happen now.
pub(super) fn held(change: &Change) -> Vec<String> {
    let told = |path: &&String| !path.starts_with(TOLD_BY_RULES) && path.starts_with('/');
    let line = |hold: &Hold| match &hold.reason {
        HoldReason::Immutable(paths) => {
            let paths: Vec<String> = paths
                .iter()
                .filter(told)
                .map(|path| path.trim_start_matches('/').replace('/', "."))
                .collect();
            let what = "stays until the StatefulSet is made anew: ";
            (!paths.is_empty()).then(|| listed(what, &paths, ""))
        }
        HoldReason::SwitchedOff(switch) if matches!(hold.matter, Matter::Image(_)) => Some(format!(
            "keeps the running pods on their image until they roll for another reason ({switch})"
        )),
        HoldReason::SwitchedOff(switch) => {
            let line = format!("does not change the {}: {switch}", hold.matter);
            Some(shorten(&line, LINE_LIMIT))
        }
        _ => None,
    };
    change.plan.holds.iter().filter_map(line).collect()
}

/// Volumes that grow, by the sizes from which they do.
pub(super) fn volumes(change: &Change) -> Vec<String> {
    let mut grown: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for step in &change.plan.steps {
        if let (Action::GrowClaim { .. }, Reason::Grown { from, to }) = (&step.action, &step.reason) {
            *grown.entry((from, to)).or_default() += 1;
        }
    }
    grown
        .iter()
        .map(|((from, to), number)| format!("grows {} from {from} to {to}", count(*number, "volume")))
        .collect()
}

/// Services that change, and in which respect.
pub(super) fn services(change: &Change) -> Option<String> {
    let (mut names, mut respects) = (Vec::new(), BTreeSet::new());
    for step in &change.plan.steps {
        if let Some(("Service", name)) = target(step) {
            names.push(name.to_owned());
            if let Reason::Differs(paths) = &step.reason {
                respects.extend(paths.iter().map(|path| respect(path)));
            }
        }
    }
    if names.is_empty() {
        return None;
    }
    let word = if names.len() == 1 { "service" } else { "services" };
    let respects: Vec<String> = respects.into_iter().map(str::to_owned).collect();
    Some(because(
        &listed(&format!("changes {word} "), &names, ""),
        &respects,
    ))
}

fn respect(path: &str) -> &'static str {
    let starts = |start: &str| path.starts_with(start);
    match path {
        "/spec/type" => "type",
        _ if starts("/spec/loadBalancerSourceRanges") => "source ranges",
        _ if starts("/spec/ports") => "ports",
        _ if starts("/spec/selector") => "selector",
        "/spec/externalTrafficPolicy" => "traffic policy",
        _ if starts("/metadata/annotations") => "annotations",
        _ if starts("/metadata/labels") => "labels",
        _ if starts("/metadata/ownerReferences") => "owners",
        _ => "other fields",
    }
}

/// What else is written, by kind, where the lines before do not imply it.
pub(super) fn others(change: &Change) -> Option<String> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let rolls = change.rolled() > 0;
    let scales = change.before.cluster.instances != change.after.cluster.instances;
    for step in &change.plan.steps {
        let kind = match (&step.action, target(step)) {
            (Action::LabelSecret(_), _) => "secret",
            (_, Some(("StatefulSet", _))) if rolls => continue,
            (_, Some(("PodDisruptionBudget", _))) if scales => continue,
            (_, Some(("StatefulSet", _))) => "stateful set",
            (_, Some(("PodDisruptionBudget", _))) => "disruption budget",
            (_, Some(("ServiceAccount", _))) => "service account",
            (_, Some(("RoleBinding", _))) => "role binding",
            (_, Some(("Endpoints", _))) => "endpoints object",
            _ => continue,
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let counted: Vec<String> = kinds.iter().map(|(kind, number)| count(*number, kind)).collect();
    (!counted.is_empty()).then(|| listed("updates in place: ", &counted, ""))
}

/// Kind and name of the object that a step writes.
fn target(step: &Step) -> Option<(&str, &str)> {
    match &step.action {
        Action::Apply(object) => Some((object.kind(), object.metadata().name.as_deref()?)),
        Action::Patch { target, .. } => Some((&target.kind, &target.name)),
        _ => None,
    }
}
