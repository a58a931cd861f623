//! Who is a member of what, and who may pass it on. Postgres allows no circles: where an owner of a database was granted to one of the
//! operator's owner roles before, that is taken back first (zalando-behaviour Appendix B, owner cycle).

use pgherd_model::cluster::{Role, RoleFlag, RoleOrigin};

use super::Scene;
use crate::observed::Catalog;
use crate::observed::catalog::Membership;
use crate::plan::provision::Wanted;
use crate::plan::{HoldReason, Matter};
use crate::sql::{Statement, Subject};

/// The first major version in which a membership has a grantor that counts, and says itself what it is good for.
const GRANTORS_COUNT: u32 = 16;

/// Grants that are missing; what cannot be granted is held.
///
/// `known_as` is the role's name in the catalog that was read.
pub(super) fn wanted(scene: &Scene<'_>, role: &Role, known_as: &str, wanted: &mut Wanted) -> Vec<Statement> {
    let mut statements = Vec::new();
    for group in &role.member_of {
        if let Some(found) = scene.catalog.membership(known_as, group) {
            statements.extend(counted(scene, role, known_as, group, found));
            continue;
        }
        statements.extend(grant(scene, group, &role.name, false, wanted));
    }
    // Who joins a role cannot be granted to it as well.
    let admin = role.admin.as_ref().filter(|admin| !joins(scene, role, admin));
    if let Some(admin) = admin.filter(|admin| !scene.catalog.is_admin(admin, known_as)) {
        statements.extend(grant(scene, &role.name, admin, true, wanted));
    }
    statements
}

/// A membership that is there and does not count as it shall. What others made of it stays, unless the manifest says `inherit` or `noinherit`,
/// the role is of a prepared database, or it is good for nothing, as that of whoever made a role as `CREATEROLE`.
fn counted(
    scene: &Scene<'_>,
    role: &Role,
    known_as: &str,
    group: &str,
    found: &Membership,
) -> Vec<Statement> {
    if scene.catalog.version < GRANTORS_COUNT {
        return Vec::new();
    }
    let asked = role.flags.get(&RoleFlag::Inherit).copied();
    let is_void = !found.inherit && !found.set;
    let shall_count = role.origin == RoleOrigin::Prepared || is_void;
    let view = scene.catalog.roles.get(known_as);
    let inherits = asked.unwrap_or_else(|| view.is_some_and(|view| view.inherit));
    let change = |inherit, set, grantor| Statement::SetMembership {
        role: group.to_owned(),
        member: role.name.clone(),
        inherit,
        set,
        grantor,
    };
    if asked == Some(false) && found.inherit {
        let grantors = found.grantors.iter().cloned().map(Some);
        return grantors
            .map(|grantor| change(Some(false), None, grantor))
            .collect();
    }
    let may_grow = shall_count || asked == Some(true);
    let inherit = (may_grow && inherits && !found.inherit).then_some(true);
    let set = (may_grow && !found.set).then_some(true);
    let is_any = inherit.is_some() || set.is_some();
    is_any.then(|| change(inherit, set, None)).into_iter().collect()
}

/// The memberships that the manifest gave of a role that inherits again (`noinherit` has gone).
pub(in crate::plan::provision) fn inherited(catalog: &Catalog, role: &Role, member: &str) -> Vec<Statement> {
    if catalog.version < GRANTORS_COUNT {
        return Vec::new();
    }
    let lacks = |group: &&String| {
        let found = catalog.membership(member, group);
        found.is_some_and(|found| !found.inherit)
    };
    let inherit = |group: &String| Statement::SetMembership {
        role: group.clone(),
        member: member.to_owned(),
        inherit: Some(true),
        set: None,
        grantor: None,
    };
    role.member_of.iter().filter(lacks).map(inherit).collect()
}

/// Whether the role shall be a member of `other`, directly or through what others shall be.
fn joins(scene: &Scene<'_>, role: &Role, other: &str) -> bool {
    let mut open: Vec<&str> = role.member_of.iter().map(String::as_str).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(name) = open.pop() {
        if name == other {
            return true;
        }
        if seen.insert(name) {
            let groups = scene.roles.iter().filter(|role| role.name == name);
            let groups = groups.flat_map(|role| &role.member_of);
            open.extend(groups.map(String::as_str));
        }
    }
    false
}

fn grant(scene: &Scene<'_>, role: &str, member: &str, admin: bool, wanted: &mut Wanted) -> Vec<Statement> {
    let statement = Statement::GrantRole {
        role: role.to_owned(),
        member: member.to_owned(),
        admin,
    };
    let matter = || Matter::Statement(Subject::Role(member.to_owned()), Box::new(statement.clone()));
    let missing = [role, member].into_iter().find(|name| !exists(scene, name));
    if let Some(missing) = missing {
        wanted.lacking(matter(), missing);
        return Vec::new();
    }
    if !scene.catalog.reaches(role, member) {
        return vec![statement];
    }
    // The other way round already.
    let is_owner_role = scene
        .config
        .users
        .additional_owner_roles
        .iter()
        .any(|name| name == role);
    let reverse = revoked(scene.catalog, member, role);
    if !is_owner_role || reverse.is_empty() {
        let reason = HoldReason::Conflict(format!("role {role} is a member of {member} already"));
        wanted.hold(matter(), reason);
        return Vec::new();
    }
    reverse.into_iter().chain([statement]).collect()
}

/// Roles of Postgres itself are not in the catalog that was read.
fn exists(scene: &Scene<'_>, name: &str) -> bool {
    name.starts_with("pg_") || scene.known.contains(name)
}

/// Takes back a direct membership, from all who granted it.
pub(in crate::plan::provision) fn revoked(catalog: &Catalog, role: &str, member: &str) -> Vec<Statement> {
    let Some(found) = catalog.membership(member, role) else {
        return Vec::new();
    };
    let revoke = |grantor: Option<String>| Statement::RevokeRole {
        role: role.to_owned(),
        member: member.to_owned(),
        grantor,
    };
    if catalog.version < GRANTORS_COUNT || found.grantors.is_empty() {
        return vec![revoke(None)];
    }
    found.grantors.iter().cloned().map(Some).map(revoke).collect()
}
