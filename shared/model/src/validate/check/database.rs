//! Databases and their owners.

use std::collections::BTreeMap;

use super::super::{Hit, Subject};
use crate::{
    cluster::{Origin, UserFate},
    names::roles::{DEFAULT_SCHEMA, MAINTENANCE_DATABASE},
    units::sql::{IDENTIFIER_LIMIT, Identifier},
};

/// Letters, digits and underscores, no digit first: what upstream makes; others it skips.
fn is_name(name: &str) -> bool {
    let inner = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    inner && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

pub(in super::super) fn names_are_plain(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut check = |path: String, name: &str| {
        if !is_name(name) {
            let message =
                format!("{name:?} may hold letters, digits and underscores only, and not start with a digit");
            hits.push(Hit::new(path, message));
        } else if name.len() > IDENTIFIER_LIMIT {
            let message = format!("{name:?} is longer than {IDENTIFIER_LIMIT} bytes, where Postgres cuts it");
            hits.push(Hit::new(path, message));
        }
    };
    for name in subject.spec.databases.keys() {
        check(format!("spec.databases.{name}"), name);
    }
    for (name, database) in subject.spec.prepared_databases.iter().flatten() {
        let path = format!("spec.preparedDatabases.{name}");
        for schema in database.schemas.keys() {
            check(format!("{path}.schemas.{schema}"), schema);
        }
        check(path, name);
    }
    hits
}

/// Owners that neither manifest nor operator defines.
fn strangers<'a>(subject: &'a Subject<'_>) -> Vec<(&'a String, &'a String)> {
    let Some(cluster) = subject.cluster() else {
        return Vec::new();
    };
    let defined = |owner: &String| cluster.role(owner).is_some();
    subject
        .spec
        .databases
        .iter()
        .filter(|(_, owner)| !defined(owner))
        .collect()
}

/// Roles can come from elsewhere, so that the manifest alone cannot tell who exists.
fn roles_come_from_elsewhere(subject: &Subject<'_>) -> bool {
    let config = subject.config;
    !config.infrastructure_role_secrets().is_empty()
        || config.teams_api.enable_teams_api
        || config.teams_api.enable_postgres_team_crd
}

pub(in super::super) fn owners_exist(subject: &Subject<'_>) -> Vec<Hit> {
    if roles_come_from_elsewhere(subject) {
        return Vec::new();
    }
    let missing = |(database, owner): (&String, &String)| {
        let message = format!("the owner {owner:?} is no role; add it to spec.users");
        Hit::new(format!("spec.databases.{database}"), message)
    };
    strangers(subject).into_iter().map(missing).collect()
}

pub(in super::super) fn owners_are_known(subject: &Subject<'_>) -> Vec<Hit> {
    if !roles_come_from_elsewhere(subject) {
        return Vec::new();
    }
    let unknown = |(database, owner): (&String, &String)| {
        let message =
            format!("the owner {owner:?} is not in spec.users; without such a role there is no database");
        Hit::new(format!("spec.databases.{database}"), message)
    };
    strangers(subject).into_iter().map(unknown).collect()
}

/// A database in both sections would change its owner at every look.
pub(in super::super) fn sections_do_not_overlap(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(cluster) = subject.cluster() else {
        return Vec::new();
    };
    let prepared = |name: &String| {
        cluster
            .prepared_databases
            .iter()
            .any(|database| database.name == *name)
    };
    let both = subject.spec.databases.keys().filter(|name| prepared(name));
    both.map(|name| {
        let message =
            format!("{name:?} is in spec.preparedDatabases too, with another owner; keep it in one of them");
        Hit::new(format!("spec.databases.{name}"), message)
    })
    .collect()
}

/// Whether a database is declared, or may come from elsewhere: with the data of another cluster.
pub(super) fn may_exist(subject: &Subject<'_>, name: &str) -> bool {
    let Some(cluster) = subject.cluster() else {
        return true;
    };
    cluster.origin != Origin::Fresh
        || name == MAINTENANCE_DATABASE
        || cluster.databases.iter().any(|database| database.name == name)
        || cluster
            .prepared_databases
            .iter()
            .any(|database| database.name == name)
}

/// Databases of Postgres itself.
const SYSTEM: [&str; 3] = [MAINTENANCE_DATABASE, "template0", "template1"];
/// Schemas that are there without being declared.
const GIVEN_SCHEMAS: [&str; 2] = ["public", "pg_catalog"];

/// Settings of databases that do what they seem to.
pub(in super::super) fn sections_make_sense(subject: &Subject<'_>) -> Vec<Hit> {
    let spec = &subject.spec;
    let mut hits = Vec::new();
    let prepared = spec.prepared_databases.iter().flatten();
    let listed = spec.databases.keys().map(|name| ("databases", name));
    let listed = listed.chain(prepared.clone().map(|(name, _)| ("preparedDatabases", name)));
    for (section, name) in listed.filter(|(_, name)| SYSTEM.contains(&name.as_str())) {
        let message =
            format!("{name:?} is a database of Postgres itself: it gets another owner; use one of your own");
        hits.push(Hit::new(format!("spec.{section}.{name}"), message));
    }
    for (name, database) in prepared {
        let path = format!("spec.preparedDatabases.{name}");
        for (extension, schema) in &database.extensions {
            let default = database.schemas.is_empty() && schema == DEFAULT_SCHEMA;
            let declared = default || database.schemas.contains_key(schema);
            let at = format!("{path}.extensions.{extension}");
            if Identifier::parse(extension).is_err() {
                hits.push(Hit::new(
                    at,
                    format!("{extension:?} cannot be the name of an extension"),
                ));
            } else if !declared && !GIVEN_SCHEMAS.contains(&schema.as_str()) {
                let message = format!("the schema {schema:?} is not among those of this database");
                hits.push(Hit::new(at, message));
            }
        }
        for (schema, settings) in &database.schemas {
            if settings.default_users == Some(true) && settings.default_roles == Some(false) {
                let at = format!("{path}.schemas.{schema}.defaultUsers");
                hits.push(Hit::new(at, "does nothing beside defaultRoles: false"));
            }
        }
    }
    hits
}

/// What leaves the manifest stays in the database.
pub(in super::super) fn nothing_is_dropped(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let gone = |section: &str, before: Vec<&String>, after: Vec<&String>| -> Vec<Hit> {
        let gone = before.into_iter().filter(|name| !after.contains(name));
        gone.map(|name| {
            let message =
                "leaves the manifest and stays in the database: whoever wants it gone drops it there";
            Hit::new(format!("{section}.{name}"), message)
        })
        .collect()
    };
    let (before, after) = (&old.spec, &new.spec);
    // What a removal policy takes away is told by another rule.
    let removal = new
        .cluster()
        .map(|cluster| cluster.removal.clone())
        .unwrap_or_default();
    let mut hits = Vec::new();
    if removal.users == UserFate::Keep {
        hits.extend(gone(
            "spec.users",
            before.users.keys().collect(),
            after.users.keys().collect(),
        ));
    }
    if !removal.databases {
        hits.extend(gone(
            "spec.databases",
            before.databases.keys().collect(),
            after.databases.keys().collect(),
        ));
    }
    let none = BTreeMap::new();
    let (before, after) = (
        before.prepared_databases.as_ref().unwrap_or(&none),
        after.prepared_databases.as_ref().unwrap_or(&none),
    );
    let section = "spec.preparedDatabases";
    if !removal.databases {
        hits.extend(gone(section, before.keys().collect(), after.keys().collect()));
    }
    for (name, before) in before {
        let Some(after) = after.get(name) else { continue };
        let path = format!("{section}.{name}");
        hits.extend(gone(
            &format!("{path}.schemas"),
            before.schemas.keys().collect(),
            after.schemas.keys().collect(),
        ));
        hits.extend(gone(
            &format!("{path}.extensions"),
            before.extensions.keys().collect(),
            after.extensions.keys().collect(),
        ));
        if before.default_users == Some(true) && after.default_users != Some(true) {
            let message = "takes nobody's rights: the users that were made stay in the database";
            hits.push(Hit::new(format!("{path}.defaultUsers"), message));
        }
    }
    hits
}
