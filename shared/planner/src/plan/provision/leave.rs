//! What leaves the manifest, by its removal policy. Lives here: taking back what the status says that the manifest gave, and nothing else.
//! Must not: recording that (`assess`).

use std::collections::BTreeSet;

use pgherd_model::api::status::{Provisioned, ProvisionedRole};
use pgherd_model::cluster::{Cluster, Role, RoleFlag, UserFate};
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::roles::{MAINTENANCE_DATABASE, is_reserved};

use super::owned::without_rights;
use super::roles::{LOGIN, inherited, revoked};
use super::{Group, Wanted, rotated};
use crate::observed::{Catalog, RoleView, SecretView};
use crate::plan::{HoldReason, Matter, Reason, Verb};
use crate::sql::{RoleFlags, Statement, Subject};

/// The word of a role that does not inherit.
const NOINHERIT: &str = "NOINHERIT";
/// Databases of Postgres itself.
const SYSTEM: [&str; 3] = [MAINTENANCE_DATABASE, "template0", "template1"];

/// What the decision is made of.
pub(super) struct Scene<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) config: &'a OperatorConfig,
    /// The roles that can be made, with those that rotation made of them. One that is held is not among them, and has not left.
    pub(super) made: &'a [Role],
    pub(super) catalog: &'a Catalog,
    /// What the manifest gave.
    pub(super) given: &'a Provisioned,
    /// The cluster's secrets, as far as they were read.
    pub(super) secrets: &'a [SecretView],
    /// Sources of roles that did not answer: what only they know of looks as if it had left.
    pub(super) gaps: &'a [(String, String)],
}

/// What is taken back, roles after the databases that they own.
pub(super) fn wanted(scene: &Scene<'_>) -> Wanted {
    let mut wanted = Wanted::default();
    if scene.cluster.removal.databases {
        let databases = databases(scene.cluster, scene.catalog, scene.given);
        wanted.groups.extend(databases);
    }
    let roles = roles(scene);
    let is_anything = !roles.groups.is_empty() || !roles.holds.is_empty();
    match scene.gaps.first() {
        // Who is silent may define any of them.
        Some((source, why)) if is_anything => {
            let (source, why) = (source.clone(), why.clone());
            wanted.hold(Matter::Departed, HoldReason::Unheard { source, why });
        }
        _ => {
            wanted.groups.extend(roles.groups);
            wanted.holds.extend(roles.holds);
        }
    }
    wanted
}

/// Whether a role has left is told by what is wanted alone, not by what can be made of it.
fn roles(scene: &Scene<'_>) -> Wanted {
    let mut wanted = Wanted::default();
    let catalog = scene.catalog;
    for (name, given) in &scene.given.roles {
        let Some(found) = catalog.roles.get(name) else {
            continue;
        };
        match scene.cluster.role(name) {
            Some(role) => {
                wanted.groups.extend(changed(scene, role, name, found, given));
                // They have what it has, and are what the application logs in as.
                for (dated, found) in rotated::of(name, catalog) {
                    let groups = changed(scene, role, dated, found, given);
                    wanted.groups.extend(groups);
                }
            }
            None if is_reserved(name, scene.config) => {}
            None => {
                // Those that rotation made of it first: they are told by being its members.
                let dated = rotated::of(name, catalog).filter(|(dated, _)| !is_in_use(scene, dated));
                let dated: Vec<(&str, &RoleView)> = dated.collect();
                for (dated, found) in &dated {
                    gone(scene, dated, found, given, &mut wanted);
                }
                let of_dated = wanted.groups.len();
                gone(scene, name, found, given, &mut wanted);
                let own = wanted.groups.split_off(of_dated).into_iter();
                let own = own.map(|group| group.after_roles(dated.iter().map(|(name, _)| *name)));
                wanted.groups.extend(own);
            }
        }
    }
    wanted
}

/// It is wanted for itself, or the secret of a role that is wanted names it.
fn is_in_use(scene: &Scene<'_>, name: &str) -> bool {
    let is_made = || scene.made.iter().any(|role| role.name == name);
    let is_named = || {
        let places = scene.cluster.roles.iter().filter_map(|role| role.secret.as_ref());
        let mut secrets = places.flat_map(|place| {
            let secrets = scene.secrets.iter();
            secrets.filter(|view| view.namespace == place.namespace && view.name == place.name)
        });
        secrets.any(|view| view.username.as_deref() == Some(name))
    };
    scene.cluster.role(name).is_some() || is_made() || is_named()
}

fn databases(cluster: &Cluster, catalog: &Catalog, given: &Provisioned) -> Vec<Group> {
    let is_wanted = |name: &str| {
        cluster.databases.iter().any(|database| database.name == name)
            || cluster
                .prepared_databases
                .iter()
                .any(|database| database.name == name)
    };
    let gone = given.databases.iter().filter(|name| {
        !is_wanted(name) && catalog.databases.contains_key(*name) && !SYSTEM.contains(&name.as_str())
    });
    gone.map(|name| {
        let drop = Statement::DropDatabase {
            database: name.clone(),
        };
        leaving(Group::of(Subject::Database(name.clone()), vec![drop]))
    })
    .collect()
}

/// A role that stays: what the manifest gave it and gives no longer. `name` is its own, or one that rotation made of it.
fn changed(
    scene: &Scene<'_>,
    role: &Role,
    name: &str,
    found: &RoleView,
    given: &ProvisionedRole,
) -> Option<Group> {
    let removal = &scene.cluster.removal;
    let mut statements = Vec::new();
    if removal.flags {
        statements.extend(attributes_lost(scene, role, name, found, given));
    }
    // What rotation made is a member of the first alone.
    if removal.memberships && role.name == name {
        let lost = given
            .member_of
            .iter()
            .filter(|group| !role.member_of.contains(*group));
        statements.extend(lost.flat_map(|group| revoked(scene.catalog, group, name)));
    }
    (!statements.is_empty()).then(|| leaving(Group::of(Subject::Role(name.to_owned()), statements)))
}

/// Flags and settings that the manifest gives no longer.
fn attributes_lost(
    scene: &Scene<'_>,
    role: &Role,
    name: &str,
    found: &RoleView,
    given: &ProvisionedRole,
) -> Vec<Statement> {
    let mut statements = Vec::new();
    let wanted = words(role);
    let lost: BTreeSet<&String> = given.flags.difference(&wanted).collect();
    let flags = present(&lost, found);
    if flags != RoleFlags::default() {
        let role = name.to_owned();
        statements.push(Statement::RemoveFlags { role, flags });
    }
    if lost.iter().any(|word| *word == NOINHERIT) && !found.inherit {
        statements.push(Statement::AddFlags {
            role: name.to_owned(),
            flags: RoleFlags {
                inherit: Some(true),
                ..RoleFlags::default()
            },
        });
        statements.extend(inherited(scene.catalog, role, name));
    }
    let settings = given.parameters.iter();
    let lost =
        settings.filter(|lost| !role.parameters.contains_key(*lost) && found.settings.contains_key(*lost));
    statements.extend(lost.map(|lost| Statement::ResetSetting {
        role: name.to_owned(),
        name: lost.clone(),
    }));
    statements
}

/// A role that the manifest does not have any more.
fn gone(scene: &Scene<'_>, name: &str, found: &RoleView, given: &ProvisionedRole, wanted: &mut Wanted) {
    match (scene.cluster.removal.users, &scene.cluster.removal.heir) {
        (UserFate::Keep, _) | (UserFate::Drop, None) => {}
        (UserFate::Revoke, _) => wanted.groups.push(shut_out(scene, name, found, given)),
        (UserFate::Drop, Some(heir)) => match stays(scene, name, heir) {
            Some(reason) => wanted.hold(Matter::Object(Verb::Drop, Subject::Role(name.to_owned())), reason),
            None => wanted.groups.extend(dropped(scene, name, heir)),
        },
    }
}

/// No login, and no memberships that the manifest gave.
fn shut_out(scene: &Scene<'_>, name: &str, found: &RoleView, given: &ProvisionedRole) -> Group {
    let login = RoleFlags {
        login: true,
        ..RoleFlags::default()
    };
    let mut statements = Vec::from_iter(found.login.then(|| Statement::RemoveFlags {
        role: name.to_owned(),
        flags: login,
    }));
    let groups = given.member_of.iter();
    statements.extend(groups.flat_map(|group| revoked(scene.catalog, group, name)));
    leaving(Group::of(Subject::Role(name.to_owned()), statements))
}

/// Why a role is not dropped. What is dropped is lost unless its heir is another role, which is there and stays.
fn stays(scene: &Scene<'_>, name: &str, heir: &str) -> Option<HoldReason> {
    let cluster = scene.cluster;
    if heir == name || cluster.role(heir).is_none() {
        let why = format!("role {heir}, which gets what others own (reassignOwnedTo), is not wanted itself");
        return Some(HoldReason::Conflict(why));
    }
    let owned = cluster.databases.iter().find(|database| database.owner == name);
    if let Some(database) = owned {
        let why = format!("database {} is to be its own (databases)", database.name);
        return Some(HoldReason::Conflict(why));
    }
    let is_there = scene.catalog.roles.contains_key(heir) || scene.made.iter().any(|role| role.name == heir);
    (!is_there).then(|| HoldReason::Lacking(format!("role {heir}")))
}

fn dropped(scene: &Scene<'_>, name: &str, heir: &str) -> Vec<Group> {
    let role = name.to_owned();
    let drop = Group::of(Subject::Role(role.clone()), vec![Statement::DropRole { role }]);
    let groups = without_rights(name, heir, scene.catalog);
    let groups = groups.into_iter().chain([drop]);
    groups.map(|group| leaving(group.after_roles([heir]))).collect()
}

fn leaving(group: Group) -> Group {
    Group {
        reason: Reason::Left,
        ..group
    }
}

/// The attributes that a role shall have, in the words of SQL.
pub(crate) fn words(role: &Role) -> BTreeSet<String> {
    // Of whether it inherits the other way is the rule, and no gift.
    let asked = role
        .flags
        .iter()
        .filter(|(flag, wanted)| **wanted && **flag != RoleFlag::Inherit);
    let words = asked.map(|(flag, _)| flag.sql());
    let alone = role.flags.get(&RoleFlag::Inherit) == Some(&false);
    let words = words
        .chain(alone.then_some(NOINHERIT))
        .chain(role.login.then_some(LOGIN));
    words.map(str::to_owned).collect()
}

/// Those of the attributes that the role has.
fn present(words: &BTreeSet<&String>, found: &RoleView) -> RoleFlags {
    let is = |flag: RoleFlag| words.iter().any(|word| *word == flag.sql());
    RoleFlags {
        superuser: is(RoleFlag::Superuser) && found.superuser,
        createdb: is(RoleFlag::CreateDb) && found.createdb,
        createrole: is(RoleFlag::CreateRole) && found.createrole,
        inherit: None,
        login: words.iter().any(|word| *word == LOGIN) && found.login,
        replication: is(RoleFlag::Replication) && found.replication,
        bypassrls: is(RoleFlag::BypassRls) && found.bypassrls,
    }
}
