//! Volumes grow through their claims (zalando-behaviour 4.10). They never shrink. What claims are annotated with follows their template.

use std::collections::BTreeMap;

use pgherd_model::cluster::Cluster;
use pgherd_model::config::{OperatorConfig, ResizeMode};
use pgherd_model::names::Names;
use pgherd_model::names::objects::DATA_VOLUME;
use pgherd_model::units::Quantity;

use super::{Action, HoldReason, Matter, Plan, Precondition, Reason};
use crate::build::Desired;
use crate::observed::{ClaimView, ObjectRef, Observed, Source};

/// Annotations that the template of claims has and a claim has not: Kubernetes reads the template only when it makes a claim.
pub(super) fn annotate(
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    config: &OperatorConfig,
    plan: &mut Plan,
) {
    let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
    let (Some(wanted), Some(claims)) = (desired.stateful_set.known(), observed.claims.known()) else {
        return;
    };
    let templates = wanted
        .spec
        .as_ref()
        .and_then(|spec| spec.volume_claim_templates.as_ref());
    let data = templates.and_then(|templates| templates.first());
    let Some(wanted) = data.and_then(|data| data.metadata.annotations.as_ref()) else {
        return;
    };
    for claim in claims.iter().filter(|claim| is_data(&names, claim)) {
        let differs = |(key, value): &(&String, &String)| claim.annotations.get(*key) != Some(*value);
        let changed = wanted.iter().filter(differs);
        let annotations: BTreeMap<String, Option<String>> = changed
            .map(|(key, value)| (key.clone(), Some(value.clone())))
            .collect();
        if !annotations.is_empty() {
            let action = Action::Relabel {
                target: reference(&cluster.identity.namespace, claim),
                labels: BTreeMap::new(),
                annotations,
            };
            let reason = Reason::Differs(vec!["/metadata/annotations".to_owned()]);
            plan.quiet(action, reason, Precondition::SameObject(claim.uid.clone()));
        }
    }
}

pub(super) fn grow(cluster: &Cluster, observed: &Observed, config: &OperatorConfig, plan: &mut Plan) {
    let claims = match &observed.claims {
        Source::Known(claims) => claims,
        Source::Unknown(why) => return plan.hold_unknown(Matter::Volumes, "claims", why),
    };
    let wanted = cluster.storage.size;
    let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
    let mut ours: Vec<&ClaimView> = claims.iter().filter(|claim| is_data(&names, claim)).collect();
    ours.sort_by(|one, other| one.name.cmp(&other.name));
    let size = |claim: &ClaimView| Quantity::parse(&claim.requested).ok();
    let (small, large): (Vec<&ClaimView>, Vec<&ClaimView>) = ours
        .into_iter()
        .filter(|claim| size(claim).is_some_and(|size| size != wanted))
        .partition(|claim| size(claim).is_some_and(|size| size < wanted));
    if !large.is_empty() {
        let names = large
            .iter()
            .map(|claim| format!("the size of {} (to a smaller one)", claim.name));
        plan.hold(Matter::Volumes, HoldReason::Immutable(names.collect()));
    }
    match config.kubernetes.storage_resize_mode {
        ResizeMode::Pvc | ResizeMode::Mixed => small
            .into_iter()
            // Kubernetes grows only what is bound.
            .filter(|claim| claim.phase == "Bound")
            .for_each(|claim| one(cluster, claim, wanted, plan)),
        ResizeMode::Ebs | ResizeMode::Off if !small.is_empty() => {
            let mode = config.kubernetes.storage_resize_mode;
            plan.hold(
                Matter::Volumes,
                HoldReason::SwitchedOff(format!("storage_resize_mode {mode}")),
            );
        }
        ResizeMode::Ebs | ResizeMode::Off => {}
    }
}

fn one(cluster: &Cluster, claim: &ClaimView, wanted: Quantity, plan: &mut Plan) {
    let target = reference(&cluster.identity.namespace, claim);
    let action = Action::GrowClaim {
        target,
        size: wanted.to_string(),
    };
    let reason = Reason::Grown {
        from: claim.requested.clone(),
        to: wanted.to_string(),
    };
    plan.quiet(action, reason, Precondition::SameObject(claim.uid.clone()));
}

/// The claim of a member's data volume, and not on its way out.
fn is_data(names: &Names, claim: &ClaimView) -> bool {
    !claim.terminating && is_claim_of_member(names, &claim.name)
}

/// `pgdata-<member>`.
pub(super) fn is_claim_of_member(names: &Names, claim: &str) -> bool {
    let pod = claim
        .strip_prefix(DATA_VOLUME)
        .and_then(|rest| rest.strip_prefix('-'));
    pod.and_then(|pod| names.ordinal(pod)).is_some()
}

pub(super) fn reference(namespace: &str, claim: &ClaimView) -> ObjectRef {
    ObjectRef {
        kind: "PersistentVolumeClaim".to_owned(),
        namespace: namespace.to_owned(),
        name: claim.name.clone(),
        uid: claim.uid.clone(),
        resource_version: claim.resource_version.clone(),
    }
}
