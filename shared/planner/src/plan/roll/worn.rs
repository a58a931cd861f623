//! What live pods are given as they run. Lives here: labels and annotations that the template has got or lost since a pod was made, and the
//! mark of Zalando's operator on those that have to go, so that it goes on with a roll when it is given the cluster back. As it rolls what is
//! marked, nothing is before its time.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use pgherd_model::names::annotations::{ROLL_MARKED, ROLLING_UPDATE_REQUIRED};
use pgherd_model::units::window;

use super::{Situation, Turn, outdated, steps};
use crate::observed::{Member, Source};
use crate::plan::{Action, Plan, Precondition, Reason};

/// Patroni writes a member's state into this annotation.
const PATRONIS: &str = "status";
const YES: &str = "true";

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
        let target = steps::pod(situation, member);
        let same = Precondition::SameObject(target.uid.clone());
        let action = Action::Relabel {
            target,
            labels,
            annotations,
        };
        plan.quiet(action, reason, same);
    }
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
