//! Databases and their owners.

use super::super::{Hit, Subject};

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
    let defined = |owner: &String| cluster.roles.iter().any(|role| role.name == *owner);
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
