//! Whoever makes roles may make one of a name that will be wanted some day, become its member, and wait for what it is given. Lives here: who can
//! become a role without leave. Must not: what that keeps from being done (`roles`, `lookup`).
//!
//! Leave is given by the manifest and by superusers. From version 16 on whoever makes a role is its member, by the hand of a superuser: that is no
//! leave, and is told by its being good for nothing but to be passed on.

use std::collections::BTreeSet;

use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;

use crate::observed::Catalog;
use crate::observed::catalog::Membership;

/// The administrator of the image, whom Zalando's operator makes one of every role.
const ADMIN: &str = "admin";

/// Why a role, under its name in the catalog, may not get more: somebody can become it who was not let. `None`: nobody.
pub(super) fn of(
    cluster: &Cluster,
    config: &OperatorConfig,
    catalog: &Catalog,
    name: &str,
) -> Option<String> {
    let mut seen = BTreeSet::from([name]);
    let mut open = vec![name];
    while let Some(role) = open.pop() {
        for (member, view) in &catalog.roles {
            let Some(membership) = view.member_of.get(role) else {
                continue;
            };
            // He gains nothing.
            if view.superuser {
                continue;
            }
            if !is_wanted(cluster, member, role) && !is_by_superusers(membership, catalog) {
                return Some(format!(
                    "{member} is a member of {role} already, which neither the manifest nor a superuser wanted: revoke that first"
                ));
            }
            // Administrators become any role: who can become one of them is no matter of this one.
            if !is_administrator(member, config) && seen.insert(member) {
                open.push(member);
            }
        }
    }
    None
}

fn is_administrator(name: &str, config: &OperatorConfig) -> bool {
    let is_named = config.teams_api.team_admin_role.as_deref() == Some(name);
    name == ADMIN || is_named
}

fn is_wanted(cluster: &Cluster, member: &str, role: &str) -> bool {
    let joins = cluster
        .role(member)
        .is_some_and(|it| it.member_of.iter().any(|group| group == role));
    let administers = cluster
        .role(role)
        .is_some_and(|it| it.admin.as_deref() == Some(member));
    joins || administers
}

fn is_by_superusers(membership: &Membership, catalog: &Catalog) -> bool {
    let is_superuser = |name: &String| catalog.roles.get(name).is_some_and(|it| it.superuser);
    let counts = membership.inherit || membership.set;
    counts && !membership.grantors.is_empty() && membership.grantors.iter().all(is_superuser)
}
