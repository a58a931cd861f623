//! Users and their secrets.

use std::collections::BTreeMap;

use super::super::{Hit, Subject};
use crate::{
    cluster::role::{RoleOrigin, user_path},
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

/// Postgres would cut the name, and two roles could become one.
pub(in super::super) fn names_fit(subject: &Subject<'_>) -> Vec<Hit> {
    let roles = subject
        .cluster()
        .map(|cluster| cluster.roles.as_slice())
        .unwrap_or_default();
    let too_long = roles.iter().filter(|role| role.name.len() > IDENTIFIER_LIMIT);
    too_long
        .map(|role| {
            let path = match role.origin {
                RoleOrigin::Prepared => "spec.preparedDatabases".to_owned(),
                RoleOrigin::Manifest | RoleOrigin::System => user_path(&role.name),
            };
            let message = format!(
                "makes the role {:?}, which is longer than {IDENTIFIER_LIMIT} bytes; shorten the names",
                role.name
            );
            Hit::new(path, message)
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
            if !cluster.roles.iter().any(|role| role.name == *name) {
                hits.push(Hit::new(path, format!("{name:?} is no user of this manifest")));
            } else if let Some(first) = seen.insert(name, list).filter(|first| *first != list) {
                hits.push(Hit::new(path, format!("{name:?} is in {first} too")));
            }
        }
    }
    hits
}
