//! The StatefulSet (zalando-behaviour 4.5): applied without restarting anything, because its pods go only when they are deleted. Where
//! Kubernetes does not let a field change, it goes without its pods and is made anew; so is one that somebody deleted. Must not: pods of an
//! older template (`roll`).

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use pgherd_model::cluster::Cluster;
use pgherd_model::config::{OperatorConfig, ResizeMode};
use pgherd_model::names::{Names, Role};
use serde_json::Value;

use super::{
    Action, Hold, HoldReason, Impact, Matter, Object, Plan, Precondition, Propagation, Reason, Step, earlier,
    ensure as one,
};
use crate::build::Desired;
use crate::diff::{of_stateful_sets, respell};
use crate::observed::{Member, Observed, PodView, Source};

/// Size of the data volume in the claim template: grown claim by claim instead.
const CLAIM_SIZE: &str = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage";
/// One that was made this long ago is not made anew again: whoever keeps it from being as wanted would do so once more.
const NEW: SignedDuration = SignedDuration::from_mins(1);

pub(super) fn ensure(
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    config: &OperatorConfig,
    now: Timestamp,
    plan: &mut Plan,
) {
    let wanted = match &desired.stateful_set {
        Source::Known(wanted) => wanted,
        Source::Unknown(why) => {
            return plan.hold_unknown(Matter::StatefulSet, "environment of the pods", why);
        }
    };
    match &observed.stateful_set {
        Source::Unknown(why) => plan.hold_unknown(Matter::StatefulSet, "stateful set", why),
        Source::Known(None) => {
            if earlier::clear(cluster, observed, config, plan) {
                make(cluster, wanted.clone(), observed, config, plan);
            }
        }
        Source::Known(Some(stored)) if stored.metadata.deletion_timestamp.is_some() => {
            let name = stored.metadata.name.clone().unwrap_or_default();
            plan.hold(Matter::StatefulSet, HoldReason::PodsTerminating(vec![name]));
            plan.wake(super::LOOK_AGAIN);
        }
        Source::Known(Some(stored)) => {
            template(wanted, stored, plan);
            let paths = immutable(wanted, stored, config);
            // The new one has its number of members from the start.
            if !paths.is_empty() && replace(wanted, stored, paths, observed, now, plan) {
                return;
            }
            scale(cluster, stored, observed, config, plan);
        }
    }
}

/// Pods that are there without it become its own again. None of them may go for that: fewer members than there are is a change of its own,
/// which has its order.
fn make(
    cluster: &Cluster,
    mut wanted: StatefulSet,
    observed: &Observed,
    config: &OperatorConfig,
    plan: &mut Plan,
) {
    let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
    let present = observed.members(&names);
    let highest = present.iter().rfind(|member| !member.pod.terminating);
    let there = highest.map_or(0, |member| {
        i32::try_from(member.ordinal).unwrap_or(i32::MAX - 1) + 1
    });
    if let Some(spec) = wanted.spec.as_mut().filter(|_| cluster.instances > 0) {
        spec.replicas = Some(cluster.instances.max(there));
    }
    one::object(Object::StatefulSet(Box::new(wanted)), None, plan);
}

/// Deletes it without its pods, after asking whether the new one would be taken. The next turn makes that. False: not now.
fn replace(
    wanted: &StatefulSet,
    stored: &StatefulSet,
    paths: Vec<String>,
    observed: &Observed,
    now: Timestamp,
    plan: &mut Plan,
) -> bool {
    if paths.iter().all(|path| observed.rewritten.contains(path)) {
        plan.hold(Matter::StatefulSet, HoldReason::Rewritten(paths));
        return false;
    }
    let made = stored.metadata.creation_timestamp.as_ref();
    let settles = made.map(|made| made.0 + NEW).filter(|settles| *settles > now);
    if settles.is_some() || !finds_the_same_pods(wanted, stored) {
        if let Some(settles) = settles {
            plan.wake(settles.duration_since(now));
        }
        plan.holds.push(Hold {
            matter: Matter::StatefulSet,
            reason: HoldReason::Immutable(paths),
            until: settles,
        });
        return false;
    }
    let reason = Reason::Replaced(paths);
    let target = object(stored).reference();
    let same = Precondition::SameObject(target.uid.clone());
    plan.quiet(
        Action::CheckObject(Box::new(object(wanted))),
        reason.clone(),
        Precondition::None,
    );
    let propagation = Propagation::Orphan;
    plan.quiet(Action::Delete { target, propagation }, reason, same);
    plan.wake(super::LOOK_AGAIN);
    true
}

/// Where the API server would store another value than it was sent, in fields that it does not let change later: its answer to a trial.
pub fn rewritten(sent: &Object, answer: Value, config: &OperatorConfig) -> Vec<String> {
    match (sent, serde_json::from_value(answer)) {
        (Object::StatefulSet(sent), Ok(stored)) => immutable(sent, &stored, config),
        _ => Vec::new(),
    }
}

/// It would not find pods that lack a label which only the new one asks for.
fn finds_the_same_pods(wanted: &StatefulSet, stored: &StatefulSet) -> bool {
    let labels = |object: &StatefulSet| {
        let selector = object.spec.as_ref().map(|spec| spec.selector.clone());
        selector
            .and_then(|selector| selector.match_labels)
            .unwrap_or_default()
    };
    let found = labels(stored);
    labels(wanted)
        .iter()
        .all(|(key, value)| found.get(key) == Some(value))
}

/// What differs and cannot be changed in place. A larger volume is no such thing where claims are grown.
fn immutable(wanted: &StatefulSet, stored: &StatefulSet, config: &OperatorConfig) -> Vec<String> {
    let grows = matches!(
        config.kubernetes.storage_resize_mode,
        ResizeMode::Pvc | ResizeMode::Mixed
    );
    if has_immutable_of(wanted, stored) {
        return Vec::new();
    }
    let held = with_immutable_of(wanted.clone(), stored);
    let found = of_stateful_sets(wanted, &held);
    let mut paths = found.map(|found| found.paths()).unwrap_or_default();
    paths.retain(|path| !(grows && path == CLAIM_SIZE) && path != "/spec/replicas");
    paths
}

/// Everything that can be changed in place, but for the number of members.
fn template(wanted: &StatefulSet, stored: &StatefulSet, plan: &mut Plan) {
    let mut wanted = with_immutable_of(wanted.clone(), stored);
    respell(&mut wanted, stored);
    // A comparison by meaning costs more.
    if is_same(&wanted, stored) {
        return;
    }
    let Some(found) = of_stateful_sets(&wanted, stored) else {
        return;
    };
    let (wanted, stored) = (Object::StatefulSet(Box::new(wanted)), object(stored));
    let unchanged = Precondition::Unchanged(stored.reference().resource_version);
    one::change(wanted, &stored, found, unchanged, plan);
}

/// All that can be wanted is the same to the letter.
fn is_same(wanted: &StatefulSet, stored: &StatefulSet) -> bool {
    let (new, old) = (&wanted.metadata, &stored.metadata);
    wanted.spec == stored.spec
        && (&new.labels, &new.annotations) == (&old.labels, &old.annotations)
        && new.owner_references == old.owner_references
}

fn object(stateful_set: &StatefulSet) -> Object {
    Object::StatefulSet(Box::new(stateful_set.clone()))
}

/// What cannot be changed is the same to the letter.
fn has_immutable_of(wanted: &StatefulSet, stored: &StatefulSet) -> bool {
    match (&wanted.spec, &stored.spec) {
        (Some(new), Some(old)) => {
            (&new.selector, &new.service_name, &new.pod_management_policy)
                == (&old.selector, &old.service_name, &old.pod_management_policy)
                && new.volume_claim_templates == old.volume_claim_templates
        }
        _ => true,
    }
}

/// The wanted one with what cannot be changed, and the number of members, as stored.
fn with_immutable_of(mut wanted: StatefulSet, stored: &StatefulSet) -> StatefulSet {
    if let (Some(spec), Some(stored)) = (wanted.spec.as_mut(), stored.spec.as_ref()) {
        let StatefulSetSpec {
            selector,
            service_name,
            pod_management_policy,
            volume_claim_templates,
            replicas,
            ..
        } = stored.clone();
        spec.selector = selector;
        spec.service_name = service_name;
        spec.pod_management_policy = pod_management_policy;
        spec.volume_claim_templates = volume_claim_templates;
        spec.replicas = replicas;
    }
    wanted
}

fn scale(
    cluster: &Cluster,
    stored: &StatefulSet,
    observed: &Observed,
    config: &OperatorConfig,
    plan: &mut Plan,
) {
    let from = stored.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let to = cluster.instances;
    if from == to {
        return;
    }
    let target = object(stored).reference();
    let mut step = Step {
        precondition: Precondition::SameObject(target.uid.clone()),
        action: Action::Scale {
            target: target.clone(),
            replicas: to,
        },
        reason: Reason::Scaled { from, to },
        impact: Impact::None,
    };
    if to < from {
        let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
        match whole_without(&names, observed, to).and_then(|()| primary_that_stays(&names, observed, to)) {
            Ok(primary) => {
                step.impact = if to == 0 {
                    Impact::PrimaryRestart
                } else {
                    Impact::ReplicaRestart
                };
                step.precondition = primary.map_or(step.precondition, Precondition::StillPrimary);
            }
            Err(reason) => {
                plan.wake(super::LOOK_AGAIN);
                return plan.hold(Matter::Scale { target, replicas: to }, reason);
            }
        }
    }
    plan.steps.push(step);
}

/// Members that are up do not go while one that stays is not, or has no pod: the highest ordinals go first, whoever is broken.
fn whole_without(names: &Names, observed: &Observed, members: i32) -> Result<(), HoldReason> {
    let present = observed.members(names);
    let stays = u32::try_from(members).unwrap_or_default();
    let is_up = |ordinal: u32| {
        let mut present = present.iter();
        present.any(|member| member.ordinal == ordinal && member.is_up())
    };
    let missing: Vec<String> = (0..stays)
        .filter(|ordinal| !is_up(*ordinal))
        .map(|ordinal| names.pod(ordinal))
        .collect();
    let mut going = present.iter().filter(|member| member.ordinal >= stays);
    if missing.is_empty() || !going.any(Member::is_up) {
        return Ok(());
    }
    Err(HoldReason::HealthyWouldGo(missing))
}

/// The primary, if it is among the members that stay; none when no member stays. The highest ordinals go first.
fn primary_that_stays(
    names: &Names,
    observed: &Observed,
    members: i32,
) -> Result<Option<String>, HoldReason> {
    if members == 0 {
        return Ok(None);
    }
    let pods = match &observed.pods {
        Source::Known(pods) => pods,
        Source::Unknown(why) => {
            return Err(HoldReason::SourceUnknown {
                source: "pods".to_owned(),
                why: why.clone(),
            });
        }
    };
    let leads = |pod: &&PodView| pod.role_label == Role::Primary.label();
    let primary = pods.iter().find(leads).ok_or(HoldReason::NoPrimary)?;
    let stays = names
        .ordinal(&primary.name)
        .is_some_and(|ordinal| i64::from(ordinal) < i64::from(members));
    if stays {
        Ok(Some(primary.name.clone()))
    } else {
        Err(HoldReason::PrimaryWouldGo(primary.name.clone()))
    }
}
