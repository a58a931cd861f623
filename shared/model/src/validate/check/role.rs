//! Users and their secrets.

use std::collections::BTreeMap;

use super::{
    super::{Hit, Subject},
    syntax,
};
use crate::{
    cluster::role::{Role, RoleOrigin, user_path},
    names::{roles, secrets},
    units::sql::IDENTIFIER_LIMIT,
};

/// Two roles must not share a secret: their names differ only in dashes and underscores.
pub(in super::super) fn secrets_are_distinct(subject: &Subject<'_>) -> Vec<Hit> {
    let mut owners = BTreeMap::new();
    let mut hits = Vec::new();
    let roles = subject
        .cluster()
        .map(|cluster| cluster.roles.as_slice())
        .unwrap_or_default();
    // Manifest users last, so that the one who can be renamed is named.
    let (manifest, others): (Vec<_>, Vec<_>) =
        roles.iter().partition(|role| role.origin == RoleOrigin::Manifest);
    for role in others.into_iter().chain(manifest) {
        let Some(secret) = role.secret.as_ref() else {
            continue;
        };
        if let Some(first) = owners.insert(secret, &role.name) {
            let message = format!(
                "{:?} would share the secret {:?} with {first:?}; rename one of them",
                role.name, secret.name
            );
            hits.push(Hit::new(user_path(&role.name), message));
        }
    }
    hits
}

/// Postgres would cut the name, and two roles could become one; or it keeps the name for itself.
pub(in super::super) fn names_fit(subject: &Subject<'_>) -> Vec<Hit> {
    let roles = subject
        .cluster()
        .map(|cluster| cluster.roles.as_slice())
        .unwrap_or_default();
    let problem = |name: &str| {
        if name.len() > IDENTIFIER_LIMIT {
            Some(format!(
                "makes the role {name:?}, which is longer than {IDENTIFIER_LIMIT} bytes; shorten the names"
            ))
        } else {
            syntax::is_of_postgres(name).then(|| {
                format!("makes the role {name:?}; Postgres keeps names with pg_ in front for itself")
            })
        }
    };
    // Rules of their own tell of the names of poolers and streams.
    let own = |role: &&Role| !matches!(role.origin, RoleOrigin::Pooler | RoleOrigin::Stream);
    roles
        .iter()
        .filter(own)
        .filter_map(|role| {
            let path = match role.origin {
                RoleOrigin::Prepared => prepared_path(subject, &role.name),
                _ => user_path(&role.name),
            };
            Some(Hit::new(path, problem(&role.name)?))
        })
        .collect()
}

/// The prepared database that a role is made for: roles are named after it.
fn prepared_path(subject: &Subject<'_>, role: &str) -> String {
    let databases = subject
        .spec
        .prepared_databases
        .iter()
        .flat_map(|databases| databases.keys());
    let of_role = databases.filter(|name| role.starts_with(name.as_str()));
    match of_role.max_by_key(|name| name.len()) {
        Some(database) => format!("spec.preparedDatabases.{database}"),
        None => "spec.preparedDatabases".to_owned(),
    }
}

/// Secrets leave the namespace of their cluster only where the operator allows it, and to one that can be.
pub(in super::super) fn secrets_stay_at_home(subject: &Subject<'_>) -> Vec<Hit> {
    let allowed = subject.config.kubernetes.enable_cross_namespace_secret;
    let mut hits = Vec::new();
    let impossible = |namespace: &str| {
        format!("{namespace:?} cannot be a namespace: lower-case letters, digits, dashes inside, at most 63")
    };
    for name in subject.spec.users.keys().filter(|_| allowed) {
        let namespace = secrets::namespace_of(name);
        if let Some(namespace) = namespace.filter(|namespace| !syntax::is_label(namespace)) {
            hits.push(Hit::new(user_path(name), impossible(namespace)));
        }
    }
    for (name, database) in subject.spec.prepared_databases.iter().flatten() {
        let namespace = database.secret_namespace.as_deref();
        let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) else {
            continue;
        };
        let path = format!("spec.preparedDatabases.{name}.secretNamespace");
        if !allowed {
            let message = "is not allowed: the operator keeps secrets beside their cluster (enable_cross_namespace_secret)";
            hits.push(Hit::new(path, message));
        } else if !syntax::is_label(namespace) {
            hits.push(Hit::new(path, impossible(namespace)));
        }
    }
    hits
}

/// A dot asks for another namespace, which it does not get.
pub(in super::super) fn dots_mean_something(subject: &Subject<'_>) -> Vec<Hit> {
    if subject.config.kubernetes.enable_cross_namespace_secret {
        return Vec::new();
    }
    let dotted = subject.spec.users.keys();
    dotted
        .filter_map(|name| {
            let namespace = secrets::namespace_of(name)?;
            let message = format!(
                "the secret stays in the cluster's namespace, not in {namespace:?} (enable_cross_namespace_secret)"
            );
            Some(Hit::new(user_path(name), message))
        })
        .collect()
}

/// The rotation lists name roles that exist, each in one list.
pub(in super::super) fn rotation_lists_make_sense(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(cluster) = subject.cluster() else {
        return Vec::new();
    };
    let lists = [
        (
            "usersWithSecretRotation",
            &subject.spec.users_with_secret_rotation,
        ),
        (
            "usersWithInPlaceSecretRotation",
            &subject.spec.users_with_in_place_secret_rotation,
        ),
        (
            "usersIgnoringSecretRotation",
            &subject.spec.users_ignoring_secret_rotation,
        ),
    ];
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let mut hits = Vec::new();
    for (list, names) in lists {
        for (index, name) in names.iter().enumerate() {
            let path = format!("spec.{list}[{index}]");
            if cluster.role(name).is_none() {
                hits.push(Hit::new(path, format!("{name:?} is no user of this manifest")));
            } else if let Some(first) = seen.insert(name, list).filter(|first| *first != list) {
                hits.push(Hit::new(path, format!("{name:?} is in {first} too")));
            } else if roles::is_system(name, subject.config) && list != "usersIgnoringSecretRotation" {
                let message = format!("{name:?} is in the pods' settings: every rotation rolls all pods");
                hits.push(Hit::new(path, message));
            }
        }
    }
    hits
}
