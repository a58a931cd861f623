//! What leaves the manifest, by its removal policy. Lives here: taking back what the status says that the manifest gave, and nothing else.
//! Must not: recording that (`assess`).

use std::collections::BTreeSet;

use pgherd_model::api::status::{Provisioned, ProvisionedRole};
use pgherd_model::cluster::{Cluster, Role, RoleFlag, UserFate};
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::roles::{MAINTENANCE_DATABASE, is_reserved};

use super::roles::{LOGIN, revoked};
use super::rotated::day_of;
use super::{Group, Wanted};
use crate::observed::{Catalog, RoleView};
use crate::plan::Reason;
use crate::sql::{RoleFlags, Statement, Subject};

/// Databases of Postgres itself.
const SYSTEM: [&str; 3] = [MAINTENANCE_DATABASE, "template0", "template1"];

/// What is taken back, roles after the databases that they own.
pub(super) fn wanted(
    cluster: &Cluster,
    config: &OperatorConfig,
    roles: &[Role],
    catalog: &Catalog,
    given: &Provisioned,
) -> Wanted {
    let mut wanted = Wanted::default();
    if cluster.removal.databases {
        wanted.groups.extend(databases(cluster, catalog, given));
    }
    for (name, given) in &given.roles {
        let Some(found) = catalog.roles.get(name) else {
            continue;
        };
        match roles.iter().find(|role| role.name == *name) {
            Some(role) => wanted
                .groups
                .extend(changed(cluster, role, found, given, catalog)),
            None if is_reserved(name, config) => {}
            None => {
                // Those that rotation made of it first: they are its members.
                for (dated, found) in rotated_of(name, roles, catalog) {
                    gone(cluster, dated, found, given, catalog, &mut wanted);
                }
                gone(cluster, name, found, given, catalog, &mut wanted);
            }
        }
    }
    wanted
}

fn rotated_of<'a>(
    name: &'a str,
    roles: &'a [Role],
    catalog: &'a Catalog,
) -> impl Iterator<Item = (&'a str, &'a RoleView)> {
    let later = catalog.roles.range(name.to_owned()..);
    later
        .take_while(move |(other, _)| other.starts_with(name))
        .filter(move |(other, view)| {
            let is_wanted = roles.iter().any(|role| role.name == **other);
            day_of(name, other).is_some() && view.member_of.contains_key(name) && !is_wanted
        })
        .map(|(other, view)| (other.as_str(), view))
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

/// A role that stays: what the manifest gave it and gives no longer.
fn changed(
    cluster: &Cluster,
    role: &Role,
    found: &RoleView,
    given: &ProvisionedRole,
    catalog: &Catalog,
) -> Option<Group> {
    let mut statements = Vec::new();
    let removal = &cluster.removal;
    if removal.flags {
        let wanted = words(role);
        let lost: BTreeSet<&String> = given
            .flags
            .iter()
            .filter(|word| !wanted.contains(*word))
            .collect();
        let flags = present(&lost, found);
        if flags != RoleFlags::default() {
            let role = role.name.clone();
            statements.push(Statement::RemoveFlags { role, flags });
        }
        let settings = given.parameters.iter();
        let lost = settings
            .filter(|name| !role.parameters.contains_key(*name) && found.settings.contains_key(*name));
        statements.extend(lost.map(|name| Statement::ResetSetting {
            role: role.name.clone(),
            name: name.clone(),
        }));
    }
    if removal.memberships {
        let lost = given
            .member_of
            .iter()
            .filter(|group| !role.member_of.contains(*group));
        statements.extend(lost.flat_map(|group| revoked(catalog, group, &role.name)));
    }
    (!statements.is_empty()).then(|| leaving(Group::of(Subject::Role(role.name.clone()), statements)))
}

/// A role that the manifest does not have any more.
fn gone(
    cluster: &Cluster,
    name: &str,
    found: &RoleView,
    given: &ProvisionedRole,
    catalog: &Catalog,
    wanted: &mut Wanted,
) {
    let subject = Subject::Role(name.to_owned());
    match (cluster.removal.users, &cluster.removal.heir) {
        (UserFate::Keep, _) | (UserFate::Drop, None) => {}
        (UserFate::Revoke, _) => {
            let login = RoleFlags {
                login: true,
                ..RoleFlags::default()
            };
            let mut statements = Vec::from_iter(found.login.then(|| Statement::RemoveFlags {
                role: name.to_owned(),
                flags: login,
            }));
            statements.extend(
                given
                    .member_of
                    .iter()
                    .flat_map(|group| revoked(catalog, group, name)),
            );
            wanted.groups.push(leaving(Group::of(subject, statements)));
        }
        (UserFate::Drop, Some(heir)) => {
            if !catalog.roles.contains_key(heir) && cluster.role(heir).is_none() {
                return wanted.lacking(format!("drop role {name}"), heir);
            }
            let groups = without_rights(name, heir, catalog);
            let drop = Statement::DropRole {
                role: name.to_owned(),
            };
            let groups = groups.into_iter().chain([Group::of(subject, vec![drop])]);
            wanted
                .groups
                .extend(groups.map(|group| leaving(group.after_roles([heir.as_str()]))));
        }
    }
}

/// What a role owns goes to the heir, and what is granted to it goes, in every database. The first also where nothing of its own was seen: it
/// may have made something since, and what is taken from it next would take that along.
pub(super) fn without_rights(name: &str, heir: &str, catalog: &Catalog) -> Vec<Group> {
    let Some(found) = catalog.roles.get(name) else {
        return Vec::new();
    };
    // What all databases share is reached from any of them.
    let place = |place: &String| match place.as_str() {
        "" => MAINTENANCE_DATABASE.to_owned(),
        _ => place.clone(),
    };
    let owns_databases = catalog.databases.values().any(|database| database.owner == name);
    let places: BTreeSet<String> = found
        .owns_in
        .iter()
        .chain(&found.granted_in)
        .map(place)
        .chain(owns_databases.then(|| MAINTENANCE_DATABASE.to_owned()))
        .collect();
    let role = || name.to_owned();
    let cleared = |database: String| {
        let statements = vec![
            Statement::ReassignOwned {
                role: role(),
                owner: heir.to_owned(),
            },
            Statement::DropOwned { role: role() },
        ];
        Group::of(Subject::Role(role()), statements).inside(&database)
    };
    places.into_iter().map(cleared).collect()
}

/// Databases in words.
pub(super) fn places(names: &BTreeSet<String>) -> String {
    let word = |name: &String| match name.as_str() {
        "" => "the server".to_owned(),
        name => format!("database {name}"),
    };
    names.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn leaving(group: Group) -> Group {
    Group {
        reason: Reason::Left,
        ..group
    }
}

/// The attributes that a role shall have, in the words of SQL.
pub(crate) fn words(role: &Role) -> BTreeSet<String> {
    let asked = role.flags.iter().filter(|(_, wanted)| **wanted);
    let words = asked.map(|(flag, _)| flag.sql().to_owned());
    words.chain(role.login.then(|| LOGIN.to_owned())).collect()
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
