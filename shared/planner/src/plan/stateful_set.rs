//! The StatefulSet (zalando-behaviour 4.5): applied without restarting anything, because its pods go only when they are deleted. What
//! Kubernetes does not let change is a hold. Must not: pods of an older template (`roll`).

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use pgherd_model::cluster::Cluster;
use pgherd_model::config::{OperatorConfig, ResizeMode};
use pgherd_model::names::{Names, Role};

use super::{Action, HoldReason, Impact, Object, Plan, Precondition, Reason, Step, ensure as one};
use crate::build::Desired;
use crate::diff::difference;
use crate::observed::{Observed, PodView, Source};

const STEP: &str = "stateful set";
/// Size of the data volume in the claim template: grown claim by claim instead.
const CLAIM_SIZE: &str = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage";

pub(super) fn ensure(
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    config: &OperatorConfig,
    plan: &mut Plan,
) {
    let wanted = match &desired.stateful_set {
        Source::Known(wanted) => wanted,
        Source::Unknown(why) => return plan.hold_unknown(STEP, "environment of the pods", why),
    };
    match &observed.stateful_set {
        Source::Unknown(why) => plan.hold_unknown(STEP, "stateful set", why),
        Source::Known(None) => one::object(Object::StatefulSet(Box::new(wanted.clone())), None, plan),
        Source::Known(Some(stored)) if stored.metadata.deletion_timestamp.is_some() => {
            let name = stored.metadata.name.clone().unwrap_or_default();
            plan.hold(STEP, HoldReason::PodsTerminating(vec![name]));
            plan.wake(super::LOOK_AGAIN);
        }
        Source::Known(Some(stored)) => {
            immutable(wanted, stored, config, plan);
            template(wanted, stored, plan);
            scale(cluster, stored, observed, config, plan);
        }
    }
}

/// Names what differs and cannot be changed in place. A larger volume is no such thing where claims are grown.
fn immutable(wanted: &StatefulSet, stored: &StatefulSet, config: &OperatorConfig, plan: &mut Plan) {
    let grows = matches!(
        config.kubernetes.storage_resize_mode,
        ResizeMode::Pvc | ResizeMode::Mixed
    );
    let held = with_immutable_of(wanted.clone(), stored);
    if held.spec == wanted.spec {
        return;
    }
    let (wanted, held) = (object(wanted), object(&held));
    let Some(found) = difference(held.kind(), &wanted.to_value(), &held.to_value()) else {
        return;
    };
    let mut paths = found.paths();
    paths.retain(|path| !(grows && path == CLAIM_SIZE) && path != "/spec/replicas");
    if !paths.is_empty() {
        plan.hold(STEP, HoldReason::Immutable(paths));
    }
}

/// Everything that can be changed in place, but for the number of members.
fn template(wanted: &StatefulSet, stored: &StatefulSet, plan: &mut Plan) {
    let wanted = with_immutable_of(wanted.clone(), stored);
    // A comparison by meaning costs more.
    if is_same(&wanted, stored) {
        return;
    }
    let (wanted, stored) = (object(&wanted), object(stored));
    let Some(found) = difference(wanted.kind(), &wanted.to_value(), &stored.to_value()) else {
        return;
    };
    // In the stored spelling, so that what means the same does not make a new revision.
    let settled = serde_json::from_value(found.settled.clone()).map_or(wanted, |settled: StatefulSet| {
        Object::StatefulSet(Box::new(settled))
    });
    let unchanged = Precondition::Unchanged(stored.reference().resource_version);
    one::change(settled, &stored, found, unchanged, plan);
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
        action: Action::Scale { target, replicas: to },
        reason: Reason::Scaled { from, to },
        impact: Impact::None,
    };
    if to < from {
        let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
        match primary_that_stays(&names, observed, to) {
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
                return plan.hold(step.action.to_string(), reason);
            }
        }
    }
    plan.steps.push(step);
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
