//! The cluster's roles as they are to be in the database, now that it is known which secrets there are (zalando-behaviour 4.12). Lives here:
//! roles that rotation made, and roles that cannot be made because their secret is somebody else's or not there yet.

use std::collections::{BTreeMap, BTreeSet};

use pgherd_model::cluster::{Cluster, Role, SecretPlace};

use super::Wanted;
use super::rotated::{dated, day_of};
use crate::observed::SecretView;
use crate::plan::secrets::owner;
use crate::plan::{HoldReason, Matter, Verb};
use crate::sql::Subject;

/// The roles by name; those that cannot be made are held.
pub(super) fn roles(cluster: &Cluster, secrets: Option<&[SecretView]>, wanted: &mut Wanted) -> Vec<Role> {
    let stored: BTreeMap<(&str, &str), &SecretView> = secrets
        .into_iter()
        .flatten()
        .map(|view| ((view.namespace.as_str(), view.name.as_str()), view))
        .collect();
    let mut taken: BTreeSet<&SecretPlace> = BTreeSet::new();
    let mut roles = Vec::with_capacity(cluster.roles.len());
    for role in &cluster.roles {
        let Some(place) = &role.secret else {
            roles.push(role.clone());
            continue;
        };
        let view = stored
            .get(&(place.namespace.as_str(), place.name.as_str()))
            .copied();
        let is_first = taken.insert(place);
        match obstacle(cluster, role, place, view, secrets.is_some(), is_first) {
            Some(reason) => wanted.hold(
                Matter::Object(Verb::Make, Subject::Role(role.name.clone())),
                reason,
            ),
            None => roles.extend(named(cluster, role, view)),
        }
    }
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    roles
}

/// Why a role is not made: its password would be that of another.
fn obstacle(
    cluster: &Cluster,
    role: &Role,
    place: &SecretPlace,
    view: Option<&SecretView>,
    are_read: bool,
    is_first: bool,
) -> Option<HoldReason> {
    if !is_first {
        let why = format!("another role has the secret {}/{}", place.namespace, place.name);
        return Some(HoldReason::Conflict(why));
    }
    match view {
        Some(view) => owner(&role.name, view, cluster)
            .map(HoldReason::NotOurs)
            .or_else(|| illegible(view)),
        // One beside the cluster is made before this is needed; elsewhere there may be no such namespace.
        None if are_read && place.namespace != cluster.identity.namespace => Some(HoldReason::Lacking(
            format!("secret {}/{}", place.namespace, place.name),
        )),
        None => None,
    }
}

/// Clients read bytes that are no password. Whoever put them there has another: what the role has stays until he writes one.
fn illegible(view: &SecretView) -> Option<HoldReason> {
    let what = || {
        format!(
            "a password that is text (UTF-8) in secret {}/{}",
            view.namespace, view.name
        )
    };
    view.password_illegible.then(|| HoldReason::Lacking(what()))
}

/// Where the secret names a role that rotation made, that one has its password, and the first keeps the one that it has.
fn named(cluster: &Cluster, role: &Role, view: Option<&SecretView>) -> Vec<Role> {
    let name = view.and_then(|view| view.username.as_deref());
    match name.filter(|name| day_of(&role.name, name).is_some()) {
        Some(name) if cluster.role(name).is_none() => {
            let first = Role {
                secret: None,
                given: None,
                ..role.clone()
            };
            vec![first, dated(role, name)]
        }
        _ => vec![role.clone()],
    }
}
