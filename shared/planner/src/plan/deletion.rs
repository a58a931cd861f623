//! The end of a cluster (zalando-behaviour 4.15). Lives here: what goes, in which order, and what stays. Everything is found by the cluster's
//! labels and names, never by memory: it works for a cluster that this process never saw alive.
//!
//! Members go first. What they write themselves (Patroni's objects) goes when no member is left that could write it again.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use pgherd_model::{
    config::OperatorConfig,
    names::{Names, annotations},
};

use super::claims::is_claim_of_member;
use super::secrets::contains;
use super::{Action, Hold, HoldReason, Impact, Plan, Precondition, Propagation, Reason, Step, mode};
use crate::build::uses_config_maps;
use crate::observed::{ClaimView, ClusterView, ObjectRef, Observed, SecretView, Source};

#[cfg(test)]
mod tests;

/// Pods that are ending are looked at again after this, should their last event be missed.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

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
    if let Some(text) = gate(&observed.cluster, config, now) {
        hold(&mut plan, HoldReason::DeletionGate(text));
        return plan;
    }
    members(names, observed, &mut plan);
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
    let ours = |finalizer: &&String| *finalizer == annotations::FINALIZER;
    if let (Some(finalizer), true) = (
        observed.cluster.finalizers.iter().find(ours),
        plan.holds.is_empty(),
    ) {
        push(
            &mut plan,
            Action::RemoveFinalizer(finalizer.clone()),
            Impact::None,
        );
    }
    plan
}

/// Why the deletion is not allowed yet, in Zalando's words.
fn gate(cluster: &ClusterView, config: &OperatorConfig, now: Timestamp) -> Option<String> {
    let kubernetes = &config.kubernetes;
    if kubernetes.enable_owner_references {
        return None;
    }
    let today = now.to_zoned(TimeZone::UTC).date().to_string();
    let wanted = [
        (&kubernetes.delete_annotation_date_key, "current date", today),
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
            Some(value) => Some(format!(
                "annotation {key} not matching the {what}: got {value}, expected {expected}"
            )),
        }
    })
}

/// The StatefulSet, then the pods; it lets go of its claims, so that only our switch decides about them. As long as one is there, nothing
/// else goes.
fn members(names: &Names, observed: &Observed, plan: &mut Plan) {
    match &observed.stateful_set {
        Source::Known(Some(found)) if found.metadata.deletion_timestamp.is_none() => {
            delete(
                plan,
                names,
                "StatefulSet",
                names.stateful_set(),
                found.metadata.uid.as_deref(),
                Propagation::Orphan,
            );
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
/// here from another namespace stays.
fn secrets(names: &Names, observed: &Observed, config: &OperatorConfig, plan: &mut Plan) {
    match &observed.secrets {
        Source::Known(secrets) => {
            let selector = names.selector();
            // A cluster of the same name elsewhere puts the secret of its role `here.role` here, with the same labels.
            let sent = format!("{}.", names.namespace());
            let may_be_sent = |secret: &SecretView| {
                config.kubernetes.enable_cross_namespace_secret
                    && secret.namespace == names.namespace()
                    && role_of(names, &secret.name).is_some_and(|role| role.starts_with(&sent))
            };
            let of_pooler = names.pooler_secret_labels();
            let is_ours = |labels: &std::collections::BTreeMap<String, String>| {
                contains(labels, &selector) || contains(labels, &of_pooler)
            };
            for secret in secrets
                .iter()
                .filter(|secret| is_ours(&secret.labels) && role_of(names, &secret.name).is_some())
                .filter(|secret| !may_be_sent(secret))
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
        step: "delete the cluster".to_owned(),
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
