//! What the manifest gave to the database, so that its removal policy can tell that from what others gave. Lives here: carrying it from one
//! status to the next. Must not: taking anything back (`plan::provision::leave`).

use pgherd_model::api::status::{Provisioned, ProvisionedRole};
use pgherd_model::cluster::{Cluster, Role, RoleOrigin, UserFate};

use crate::observed::{Catalog, RoleView};
use crate::plan::leave_words;
use crate::plan::provision::rotated;

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
        // What another source defines now is not the manifest's to take back any more.
        if cluster.role(name).is_some_and(|role| !is_remembered(role)) {
            continue;
        }
        let seen = Seen::of(catalog, name);
        let rest = match next.roles.get(name) {
            Some(now) => still_there(before, now, &seen),
            None if cluster.removal.users == UserFate::Keep || seen.is_gone() => continue,
            None => before.clone(),
        };
        if next.roles.contains_key(name) || !is_done(cluster, before, &seen) {
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

/// A role in the database with those that rotation made of it, as far as the database was asked.
enum Seen<'a> {
    Unread,
    /// The role itself comes first; none: it is gone.
    Read(Vec<&'a RoleView>),
}

impl<'a> Seen<'a> {
    fn of(catalog: Option<&'a Catalog>, name: &'a str) -> Self {
        let Some(catalog) = catalog else {
            return Self::Unread;
        };
        let itself = catalog.roles.get(name);
        // Without the first they are members of nothing.
        let dated = rotated::of(name, catalog).map(|(_, view)| view);
        Self::Read(itself.into_iter().chain(dated).collect())
    }

    fn is_gone(&self) -> bool {
        matches!(self, Self::Read(views) if views.is_empty())
    }

    /// Of one of them, or of one that was not looked at.
    fn may(&self, be_so: impl Fn(&RoleView) -> bool) -> bool {
        match self {
            Self::Unread => true,
            Self::Read(views) => views.iter().any(|view| be_so(view)),
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
fn still_there(before: &ProvisionedRole, now: &ProvisionedRole, seen: &Seen<'_>) -> ProvisionedRole {
    ProvisionedRole {
        flags: before
            .flags
            .difference(&now.flags)
            .filter(|word| seen.may(|view| view.has(word)))
            .cloned()
            .collect(),
        member_of: before
            .member_of
            .difference(&now.member_of)
            .filter(|group| seen.may(|view| view.member_of.contains_key(*group)))
            .cloned()
            .collect(),
        parameters: before
            .parameters
            .difference(&now.parameters)
            .filter(|name| seen.may(|view| view.settings.contains_key(*name)))
            .cloned()
            .collect(),
    }
}

/// A role that left and has nothing more to lose.
fn is_done(cluster: &Cluster, before: &ProvisionedRole, seen: &Seen<'_>) -> bool {
    let is_member = |view: &RoleView| {
        before
            .member_of
            .iter()
            .any(|group| view.member_of.contains_key(group))
    };
    cluster.removal.users == UserFate::Revoke && !seen.may(|view| view.login || is_member(view))
}
