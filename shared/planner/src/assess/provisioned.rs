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
        let found = Seen::of(catalog, name);
        let rest = match next.roles.get(name) {
            Some(now) => still_there(before, now, found),
            None if cluster.removal.users == UserFate::Keep || found == Seen::Gone => continue,
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

/// A role in the database, as far as the database was asked.
#[derive(Clone, Copy, PartialEq)]
enum Seen<'a> {
    Unread,
    Gone,
    There(&'a RoleView),
}

impl<'a> Seen<'a> {
    fn of(catalog: Option<&'a Catalog>, name: &str) -> Self {
        match catalog {
            None => Self::Unread,
            Some(catalog) => catalog.roles.get(name).map_or(Self::Gone, Self::There),
        }
    }

    fn view(self) -> Option<&'a RoleView> {
        match self {
            Self::There(view) => Some(view),
            Self::Unread | Self::Gone => None,
        }
    }
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
fn still_there(before: &ProvisionedRole, now: &ProvisionedRole, found: Seen<'_>) -> ProvisionedRole {
    let view = found.view();
    let unread = found == Seen::Unread;
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
fn is_done(cluster: &Cluster, before: &ProvisionedRole, found: Seen<'_>) -> bool {
    let Some(view) = found.view() else {
        return false;
    };
    let is_member = |group: &String| view.member_of.contains_key(group);
    cluster.removal.users == UserFate::Revoke && !view.login && !before.member_of.iter().any(is_member)
}
