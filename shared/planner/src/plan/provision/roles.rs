//! Roles: their attributes, passwords, memberships and settings. Each is one group, after the groups of the roles that it speaks of.

use std::collections::{BTreeMap, BTreeSet};

use pgherd_model::cluster::{Cluster, PasswordEncryption, Role, RoleFlag, RoleOrigin};
use pgherd_model::config::OperatorConfig;

use super::{Group, Wanted, outsider};
use crate::observed::{Catalog, Observed, RoleView};
use crate::plan::{HoldReason, Matter, Verb};
use crate::sql::{PasswordRef, RoleFlags, Scheme, Statement, Subject};

mod attributes;
mod members;
mod people;

pub(super) use members::{inherited, revoked};

/// The word of the attribute that is not among the flags.
pub(super) const LOGIN: &str = "LOGIN";

/// What the roles are compared with.
struct Scene<'a> {
    cluster: &'a Cluster,
    config: &'a OperatorConfig,
    catalog: &'a Catalog,
    /// The cluster's roles, and those that rotation made of them.
    roles: &'a [Role],
    scheme: Scheme,
    /// The names that exist, or will once the statements before have run.
    known: BTreeSet<&'a str>,
    /// Who belongs to a team was said by all who know, so that what a person has beyond that can be taken back.
    are_people_heard: bool,
}

/// Roles that others are members of come before these.
pub(super) fn wanted(
    cluster: &Cluster,
    config: &OperatorConfig,
    roles: &[Role],
    catalog: &Catalog,
    observed: &Observed,
) -> Wanted {
    let mut scene = Scene::of(cluster, config, roles, catalog);
    scene.are_people_heard = people::are_heard(&scene, observed);
    let mut wanted = people::who_left(&scene, observed);
    for role in in_order(roles) {
        let statements = one(&scene, role, &mut wanted);
        let groups = role.member_of.iter().chain(&role.admin).map(String::as_str);
        let group = Group::of(Subject::Role(role.name.clone()), statements);
        wanted.groups.push(group.after_roles(groups));
    }
    wanted
}

/// What brings one role, which others need not know of yet, to what it shall be.
pub(super) fn alone(
    cluster: &Cluster,
    config: &OperatorConfig,
    catalog: &Catalog,
    role: &Role,
) -> Vec<Statement> {
    let mut roles = cluster.roles.clone();
    roles.push(role.clone());
    let scene = Scene::of(cluster, config, &roles, catalog);
    one(&scene, role, &mut Wanted::default())
}

impl<'a> Scene<'a> {
    fn of(cluster: &'a Cluster, config: &'a OperatorConfig, roles: &'a [Role], catalog: &'a Catalog) -> Self {
        Self {
            cluster,
            config,
            catalog,
            roles,
            scheme: scheme(cluster),
            known: known_roles(roles, catalog),
            are_people_heard: false,
        }
    }
}

fn one(scene: &Scene<'_>, role: &Role, wanted: &mut Wanted) -> Vec<Statement> {
    let (mut statements, known_as) = match scene.catalog.roles.get(&role.name) {
        Some(found) => (altered(scene, role, &role.name, found, wanted), role.name.clone()),
        // The image makes these when it makes the cluster.
        None if role.origin == RoleOrigin::System => return Vec::new(),
        None => match people::put_away(scene, role) {
            Some((name, found)) => {
                if !may_gain(scene, role, &name, wanted) {
                    return Vec::new();
                }
                let rename = Statement::RenameRole {
                    role: name.clone(),
                    name: role.name.clone(),
                };
                let mut statements = vec![rename];
                statements.extend(altered(scene, role, &name, found, wanted));
                (statements, name)
            }
            None => (created(role, scene.scheme), role.name.clone()),
        },
    };
    statements.extend(members::wanted(scene, role, &known_as, wanted));
    statements
}

/// How verifiers of this cluster are made.
pub(crate) fn scheme(cluster: &Cluster) -> Scheme {
    match cluster.postgres.password_encryption {
        PasswordEncryption::Scram => Scheme::ScramSha256,
        PasswordEncryption::Md5 => Scheme::Md5,
    }
}

/// Each after those that it becomes a member of, or that administer it; by name otherwise. A circle is cut somewhere.
fn in_order(roles: &[Role]) -> Vec<&Role> {
    fn visit<'a>(
        role: &'a Role,
        by_name: &BTreeMap<&str, &'a Role>,
        seen: &mut BTreeSet<&'a str>,
        order: &mut Vec<&'a Role>,
    ) {
        if !seen.insert(&role.name) {
            return;
        }
        for other in role.member_of.iter().chain(&role.admin) {
            if let Some(other) = by_name.get(other.as_str()) {
                visit(other, by_name, seen, order);
            }
        }
        order.push(role);
    }
    let by_name = roles.iter().map(|role| (role.name.as_str(), role)).collect();
    let (mut seen, mut order) = (BTreeSet::new(), Vec::with_capacity(roles.len()));
    for role in roles {
        visit(role, &by_name, &mut seen, &mut order);
    }
    order
}

/// The names that exist, or will once the statements before have run.
pub(super) fn known_roles<'a>(roles: &'a [Role], catalog: &'a Catalog) -> BTreeSet<&'a str> {
    let wanted = roles.iter().filter(|role| role.origin != RoleOrigin::System);
    let found = catalog.roles.keys().map(String::as_str);
    wanted.map(|role| role.name.as_str()).chain(found).collect()
}

fn created(role: &Role, scheme: Scheme) -> Vec<Statement> {
    let create = Statement::CreateRole {
        role: role.name.clone(),
        flags: attributes::flags(role),
        connection_limit: role.connection_limit,
        valid_until: role.valid_until.clone(),
        password: password(role, scheme),
    };
    std::iter::once(create)
        .chain(attributes::settings(role, &RoleView::default()))
        .collect()
}

fn altered(
    scene: &Scene<'_>,
    role: &Role,
    known_as: &str,
    found: &RoleView,
    wanted: &mut Wanted,
) -> Vec<Statement> {
    let scheme = scene.scheme;
    let mut statements = attributes::changed(role, found, refused(scene, role, found));
    if statements.iter().any(attributes::gives_power) && !may_gain(scene, role, known_as, wanted) {
        statements = statements
            .into_iter()
            .filter_map(attributes::without_power)
            .collect();
    }
    let differs = found.password_matches == Some(false);
    // Right, and stored in the other form, though there is a password to make the right one of.
    let is_other = !found.verbatim && found.md5 != (scheme == Scheme::Md5);
    let is_stale = found.password_matches == Some(true) && is_other;
    if let Some(password) = password(role, scheme).filter(|_| differs || is_stale) {
        let role = role.name.clone();
        statements.push(Statement::SetPassword { role, password });
    }
    statements.extend(attributes::settings(role, found));
    statements
}

/// Nobody can become it who was not let; else that is told. Who has prepared a role of that name would have what is given to it.
fn may_gain(scene: &Scene<'_>, role: &Role, known_as: &str, wanted: &mut Wanted) -> bool {
    let Some(why) = outsider::of(scene.cluster, scene.config, scene.catalog, known_as) else {
        return true;
    };
    let matter = Matter::Object(Verb::Make, Subject::Role(role.name.clone()));
    wanted.hold(matter, HoldReason::Conflict(why));
    false
}

/// What is refused, and the right of a team that it has no longer. Zalando's operator leaves a login that is refused; by policy it goes.
fn refused(scene: &Scene<'_>, role: &Role, found: &RoleView) -> RoleFlags {
    let login = role.origin == RoleOrigin::Manifest && scene.cluster.removal.flags;
    let mut refused = attributes::refused(role, found, login);
    let is_asked = role.flags.get(&RoleFlag::Superuser) == Some(&true);
    if role.origin == RoleOrigin::Team && scene.are_people_heard && !is_asked {
        refused.superuser = found.superuser;
    }
    refused
}

fn password(role: &Role, scheme: Scheme) -> Option<PasswordRef> {
    let place = role.secret.as_ref()?;
    Some(PasswordRef {
        namespace: place.namespace.clone(),
        secret: place.name.clone(),
        scheme,
    })
}
