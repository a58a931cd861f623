//! What the manifest gave to the database, so that its removal policy can tell that from what others gave. Lives here: carrying it from one
//! status to the next. Must not: taking anything back (`plan::provision::leave`).

use pgherd_model::api::status::{Provisioned, ProvisionedRole};
use pgherd_model::cluster::{Cluster, Role, RoleOrigin, UserFate};

use crate::observed::{Catalog, RoleView};
use crate::plan::leave_words;

/// What is to be remembered; nothing where nothing is ever taken back. What left stays remembered until the database no longer shows it.
pub(crate) fn remember(
    cluster: &Cluster,
    catalog: Option<&Catalog>,
    previous: Option<&Provisioned>,
) -> Option<Provisioned> {
    if !cluster.removal.is_any() {
        return None;
    }
    let mut next = Provisioned::default();
    for role in cluster.roles.iter().filter(|role| is_remembered(role)) {
        next.roles.insert(role.name.clone(), given(role));
    }
    let plain = cluster.databases.iter().map(|database| &database.name);
    let prepared = cluster.prepared_databases.iter().map(|database| &database.name);
    next.databases = plain.chain(prepared).cloned().collect();
    let Some(previous) = previous else {
        return Some(next);
    };
    for (name, before) in &previous.roles {
        let found = catalog.map(|catalog| catalog.roles.get(name));
        let rest = match next.roles.get(name) {
            Some(now) => still_there(before, now, found),
            None if cluster.removal.users == UserFate::Keep || found == Some(None) => continue,
            None => before.clone(),
        };
        if next.roles.contains_key(name) || !is_done(cluster, before, found) {
            let entry = next.roles.entry(name.clone()).or_default();
            entry.flags.extend(rest.flags);
            entry.member_of.extend(rest.member_of);
            entry.parameters.extend(rest.parameters);
        }
    }
    if cluster.removal.databases {
        let gone = previous.databases.iter().filter(|name| match catalog {
            Some(catalog) => catalog.databases.contains_key(*name),
            None => true,
        });
        next.databases.extend(gone.cloned());
    }
    Some(next)
}

fn is_remembered(role: &Role) -> bool {
    matches!(role.origin, RoleOrigin::Manifest | RoleOrigin::Prepared)
}

fn given(role: &Role) -> ProvisionedRole {
    ProvisionedRole {
        flags: leave_words(role),
        member_of: role.member_of.iter().cloned().collect(),
        parameters: role.parameters.keys().cloned().collect(),
    }
}

/// What was given before, is not now, and has not gone yet.
fn still_there(
    before: &ProvisionedRole,
    now: &ProvisionedRole,
    found: Option<Option<&RoleView>>,
) -> ProvisionedRole {
    let view = found.flatten();
    let unread = found.is_none();
    ProvisionedRole {
        flags: before
            .flags
            .difference(&now.flags)
            .filter(|word| unread || view.is_some_and(|view| view.has(word)))
            .cloned()
            .collect(),
        member_of: before
            .member_of
            .difference(&now.member_of)
            .filter(|group| unread || view.is_some_and(|view| view.member_of.contains_key(*group)))
            .cloned()
            .collect(),
        parameters: before
            .parameters
            .difference(&now.parameters)
            .filter(|name| unread || view.is_some_and(|view| view.settings.contains_key(*name)))
            .cloned()
            .collect(),
    }
}

/// A role that left and has nothing more to lose.
fn is_done(cluster: &Cluster, before: &ProvisionedRole, found: Option<Option<&RoleView>>) -> bool {
    let Some(Some(view)) = found else {
        return false;
    };
    let is_member = |group: &String| view.member_of.contains_key(group);
    cluster.removal.users == UserFate::Revoke && !view.login && !before.member_of.iter().any(is_member)
}
