//! Which pods run something else than what is wanted. Lives here: the judgement, by the template that a pod was made of. Must not: order.
//!
//! A revision's name alone does not tell: Zalando's operator, and lazy upgrades, leave pods of earlier revisions that need nothing. So the
//! pod's own template is compared with the wanted one, by meaning.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use pgherd_model::names::annotations::{ROLL_MARKED, ROLLING_UPDATE_REQUIRED};
use serde_json::{Value, json};

use super::Situation;
use crate::diff::difference;
use crate::observed::{Member, Source};
use crate::plan::shape::first_start;
use crate::plan::{HoldReason, Matter, Plan, pod_passwords, shape};

const TEMPLATE: &str = "/spec/template/";

/// What a pod's template is in comparison with the wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Age {
    Current,
    /// Only its images are older.
    OldImage,
    Old,
    Unknown(String),
}

/// The pods that have to be made anew, by ordinal: those of an older template, and those that Zalando's operator marked for it.
pub(super) fn find<'a>(situation: &Situation<'a>, wanted: &StatefulSet, plan: &mut Plan) -> Vec<Member<'a>> {
    let latest = latest(situation, wanted, plan);
    let mut ages: BTreeMap<&str, Age> = BTreeMap::new();
    let mut old = Vec::new();
    let mut deferred = Vec::new();
    for member in &situation.members {
        let revision = member.pod.revision.as_str();
        let age = ages
            .entry(revision)
            .or_insert_with(|| age(situation, revision, wanted, &latest));
        match age {
            _ if is_marked(member) && (!is_marked_by_us(member) || knows_an_old_password(member)) => {
                old.push(*member);
            }
            Age::OldImage if situation.config.general.enable_lazy_spilo_upgrade => {
                deferred.push(member.pod.name.clone());
            }
            Age::Old | Age::OldImage => old.push(*member),
            Age::Current | Age::Unknown(_) => {}
        }
    }
    if !deferred.is_empty() {
        plan.hold(
            Matter::Image(deferred),
            HoldReason::SwitchedOff("enable_lazy_spilo_upgrade".to_owned()),
        );
    }
    for (revision, age) in ages {
        if let Age::Unknown(why) = age {
            plan.hold_unknown(Matter::Roll, &format!("template of revision {revision}"), &why);
        }
    }
    old
}

/// By either operator.
pub(super) fn is_marked(member: &Member<'_>) -> bool {
    let mark = member.pod.annotations.get(ROLLING_UPDATE_REQUIRED);
    mark.is_some_and(|value| value == "true")
}

/// No template tells that.
fn knows_an_old_password(member: &Member<'_>) -> bool {
    pod_passwords::whose(member.pod).is_some()
}

/// Then the template alone decides: the edit may have been taken back.
fn is_marked_by_us(member: &Member<'_>) -> bool {
    member.pod.annotations.contains_key(ROLL_MARKED)
}

/// Age of the stored template. What was found to differ is being changed by this very plan.
fn latest(situation: &Situation<'_>, wanted: &StatefulSet, plan: &Plan) -> Age {
    let is_changed = plan.steps.iter().any(|step| step.stateful_set_paths().is_some());
    match situation.stored.filter(|_| is_changed) {
        Some(stored) => compared(template(wanted), template(stored)),
        None => Age::Current,
    }
}

fn age(situation: &Situation<'_>, revision: &str, wanted: &StatefulSet, latest: &Age) -> Age {
    let latest_revision = situation.observed.latest_revision();
    let is_known = situation.observed.templates.contains_key(revision);
    let is_first = !is_known && situation.observed.is_in_its_first_revision();
    if is_first || revision.is_empty() || latest_revision == Some(revision) {
        return latest.clone();
    }
    match situation.observed.templates.get(revision) {
        Some(Source::Unknown(why)) => Age::Unknown(why.clone()),
        Some(Source::Known(Some(found))) => compared(template(wanted), Some(found)),
        // Kubernetes keeps the revision of every pod; one whose revision somebody removed is old for sure.
        Some(Source::Known(None)) | None if latest_revision.is_some() => Age::Old,
        Some(Source::Known(None)) | None => {
            Age::Unknown("kubernetes has not named the latest one yet".to_owned())
        }
    }
}

fn template(stateful_set: &StatefulSet) -> Option<&PodTemplateSpec> {
    stateful_set.spec.as_ref().map(|spec| &spec.template)
}

fn compared(wanted: Option<&PodTemplateSpec>, found: Option<&PodTemplateSpec>) -> Age {
    let [wanted, found] = first_start::forgotten(wanted, found).map(|template| wrapped(template.as_ref()));
    match difference("StatefulSet", &wanted, &found) {
        Some(found) => judged(found.paths().iter().map(String::as_str)),
        None => Age::Current,
    }
}

/// By the paths that differ.
fn judged<'a>(paths: impl Iterator<Item = &'a str>) -> Age {
    let mut reasons = paths
        .filter(|path| path.starts_with(TEMPLATE) && !shape::is_worn(path))
        .peekable();
    if reasons.peek().is_none() {
        Age::Current
    } else if reasons.all(|path| path.ends_with("/image")) {
        Age::OldImage
    } else {
        Age::Old
    }
}

/// In its place, so that it is compared by the rules of that place.
fn wrapped(template: Option<&PodTemplateSpec>) -> Value {
    json!({ "spec": { "template": template } })
}
