//! The secrets of roles (zalando-behaviour 3.7, 4.12): made when missing, adopted when there. A password that is there is never touched.

use std::collections::BTreeMap;

use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;
use pgherd_model::names::annotations::{SECRET_HOME, SECRET_OF};

use super::{Action, HoldReason, Matter, Plan, Precondition, Reason, SecretDraft};
use crate::build::Desired;
use crate::observed::{Observed, SecretView, Source};

/// Which secrets are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Those beside the cluster: its pods need some of them.
    Home,
    /// Those in other namespaces, which may not exist.
    Elsewhere,
}

pub(super) fn ensure(
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    config: &OperatorConfig,
    place: Place,
    plan: &mut Plan,
) {
    let home = &cluster.identity.namespace;
    let mut drafts = desired
        .secrets
        .iter()
        .filter(|draft| (draft.namespace == *home) == (place == Place::Home))
        .peekable();
    if drafts.peek().is_none() {
        return;
    }
    let stored = match &observed.secrets {
        Source::Known(stored) => stored,
        Source::Unknown(why) => return plan.hold_unknown(Matter::Secrets, "secrets", why),
    };
    let selector = Names::of(home, &cluster.identity.name, config).selector();
    for draft in drafts {
        let found = stored
            .iter()
            .find(|view| view.namespace == draft.namespace && view.name == draft.name);
        match found {
            None => plan.quiet(
                Action::CreateSecret(Box::new(draft.clone())),
                Reason::Missing,
                Precondition::None,
            ),
            Some(found) => adopt(draft, found, cluster, &selector, plan),
        }
    }
}

/// Nobody else's: it names the role, or one that rotation made of it, and no other cluster has put it there.
pub(super) fn is_ours(draft: &SecretDraft, found: &SecretView, cluster: &Cluster) -> bool {
    owner(&draft.username, found, cluster).is_none()
}

/// Whose a secret is, if not ours.
pub(super) fn owner(role: &str, found: &SecretView, cluster: &Cluster) -> Option<String> {
    if let Some(other) = found.username.as_deref().filter(|name| !is_of(role, name)) {
        return Some(format!("role {other}"));
    }
    let identity = &cluster.identity;
    let home = format!("{}/{}", identity.namespace, identity.name);
    other_cluster(found, &home, &identity.uid)
}

/// Another cluster than the one at `home` (`namespace/name`) with this uid, if the secret is such a one's.
pub(super) fn other_cluster(found: &SecretView, home: &str, uid: &str) -> Option<String> {
    let said = |key: &str| found.annotations.get(key).filter(|other| *other != home);
    // What a copy says of its home is said of another place.
    let is_there = |other: &&String| other.split_once('/').is_some_and(|it| it.0 == found.namespace);
    if let Some(other) = said(SECRET_OF).or_else(|| said(SECRET_HOME).filter(is_there)) {
        return Some(format!("cluster {other}"));
    }
    let foreign = found
        .owner_references
        .iter()
        .any(|owner| owner.kind == "postgresql" && owner.uid != uid);
    foreign.then(|| "another cluster".to_owned())
}

fn adopt(
    draft: &SecretDraft,
    found: &SecretView,
    cluster: &Cluster,
    selector: &BTreeMap<String, String>,
    plan: &mut Plan,
) {
    if let Some(other) = owner(&draft.username, found, cluster) {
        let matter = Matter::RoleSecret {
            role: draft.username.clone(),
            namespace: draft.namespace.clone(),
            name: draft.name.clone(),
        };
        return plan.hold(matter, HoldReason::NotOurs(other));
    }
    let same = || Precondition::SameObject(found.uid.clone());
    if !found.has_password {
        plan.quiet(
            Action::FillSecret(Box::new(draft.clone())),
            Reason::Missing,
            same(),
        );
    }
    let differs = differing(draft, found);
    if !differs.is_empty() {
        let is_new = !contains(&found.labels, selector) && !contains(&found.labels, &draft.labels);
        let reason = if is_new {
            Reason::Adopted
        } else {
            Reason::Differs(differs)
        };
        plan.quiet(Action::LabelSecret(Box::new(draft.clone())), reason, same());
    }
}

/// The role's own name, or that name with the date of a rotation (YYMMDD).
fn is_of(role: &str, name: &str) -> bool {
    let is_date = |rest: &str| rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix(role)
        .is_some_and(|rest| rest.is_empty() || is_date(rest))
}

/// Paths of the metadata that is ours and not so.
fn differing(draft: &SecretDraft, found: &SecretView) -> Vec<String> {
    let missing =
        |wanted: &BTreeMap<String, String>, found: &BTreeMap<String, String>, part: &str| -> Vec<String> {
            let differs = wanted
                .iter()
                .filter(|(key, value)| found.get(*key) != Some(value));
            differs
                .map(|(key, _)| format!("/metadata/{part}/{}", key.replace('/', "~1")))
                .collect()
        };
    let mut paths = missing(&draft.labels, &found.labels, "labels");
    paths.extend(missing(&draft.annotations, &found.annotations, "annotations"));
    let has_owners = draft.owner_references.iter().all(|owner| {
        found
            .owner_references
            .iter()
            .any(|known| known.uid == owner.uid && known.controller == owner.controller)
    });
    if !has_owners {
        paths.push("/metadata/ownerReferences".to_owned());
    }
    paths
}

/// All of `part` is in `whole`.
pub(super) fn contains(whole: &BTreeMap<String, String>, part: &BTreeMap<String, String>) -> bool {
    part.iter().all(|(key, value)| whole.get(key) == Some(value))
}
