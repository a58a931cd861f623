//! The end of a cluster (zalando-behaviour 4.15). Lives here: what goes, in which order, and what stays. Everything is found by the cluster's
//! labels and names, never by memory: it works for a cluster that this process never saw alive.
//!
//! Members go first. What they write themselves (Patroni's objects) goes when no member is left that could write it again. The StatefulSet is
//! marked and without members from the first step on, and goes last: of a deletion that is interrupted it tells whoever comes next.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use pgherd_model::{
    config::OperatorConfig,
    names::{Names, Role, annotations},
};

use super::claims::is_claim_of_member;
use super::secrets::{contains, other_cluster};
use super::{Action, Hold, HoldReason, Impact, Matter, Plan, Precondition, Propagation, Reason, Step, mode};
use crate::build::uses_config_maps;
use crate::observed::{ClaimView, ClusterView, ObjectRef, Observed, SecretView, Source};

mod mark;
#[cfg(test)]
mod tests;

pub use mark::DeletionMark;
pub(super) use mark::withdraw;

/// Pods that are ending are looked at again after this, should their last event be missed.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// What the annotation for the day is held against.
const DATE: &str = "current date";

/// What to do for a cluster whose object is being deleted, or has gone. Kept: the namespace's service account and role binding, backups,
/// and claims and secrets where the configuration says so.
///
/// The annotations that protect from deletion are asked for on both paths, with and without a finalizer. Zalando's operator forgets them on
/// the first.
pub fn plan_deletion(names: &Names, observed: &Observed, config: &OperatorConfig, now: Timestamp) -> Plan {
    let mut plan = steps(names, observed, config, now);
    mode::hold(&observed.cluster, config, &mut plan);
    plan
}

/// In place of that, for an object that goes or has gone without that anybody deleted the cluster: nothing of it is removed.
pub fn spare(why: &str) -> Plan {
    let mut plan = Plan::default();
    hold(&mut plan, HoldReason::DeletionGate(why.to_owned()));
    plan
}

fn steps(names: &Names, observed: &Observed, config: &OperatorConfig, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let gated = || gate(&observed.cluster, config, now);
    if let Some(text) = (!mark::has_begun(observed)).then(gated).flatten() {
        hold(&mut plan, HoldReason::DeletionGate(text));
        if let Source::Unknown(why) = &observed.stateful_set {
            // It may say that it has begun.
            unknown(&mut plan, "stateful set", why);
        }
        return plan;
    }
    members(names, observed, now, &mut plan);
    if !plan.is_empty() {
        plan.wake(LOOK_AGAIN);
        return plan;
    }
    if config.kubernetes.enable_persistent_volume_claim_deletion {
        claims(names, observed, &mut plan);
    }
    if config.kubernetes.enable_secrets_deletion {
        secrets(names, observed, config, &mut plan);
    }
    objects(names, observed, config, &mut plan);
    if plan.holds.is_empty() {
        last(names, observed, &mut plan);
    }
    plan
}

/// What tells that there is something to be removed: the StatefulSet with its mark, and the finalizer. It lets go of its claims, so that only
/// our switch decides about them.
fn last(names: &Names, observed: &Observed, plan: &mut Plan) {
    let set = observed.stateful_set.known().and_then(Option::as_ref);
    if let Some(found) = set.filter(|found| found.metadata.deletion_timestamp.is_none()) {
        delete(
            plan,
            names,
            "StatefulSet",
            names.stateful_set(),
            found.metadata.uid.as_deref(),
            Propagation::Orphan,
        );
    }
    let mut finalizers = observed.cluster.finalizers.iter();
    if let Some(finalizer) = finalizers.find(|finalizer| *finalizer == annotations::FINALIZER) {
        push(plan, Action::RemoveFinalizer(finalizer.clone()), Impact::None);
    }
}

/// Whether an object with the cluster's labels is one that goes with it, by its kind and name alone.
pub fn goes_along(names: &Names, config: &OperatorConfig, kind: &str, name: &str) -> bool {
    let kubernetes = &config.kubernetes;
    match kind {
        "StatefulSet" => name == names.stateful_set(),
        "Pod" => names.ordinal(name).is_some(),
        "PersistentVolumeClaim" => {
            kubernetes.enable_persistent_volume_claim_deletion && is_claim_of_member(names, name)
        }
        "Secret" => {
            let is_of_role = role_of(names, name).is_some();
            let may_be_sent = may_be_sent(names, config, names.namespace(), name);
            kubernetes.enable_secrets_deletion && is_of_role && !may_be_sent
        }
        "Service" => {
            let of_role = [Role::Primary, Role::Replica].map(|role| names.service(role));
            of_role.iter().any(|service| service == name) || name == names.config_service()
        }
        "PodDisruptionBudget" => name == names.primary_budget() || name == names.critical_budget(),
        _ => false,
    }
}

/// Why the deletion is not allowed yet, in Zalando's words. A deletion does not stop being allowed because a day ends while it waits: the day
/// on which it was asked for counts as long as it takes.
fn gate(cluster: &ClusterView, config: &OperatorConfig, now: Timestamp) -> Option<String> {
    let kubernetes = &config.kubernetes;
    if kubernetes.enable_owner_references {
        return None;
    }
    let day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date().to_string();
    let asked = cluster.deletion_timestamp.as_ref();
    let asked = asked.and_then(|time| time.parse().ok()).map(day);
    let today = day(now);
    let wanted = [
        (&kubernetes.delete_annotation_date_key, DATE, today),
        (
            &kubernetes.delete_annotation_name_key,
            "cluster name",
            cluster.name.clone(),
        ),
    ];
    wanted.into_iter().find_map(|(key, what, expected)| {
        let key = key.as_ref().filter(|key| !key.is_empty())?;
        match cluster.annotations.get(key) {
            None => Some(format!(
                "annotation {key} not set in manifest to allow cluster deletion"
            )),
            Some(value) if *value == expected => None,
            Some(value) if what == DATE && asked.as_ref() == Some(value) => None,
            Some(value) => Some(format!(
                "annotation {key} not matching the {what}: got {value}, expected {expected}"
            )),
        }
    })
}

/// The StatefulSet makes none any more, then the pods go. As long as one is there, nothing else goes.
fn members(names: &Names, observed: &Observed, now: Timestamp, plan: &mut Plan) {
    match &observed.stateful_set {
        Source::Known(Some(found)) if found.metadata.deletion_timestamp.is_none() => {
            if let Some((action, same)) = mark::begin(found, &observed.cluster, now) {
                plan.quiet(action, Reason::Deleted, same);
            }
        }
        Source::Known(_) => {}
        Source::Unknown(why) => unknown(plan, "stateful set", why),
    }
    match &observed.pods {
        Source::Known(pods) => {
            // Pods of a pooler or a dump can carry the same labels, and go with their own controllers.
            let pods = || pods.iter().filter(|pod| names.ordinal(&pod.name).is_some());
            let ending: Vec<String> = pods().map(|pod| pod.name.clone()).collect();
            for pod in pods().filter(|pod| !pod.terminating) {
                delete(
                    plan,
                    names,
                    "Pod",
                    &pod.name,
                    Some(&pod.uid),
                    Propagation::Background,
                );
            }
            if !ending.is_empty() {
                hold(plan, HoldReason::PodsTerminating(ending));
            }
        }
        Source::Unknown(why) => unknown(plan, "pods", why),
    }
}

fn claims(names: &Names, observed: &Observed, plan: &mut Plan) {
    match &observed.claims {
        Source::Known(claims) => {
            let ours = |claim: &&ClaimView| is_claim_of_member(names, &claim.name) && !claim.terminating;
            for claim in claims.iter().filter(ours) {
                let target = reference(names, "PersistentVolumeClaim", &claim.name, Some(&claim.uid));
                let action = Action::Delete {
                    target,
                    propagation: Propagation::Background,
                };
                push(plan, action, Impact::DataRewrite);
            }
        }
        Source::Unknown(why) => unknown(plan, "claims", why),
    }
}

/// Only those with the cluster's labels and a role's name: one that has just one of the two is somebody else's. One that may have been sent
/// here from another namespace stays, and so does one that says that it is another cluster's.
fn secrets(names: &Names, observed: &Observed, config: &OperatorConfig, plan: &mut Plan) {
    match &observed.secrets {
        Source::Known(secrets) => {
            let selector = names.selector();
            let home = format!("{}/{}", names.namespace(), names.cluster());
            let is_others =
                |secret: &SecretView| other_cluster(secret, &home, &observed.cluster.uid).is_some();
            let of_pooler = names.pooler_secret_labels();
            let is_ours = |labels: &std::collections::BTreeMap<String, String>| {
                contains(labels, &selector) || contains(labels, &of_pooler)
            };
            for secret in secrets
                .iter()
                .filter(|secret| is_ours(&secret.labels) && role_of(names, &secret.name).is_some())
                .filter(|secret| !may_be_sent(names, config, &secret.namespace, &secret.name))
                .filter(|secret| !is_others(secret))
            {
                let target = ObjectRef {
                    kind: "Secret".to_owned(),
                    namespace: secret.namespace.clone(),
                    name: secret.name.clone(),
                    uid: secret.uid.clone(),
                    resource_version: String::new(),
                };
                push(
                    plan,
                    Action::Delete {
                        target,
                        propagation: Propagation::Background,
                    },
                    Impact::None,
                );
            }
        }
        Source::Unknown(why) => unknown(plan, "secrets", why),
    }
}

/// A cluster of the same name elsewhere puts the secret of its role `here.role` here, with the same labels.
fn may_be_sent(names: &Names, config: &OperatorConfig, namespace: &str, name: &str) -> bool {
    let sent = format!("{}.", names.namespace());
    config.kubernetes.enable_cross_namespace_secret
        && namespace == names.namespace()
        && role_of(names, name).is_some_and(|role| role.starts_with(&sent))
}

/// The role for which the template of secret names gives this name.
fn role_of<'a>(names: &Names, name: &'a str) -> Option<&'a str> {
    const ANYBODY: &str = "\u{1}";
    let pattern = names.secret(ANYBODY);
    let (start, end) = pattern.split_once(ANYBODY).unwrap_or((&pattern, ""));
    let role = name.strip_prefix(start)?.strip_suffix(end)?;
    (!role.is_empty()).then_some(role)
}

fn objects(names: &Names, observed: &Observed, config: &OperatorConfig, plan: &mut Plan) {
    match &observed.disruption_budgets {
        Source::Known(found) => each(
            plan,
            names,
            "PodDisruptionBudget",
            found.iter().map(|budget| &budget.metadata),
        ),
        Source::Unknown(why) => unknown(plan, "disruption budgets", why),
    }
    match &observed.services {
        Source::Known(found) => each(
            plan,
            names,
            "Service",
            found.iter().map(|service| &service.metadata),
        ),
        Source::Unknown(why) => unknown(plan, "services", why),
    }
    match &observed.endpoints {
        Source::Known(found) => each(
            plan,
            names,
            "Endpoints",
            found.iter().map(|endpoints| &endpoints.metadata),
        ),
        // Otherwise there are none of ours and nobody asked.
        Source::Unknown(why) if !uses_config_maps(config) => unknown(plan, "endpoints", why),
        Source::Unknown(_) => {}
    }
    match &observed.patroni_objects {
        Source::Known(found) => {
            for target in found {
                let action = Action::Delete {
                    target: target.clone(),
                    propagation: Propagation::Background,
                };
                push(plan, action, Impact::None);
            }
        }
        Source::Unknown(why) => unknown(plan, "patroni's objects", why),
    }
}

fn each<'a>(
    plan: &mut Plan,
    names: &Names,
    kind: &str,
    found: impl Iterator<Item = &'a k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta>,
) {
    for metadata in found.filter(|metadata| metadata.deletion_timestamp.is_none()) {
        let name = metadata.name.as_deref().unwrap_or_default();
        delete(
            plan,
            names,
            kind,
            name,
            metadata.uid.as_deref(),
            Propagation::Background,
        );
    }
}

fn delete(
    plan: &mut Plan,
    names: &Names,
    kind: &str,
    name: &str,
    uid: Option<&str>,
    propagation: Propagation,
) {
    push(
        plan,
        Action::Delete {
            target: reference(names, kind, name, uid),
            propagation,
        },
        Impact::None,
    );
}

fn reference(names: &Names, kind: &str, name: &str, uid: Option<&str>) -> ObjectRef {
    ObjectRef {
        kind: kind.to_owned(),
        namespace: names.namespace().to_owned(),
        name: name.to_owned(),
        uid: uid.unwrap_or_default().to_owned(),
        resource_version: String::new(),
    }
}

/// A deletion holds only for the object that was seen: one of the same name that somebody made since is not touched.
fn push(plan: &mut Plan, action: Action, impact: Impact) {
    let precondition = match &action {
        Action::Delete { target, .. } if !target.uid.is_empty() => {
            Precondition::SameObject(target.uid.clone())
        }
        _ => Precondition::None,
    };
    plan.steps.push(Step {
        action,
        reason: Reason::Deleted,
        impact,
        precondition,
    });
}

fn hold(plan: &mut Plan, reason: HoldReason) {
    plan.holds.push(Hold {
        matter: Matter::Deletion,
        reason,
        until: None,
    });
}

fn unknown(plan: &mut Plan, source: &str, why: &str) {
    hold(
        plan,
        HoldReason::SourceUnknown {
            source: source.to_owned(),
            why: why.to_owned(),
        },
    );
    plan.wake(LOOK_AGAIN);
}
