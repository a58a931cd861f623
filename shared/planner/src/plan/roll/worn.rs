//! What live pods are given as they run. Lives here: labels and annotations that the template has got or lost since a pod was made, and the
//! mark of Zalando's operator on those that have to go, so that it goes on with a roll when it is given the cluster back. As it rolls what is
//! marked, nothing is before its time.
//!
//! What a template loses goes off the pods before it goes out of the template: a pod may have been given it as it ran, and then only the stored
//! template tells that it was.

use std::collections::{BTreeMap, BTreeSet};

use json_patch::PatchOperation;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use pgherd_model::names::annotations::{ROLL_MARKED, ROLLING_UPDATE_REQUIRED};
use pgherd_model::units::window;

use super::{Situation, Turn, outdated, steps};
use crate::observed::{Member, Source};
use crate::plan::{Action, Impact, Plan, Precondition, Reason, Step};

/// Patroni writes a member's state into this annotation.
const PATRONIS: &str = "status";
const YES: &str = "true";
const LABELS: &str = "labels";
const ANNOTATIONS: &str = "annotations";

type Worn = BTreeMap<String, String>;
type Changes = BTreeMap<String, Option<String>>;

pub(super) fn ensure(situation: &Situation<'_>, wanted: &StatefulSet, old: &[Member<'_>], plan: &mut Plan) {
    for member in situation.members.iter().filter(|member| !member.pod.terminating) {
        let (labels, annotations, reason) = if old.contains(member) {
            (Changes::new(), mark(situation, member), Reason::Marked)
        } else {
            let labels = since_made(situation, wanted, member, &member.pod.labels, labels);
            let mut annotations = since_made(situation, wanted, member, &member.pod.annotations, annotations);
            annotations.remove(PATRONIS);
            // While it waits in the middle of a roll, the marks tell that it is.
            if situation.turn == Turn::Taken {
                annotations.extend(unmark(member));
            }
            (labels, annotations, Reason::Differs(vec!["/metadata".to_owned()]))
        };
        if labels.is_empty() && annotations.is_empty() {
            continue;
        }
        plan.steps.push(Step {
            reason,
            ..relabel(situation, member, labels, annotations)
        });
    }
    take_back(situation, plan);
}

/// Labels and annotations that leave the stored template by this very plan, off the pods that have them as it says.
fn take_back(situation: &Situation<'_>, plan: &mut Plan) {
    let stored = situation.stored.and_then(|stored| stored.spec.as_ref());
    let (Some((template, selector)), Some(place)) = (
        stored.map(|spec| (&spec.template, spec.selector.match_labels.as_ref())),
        plan.steps.iter().position(|step| !leaving(step).is_empty()),
    ) else {
        return;
    };
    let mut lost = leaving(&plan.steps[place]);
    // The StatefulSet would let go of its pods.
    lost.retain(|(_, key)| !selector.is_some_and(|selector| selector.contains_key(key)));
    let members = situation.members.iter().filter(|member| !member.pod.terminating);
    let steps: Vec<Step> = members
        .filter_map(|member| {
            let gone = |part: &str, given: &Worn, has: &Worn| -> Changes {
                let keys = lost.iter().filter(|(of, _)| of == part).map(|(_, key)| key);
                keys.filter(|key| given.contains_key(*key) && has.get(*key) == given.get(*key))
                    .map(|key| (key.clone(), None))
                    .collect()
            };
            let labels = gone(LABELS, &labels(template), &member.pod.labels);
            let annotations = gone(ANNOTATIONS, &annotations(template), &member.pod.annotations);
            let is_any = !labels.is_empty() || !annotations.is_empty();
            is_any.then(|| relabel(situation, member, labels, annotations))
        })
        .collect();
    plan.steps.splice(place..place, steps);
}

fn relabel(situation: &Situation<'_>, member: &Member<'_>, labels: Changes, annotations: Changes) -> Step {
    let target = steps::pod(situation, member);
    Step {
        precondition: Precondition::SameObject(target.uid.clone()),
        action: Action::Relabel {
            target,
            labels,
            annotations,
        },
        reason: Reason::Differs(vec!["/metadata".to_owned()]),
        impact: Impact::None,
    }
}

/// What a change of the StatefulSet takes out of the metadata of its template: the part and the key.
fn leaving(step: &Step) -> Vec<(String, String)> {
    let operations = match (&step.action, &step.reason) {
        (Action::Patch { operations, .. }, Reason::Differs(_)) if step.action.is_of_stateful_set() => {
            operations.0.as_slice()
        }
        _ => &[],
    };
    let removed = operations.iter().filter_map(|operation| match operation {
        PatchOperation::Remove(removed) => Some(&removed.path),
        _ => None,
    });
    let keys = removed.filter_map(|path| {
        let tokens: Vec<String> = path.tokens().map(|token| token.decoded().into_owned()).collect();
        match tokens.as_slice() {
            [spec, template, metadata, part, key]
                if [spec, template, metadata] == ["spec", "template", "metadata"] =>
            {
                Some((part.clone(), key.clone()))
            }
            _ => None,
        }
    });
    keys.collect()
}

fn mark(situation: &Situation<'_>, member: &Member<'_>) -> Changes {
    let is_time = situation.turn == Turn::Taken && window::is_open(&situation.cluster.windows, situation.now);
    if outdated::is_marked(member) || !is_time {
        return Changes::new();
    }
    let yes = |key: &str| (key.to_owned(), Some(YES.to_owned()));
    Changes::from([yes(ROLLING_UPDATE_REQUIRED), yes(ROLL_MARKED)])
}

/// The edit that asked for the roll was taken back.
fn unmark(member: &Member<'_>) -> Changes {
    if !member.pod.annotations.contains_key(ROLL_MARKED) {
        return Changes::new();
    }
    let gone = |key: &str| (key.to_owned(), None);
    Changes::from([gone(ROLLING_UPDATE_REQUIRED), gone(ROLL_MARKED)])
}

/// What others wrote on the pod stays.
fn since_made(
    situation: &Situation<'_>,
    wanted: &StatefulSet,
    member: &Member<'_>,
    has: &Worn,
    part: fn(&PodTemplateSpec) -> Worn,
) -> Changes {
    let Some(wanted) = wanted.spec.as_ref().map(|spec| part(&spec.template)) else {
        return Changes::new();
    };
    let new = wanted
        .iter()
        .filter(|(key, value)| has.get(*key) != Some(*value))
        .map(|(key, value)| (key.clone(), Some(value.clone())));
    let lost = gone_since_made(situation, member, part)
        .into_iter()
        .filter(|key| !wanted.contains_key(key) && has.contains_key(key))
        .map(|key| (key, None));
    new.chain(lost).collect()
}

/// The keys that the pod got from its own template, and that the stored one has no more. None that the StatefulSet finds its pods by.
fn gone_since_made(
    situation: &Situation<'_>,
    member: &Member<'_>,
    part: fn(&PodTemplateSpec) -> Worn,
) -> BTreeSet<String> {
    let stored = situation.stored.and_then(|stored| stored.spec.as_ref());
    let own = situation.observed.templates.get(&member.pod.revision);
    let (Some(stored), Some(Source::Known(Some(own)))) = (stored, own) else {
        return BTreeSet::new();
    };
    let (kept, selector) = (part(&stored.template), stored.selector.match_labels.as_ref());
    let mut keys: BTreeSet<String> = part(own).into_keys().collect();
    keys.retain(|key| !kept.contains_key(key));
    keys.retain(|key| !selector.is_some_and(|selector| selector.contains_key(key)));
    keys
}

fn annotations(template: &PodTemplateSpec) -> Worn {
    let metadata = template.metadata.as_ref();
    metadata
        .and_then(|metadata| metadata.annotations.clone())
        .unwrap_or_default()
}

fn labels(template: &PodTemplateSpec) -> Worn {
    let metadata = template.metadata.as_ref();
    metadata
        .and_then(|metadata| metadata.labels.clone())
        .unwrap_or_default()
}
