//! `userOptions`, `databaseOptions` and `removalPolicy`.

use std::collections::BTreeSet;

use super::super::{Hit, Subject};
use super::syntax;
use crate::api::postgresql::{DatabaseOptions, UserOptions};
use crate::cluster::role::infrastructure::is_possible;
use crate::cluster::role::removal::word::{DROP, KEEP, REVOKE};
use crate::cluster::role::valid_until;
use crate::cluster::{RoleOrigin, UserFate};
use crate::units::PgVersion;
use crate::units::sql::Identifier;

/// First major version in which a database has a provider: `libc` can be named since then, and there is `icu`.
const PROVIDERS_SINCE: u16 = 15;
/// First major version with the provider `builtin`.
const BUILTIN_SINCE: u16 = 17;

fn path(user: &str, field: &str) -> String {
    format!("spec.userOptions.{user}.{field}")
}

fn options<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = (&'a String, &'a UserOptions)> {
    subject.spec.user_options.iter()
}

pub(in super::super) fn users_exist(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(cluster) = subject.cluster() else {
        return Vec::new();
    };
    let ours = |name: &str| {
        cluster
            .role(name)
            .is_some_and(|role| matches!(role.origin, RoleOrigin::Manifest | RoleOrigin::Prepared))
    };
    options(subject)
        .filter(|(name, _)| !ours(name))
        .map(|(name, _)| {
            let message = format!("{name:?} is no user of this manifest; add it to spec.users");
            Hit::new(format!("spec.userOptions.{name}"), message)
        })
        .collect()
}

pub(in super::super) fn limits_can_be(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (name, options) in options(subject) {
        if let Some(limit) = options.connection_limit.filter(|limit| *limit < -1) {
            let message = format!("{limit} is below -1, which stands for no limit");
            hits.push(Hit::new(path(name, "connectionLimit"), message));
        }
        let until = options.valid_until.as_deref();
        if let Some(until) = until.filter(|until| valid_until(until).is_none()) {
            let message = format!("{until:?} is neither a time as in 2030-01-31T00:00:00Z nor infinity");
            hits.push(Hit::new(path(name, "validUntil"), message));
        }
    }
    hits
}

pub(in super::super) fn memberships_can_be(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (name, options) in options(subject) {
        for (index, group) in options.member_of.iter().enumerate() {
            let message = if !is_possible(group) && !syntax::is_of_postgres(group) {
                format!("{group:?} cannot be the name of a role")
            } else if group == name || joins(subject, group, name) {
                format!("{group:?} is a member of {name:?}: memberships go in a circle")
            } else {
                continue;
            };
            hits.push(Hit::new(path(name, &format!("memberOf[{index}]")), message));
        }
    }
    hits
}

/// Whether `member` joins `group`, directly or through others, by what the manifest says.
fn joins(subject: &Subject<'_>, member: &str, group: &str) -> bool {
    let Some(cluster) = subject.cluster() else {
        return false;
    };
    let (mut open, mut seen) = (vec![member], BTreeSet::new());
    while let Some(name) = open.pop() {
        for next in cluster.role(name).into_iter().flat_map(|role| &role.member_of) {
            if next == group {
                return true;
            }
            if seen.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    false
}

pub(in super::super) fn settings_can_be(subject: &Subject<'_>) -> Vec<Hit> {
    let is_part = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        part.bytes().all(inner) && part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
    };
    let is_name =
        |name: &str| name.len() <= 63 && name.split('.').count() <= 2 && name.split('.').all(is_part);
    let mut hits = Vec::new();
    for (name, options) in options(subject) {
        for (setting, value) in &options.parameters {
            if !is_name(setting) {
                let message = format!("{setting:?} cannot be the name of a setting");
                hits.push(Hit::new(path(name, &format!("parameters.{setting}")), message));
            } else if value.contains('\0') {
                let message = "holds a zero byte, which Postgres cannot store";
                hits.push(Hit::new(path(name, &format!("parameters.{setting}")), message));
            }
        }
    }
    hits
}

pub(in super::super) fn passwords_can_be_given(subject: &Subject<'_>) -> Vec<Hit> {
    let spec = &subject.spec;
    let mut hits = Vec::new();
    for (name, options) in options(subject) {
        let Some(given) = &options.password_from else {
            continue;
        };
        let role = subject.cluster().and_then(|cluster| cluster.role(name));
        let own = role.and_then(|role| role.secret.as_ref());
        let rotates = spec.users_with_secret_rotation.contains(name)
            || spec.users_with_in_place_secret_rotation.contains(name);
        if !syntax::is_subdomain(&given.name) {
            let message = format!("{:?} cannot be the name of a secret", given.name);
            hits.push(Hit::new(path(name, "passwordFrom.name"), message));
        } else if own.is_some_and(|own| own.name == given.name) {
            let message = format!(
                "{:?} is the secret that the operator writes; name another one",
                given.name
            );
            hits.push(Hit::new(path(name, "passwordFrom.name"), message));
        } else if given.key.as_deref() == Some("") {
            hits.push(Hit::new(path(name, "passwordFrom.key"), "is empty"));
        } else if rotates {
            let message = "cannot be given and rotate: take the user out of the rotation lists";
            hits.push(Hit::new(path(name, "passwordFrom"), message));
        }
    }
    hits
}

pub(in super::super) fn databases_fit(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(cluster) = subject.cluster() else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    for (name, options) in &subject.spec.database_options {
        let at = format!("spec.databaseOptions.{name}");
        let plain = cluster.databases.iter().any(|database| database.name == *name);
        let prepared = || {
            cluster
                .prepared_databases
                .iter()
                .any(|database| database.name == *name)
        };
        if !plain && !prepared() {
            let message = format!("{name:?} is no database of this manifest");
            hits.push(Hit::new(at, message));
            continue;
        }
        hits.extend(
            unfit(options, cluster.version)
                .map(|(field, message)| Hit::new(format!("{at}.{field}"), message)),
        );
    }
    hits
}

fn unfit(options: &DatabaseOptions, version: PgVersion) -> Option<(&'static str, String)> {
    let major = version.major();
    let needed = match options.locale_provider.as_deref() {
        Some("libc" | "icu") => PROVIDERS_SINCE,
        Some("builtin") => BUILTIN_SINCE,
        None => 0,
        Some(other) => {
            let message = format!("{other:?} is unknown; there are libc, icu and builtin");
            return Some(("localeProvider", message));
        }
    };
    if major < needed {
        let message = format!("needs version {needed} of Postgres, and this is {major}");
        return Some(("localeProvider", message));
    }
    if let Some(limit) = options.connection_limit.filter(|limit| *limit < -1) {
        let message = format!("{limit} is below -1, which stands for no limit");
        return Some(("connectionLimit", message));
    }
    let template = options.template.as_deref();
    let bad = template.filter(|template| Identifier::parse(template).is_err())?;
    Some(("template", format!("{bad:?} cannot be the name of a database")))
}

pub(in super::super) fn removal_makes_sense(subject: &Subject<'_>) -> Vec<Hit> {
    let (Some(policy), Some(cluster)) = (&subject.spec.removal_policy, subject.cluster()) else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    let words: [(&str, &Option<String>, &[&str]); 4] = [
        ("users", &policy.users, &[KEEP, REVOKE, DROP]),
        ("memberships", &policy.memberships, &[KEEP, REVOKE]),
        ("flags", &policy.flags, &[KEEP, REVOKE]),
        ("databases", &policy.databases, &[KEEP, DROP]),
    ];
    for (field, word, allowed) in words {
        if let Some(word) = word.as_deref().filter(|word| !allowed.contains(word)) {
            let message = format!("{word:?} is unknown; there are {}", allowed.join(", "));
            hits.push(Hit::new(format!("spec.removalPolicy.{field}"), message));
        }
    }
    let at = "spec.removalPolicy.reassignOwnedTo";
    match &cluster.removal.heir {
        None if cluster.removal.users == UserFate::Drop => {
            hits.push(Hit::new(
                at,
                "is needed by users: drop: the role that gets what they own",
            ));
        }
        Some(heir) if cluster.role(heir).is_none() => {
            let message = format!("{heir:?} is no role of this manifest");
            hits.push(Hit::new(at, message));
        }
        _ => {}
    }
    hits
}

pub(in super::super) fn options_come_first(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let existed = |name: &String| {
        old.cluster().is_some_and(|cluster| {
            cluster.databases.iter().any(|database| database.name == *name)
                || cluster
                    .prepared_databases
                    .iter()
                    .any(|database| database.name == *name)
        })
    };
    let fixed = |options: Option<&DatabaseOptions>| DatabaseOptions {
        connection_limit: None,
        ..options.cloned().unwrap_or_default()
    };
    let changed = |name: &&String| {
        fixed(old.spec.database_options.get(*name)) != fixed(new.spec.database_options.get(*name))
    };
    let names: BTreeSet<&String> = new.spec.database_options.keys().collect();
    names
        .into_iter()
        .filter(|name| existed(name))
        .filter(changed)
        .map(|name| {
            let message = "counts when a database is made: one that exists stays as it is";
            Hit::new(format!("spec.databaseOptions.{name}"), message)
        })
        .collect()
}

pub(in super::super) fn what_goes(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let (Some(before), Some(after)) = (old.cluster(), new.cluster()) else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    let fate = match after.removal.users {
        UserFate::Keep => None,
        UserFate::Revoke => Some("leaves the manifest and can log in no longer (removalPolicy)"),
        UserFate::Drop => Some("leaves the manifest and is dropped (removalPolicy)"),
    };
    let ours = |origin: RoleOrigin| matches!(origin, RoleOrigin::Manifest | RoleOrigin::Prepared);
    let gone = before
        .roles
        .iter()
        .filter(|role| ours(role.origin) && after.role(&role.name).is_none());
    if let Some(fate) = fate {
        hits.extend(gone.map(|role| Hit::new(format!("spec.users.{}", role.name), fate)));
    }
    if after.removal.databases {
        let names = |cluster: &crate::cluster::Cluster| -> BTreeSet<String> {
            let plain = cluster.databases.iter().map(|database| database.name.clone());
            let prepared = cluster
                .prepared_databases
                .iter()
                .map(|database| database.name.clone());
            plain.chain(prepared).collect()
        };
        hits.extend(names(before).difference(&names(after)).map(|name| {
            let message = "leaves the manifest and is dropped with all its data (removalPolicy)";
            Hit::new(format!("spec.databases.{name}"), message)
        }));
    }
    hits
}
