//! The roles that a cluster wants (zalando-behaviour 4.11; 4.12 for rotation). Lives here: the type, and how the sources that a manifest is
//! enough for come together. Roles of infrastructure and teams join by [`outside`], by the same order of [`RoleOrigin`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Pooler,
    database::PreparedDatabase,
    reading::Reading,
    rules::{
        self,
        reason::{ROLE_TWICE, USER_SKIPPED},
    },
};
use crate::finding::Finding;
use crate::names::{roles, secrets};
use crate::postgres_parameters::stored_name;
use crate::units::TIME_FORMAT;

mod flag;
pub mod infrastructure;
pub mod outside;
mod prepared;
pub mod removal;
pub mod team;

pub use flag::RoleFlag;

/// A role that shall exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name in Postgres.
    pub name: String,
    /// Who wants it; of two with one name the higher origin counts.
    pub origin: RoleOrigin,
    /// It can log in.
    pub login: bool,
    /// Attributes that are asked for (true) or refused (false); others stay as they are.
    pub flags: BTreeMap<RoleFlag, bool>,
    /// Roles that it is a member of, each once.
    pub member_of: Vec<String>,
    /// A role that becomes its administrator when it is made.
    pub admin: Option<String>,
    /// Settings of its sessions, by [`stored_name`].
    pub parameters: BTreeMap<String, String>,
    /// Sessions that it may have at the same time, -1 for as many as there are; `None` leaves it as it is.
    pub connection_limit: Option<i32>,
    /// Until when its password is valid, RFC 3339 in UTC or `infinity`; `None` leaves it as it is.
    pub valid_until: Option<String>,
    /// It owns a database, so that its name never rotates unasked.
    pub owns_database: bool,
    /// The secret with its name and password; none for roles that nobody logs in with.
    pub secret: Option<SecretPlace>,
    /// Where its password is given; `None`: it is drawn, and what is in `secret` then counts.
    pub given: Option<SecretKey>,
    /// Whether and how its password rotates.
    pub rotation: Rotation,
}

/// Who wants a role, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RoleOrigin {
    /// `users` of the manifest.
    Manifest,
    /// Secrets of the operator: roles that every cluster gets.
    Infrastructure,
    /// A person who belongs to a team.
    Team,
    /// The operator: superuser and replication user.
    System,
    /// A prepared database.
    Prepared,
    /// The connection pooler.
    Pooler,
    /// Event streams.
    Stream,
}

impl RoleOrigin {
    /// Words for a message: what such a role is.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Manifest => "manifest user",
            Self::Infrastructure => "infrastructure role",
            Self::Team => "team member",
            Self::System => "system role",
            Self::Prepared => "prepared database's role",
            Self::Pooler => "pooler's role",
            Self::Stream => "event streams' role",
        }
    }
}

/// A value in a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Namespace of the secret.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The key in its data.
    pub key: String,
    /// The value is a YAML text, and this is the field in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretPlace {
    /// Its namespace, which may be another one than the cluster's.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// How a password rotates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// Not at all.
    #[default]
    Off,
    /// A dated role with a new password replaces the old one in the secret.
    NewUser,
    /// Name stays, password changes.
    InPlace,
}

/// All roles by name.
pub(super) fn read(
    reading: &mut Reading<'_>,
    databases: &[PreparedDatabase],
    pooler: Option<&Pooler>,
    is_standby: bool,
) -> Vec<Role> {
    let mut wanted = from_manifest(reading);
    wanted.extend(system(reading));
    wanted.extend(
        databases
            .iter()
            .flat_map(|database| prepared::roles(reading, database)),
    );
    wanted.extend(pooler.map(|pooler| with_secret(reading, &pooler.user, RoleOrigin::Pooler, None)));
    wanted.extend(stream_user(reading));
    let mut roles = keep_strongest(wanted, &mut reading.findings);
    for role in &mut roles {
        join_owner_roles(reading, role);
        apply_options(reading, role);
        role.rotation = rotation(reading, role, is_standby);
    }
    roles
}

/// Reason of a finding: a role from outside of the manifest is left out.
pub const ROLE_SKIPPED: &str = "RoleSkipped";

/// A finding for this reason says that the definition of a role does not count.
pub fn is_skipped(reason: &str) -> bool {
    [ROLE_SKIPPED, ROLE_TWICE, USER_SKIPPED].contains(&reason)
}

/// Of the roles with one name the strongest, by name.
fn keep_strongest(wanted: impl IntoIterator<Item = Role>, findings: &mut Vec<Finding>) -> Vec<Role> {
    let mut roles: BTreeMap<String, Role> = BTreeMap::new();
    for role in wanted {
        let Some(known) = roles.get(&role.name) else {
            roles.insert(role.name.clone(), role);
            continue;
        };
        let weaker = if known.origin <= role.origin { known } else { &role };
        let stronger = known.origin.max(role.origin);
        if weaker.origin < stronger {
            findings.extend(overruled(weaker, stronger));
        } else if *known != role {
            findings.push(twice(&role));
        }
        if role.origin >= known.origin {
            roles.insert(role.name.clone(), role);
        }
    }
    roles.into_values().collect()
}

/// Of two definitions from one place that differ the later counts.
fn twice(role: &Role) -> Finding {
    let message = format!(
        "{} {:?} is defined twice, not alike: only the later definition counts",
        role.origin.word(),
        role.name
    );
    match role.origin {
        RoleOrigin::Prepared => Finding::new(ROLE_TWICE, "spec.preparedDatabases", message),
        _ => Finding::new(ROLE_SKIPPED, "", message),
    }
}

/// What is to be said of it. Rules of their own tell of the names of poolers and streams.
fn overruled(role: &Role, by: RoleOrigin) -> Option<Finding> {
    let name = &role.name;
    if role.origin == RoleOrigin::Manifest && matches!(by, RoleOrigin::Pooler | RoleOrigin::Stream) {
        return None;
    }
    Some(match role.origin {
        RoleOrigin::Manifest => {
            let message = match by {
                RoleOrigin::Infrastructure | RoleOrigin::Team => {
                    format!(
                        "{name:?} is defined as {} too, which counts; this definition is ignored",
                        by.word()
                    )
                }
                _ => format!("{name:?} is made by the operator; this definition is ignored"),
            };
            Finding::new(USER_SKIPPED, user_path(name), message)
        }
        origin => {
            let message = format!(
                "{} {name:?} is left out: it is the name of the {}",
                origin.word(),
                by.word()
            );
            Finding::new(ROLE_SKIPPED, "", message)
        }
    })
}

/// Reads the database's changes and logs in to do so.
fn stream_user(reading: &Reading<'_>) -> Option<Role> {
    let role = with_secret(reading, roles::STREAM_USER, RoleOrigin::Stream, None);
    (!reading.spec.streams.is_empty()).then(|| Role {
        flags: [(RoleFlag::Replication, true)].into(),
        ..role
    })
}

/// Path of a user in the manifest.
pub(crate) fn user_path(name: &str) -> String {
    format!("spec.users.{name}")
}

fn system(reading: &Reading<'_>) -> Vec<Role> {
    let users = &reading.config.users;
    [&users.super_username, &users.replication_username]
        .map(|name| with_secret(reading, name, RoleOrigin::System, None))
        .into()
}

/// The manifest's users but for reserved names. One bad name or flag is a violation: roles are made all or none.
fn from_manifest(reading: &mut Reading<'_>) -> Vec<Role> {
    let config = reading.config;
    let admin = config.teams_api.team_admin_role.clone();
    let admin = admin.filter(|_| config.teams_api.enable_admin_role_for_users);
    let owners: BTreeSet<&str> = reading.spec.databases.values().map(String::as_str).collect();
    let mut roles = Vec::new();
    for (name, written) in &reading.spec.users {
        let path = user_path(name);
        if !is_user_name(name) {
            reading.violate(rules::USER_NAME, path, name_problem(name));
            continue;
        }
        let (login, flags) = match flag::normalise(written) {
            Ok(flags) => flags,
            Err(problem) => {
                reading.violate(rules::USER_FLAGS, path, problem);
                continue;
            }
        };
        if roles::is_reserved(name, config) {
            let message = format!("{name:?} is a reserved name; this definition is ignored");
            reading.note(USER_SKIPPED, path, message);
            continue;
        }
        let namespace =
            secrets::namespace_of(name).filter(|_| config.kubernetes.enable_cross_namespace_secret);
        roles.push(Role {
            login,
            flags,
            admin: admin.clone(),
            owns_database: owners.contains(name.as_str()),
            ..with_secret(reading, name, RoleOrigin::Manifest, namespace)
        });
    }
    roles
}

/// A role that logs in, with its secret in `namespace` or beside the cluster.
fn with_secret(reading: &Reading<'_>, name: &str, origin: RoleOrigin, namespace: Option<&str>) -> Role {
    let names = &reading.names;
    Role {
        login: true,
        secret: Some(SecretPlace {
            namespace: namespace.unwrap_or(names.namespace()).to_owned(),
            name: names.secret(name),
        }),
        ..without_login(name, origin)
    }
}

/// A role that nobody logs in with.
fn without_login(name: &str, origin: RoleOrigin) -> Role {
    Role {
        name: name.to_owned(),
        origin,
        login: false,
        flags: BTreeMap::new(),
        member_of: Vec::new(),
        admin: None,
        parameters: BTreeMap::new(),
        connection_limit: None,
        valid_until: None,
        owns_database: false,
        secret: None,
        given: None,
        rotation: Rotation::Off,
    }
}

/// Parts of lower-case letters and digits, with dashes and underscores inside, joined by dots.
pub(crate) fn is_user_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.split('.').all(|part| match part.as_bytes() {
        [] => false,
        [first, .., last] if !plain(*first) || !plain(*last) => false,
        [only] => plain(*only),
        bytes => bytes
            .iter()
            .all(|byte| plain(*byte) || matches!(byte, b'-' | b'_')),
    })
}

fn name_problem(name: &str) -> String {
    format!(
        "{name:?} is not a role's name here: allowed are lower-case letters and digits, with dashes, underscores and dots inside"
    )
}

/// Owners of databases become members of the roles that the operator lists.
fn join_owner_roles(reading: &Reading<'_>, role: &mut Role) {
    if !role.owns_database {
        return;
    }
    for owner_role in &reading.config.users.additional_owner_roles {
        if *owner_role != role.name && !role.member_of.contains(owner_role) {
            role.member_of.push(owner_role.clone());
        }
    }
}

/// Settings under the names by which the server tells them apart.
fn as_stored<'a>(settings: impl IntoIterator<Item = (&'a String, &'a String)>) -> BTreeMap<String, String> {
    let settings = settings.into_iter();
    settings
        .map(|(name, value)| (stored_name(name), value.clone()))
        .collect()
}

/// What the manifest says of its own users beyond their flags. What cannot be read is not applied; a rule refuses it.
fn apply_options(reading: &Reading<'_>, role: &mut Role) {
    let Some(options) = reading.spec.user_options.get(&role.name) else {
        return;
    };
    if !matches!(role.origin, RoleOrigin::Manifest | RoleOrigin::Prepared) {
        return;
    }
    role.connection_limit = options.connection_limit.filter(|limit| *limit >= NO_LIMIT);
    role.valid_until = options.valid_until.as_deref().and_then(valid_until);
    for group in options.member_of.iter().filter(|group| **group != role.name) {
        if !role.member_of.contains(group) {
            role.member_of.push(group.clone());
        }
    }
    role.parameters.extend(as_stored(&options.parameters));
    let given = options
        .password_from
        .as_ref()
        .filter(|given| !given.name.is_empty());
    role.given = given.filter(|_| role.secret.is_some()).map(|given| SecretKey {
        namespace: reading.names.namespace().to_owned(),
        name: given.name.clone(),
        key: given.key.clone().unwrap_or_else(|| secrets::PASSWORD.to_owned()),
        inside: None,
    });
}

/// As many sessions as there are.
const NO_LIMIT: i32 = -1;
/// A password that never ends.
const FOREVER: &str = "infinity";

/// A time in UTC without fractions, or for ever.
pub(crate) fn valid_until(text: &str) -> Option<String> {
    if text == FOREVER {
        return Some(text.to_owned());
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.strftime(TIME_FORMAT).to_string())
}

/// Upstream's key of the superuser, which it compares with names of roles: such a role is not rotated by the lists.
const SUPERUSER_KEY: &str = "superuser";

fn rotation(reading: &Reading<'_>, role: &Role, is_standby: bool) -> Rotation {
    let spec = reading.spec;
    let in_place = spec.users_with_in_place_secret_rotation.contains(&role.name);
    let listed = in_place || spec.users_with_secret_rotation.contains(&role.name);
    let asked = listed && role.name != SUPERUSER_KEY;
    let by_default = reading.config.users.enable_password_rotation
        && matches!(role.origin, RoleOrigin::Manifest | RoleOrigin::Prepared)
        && !role.owns_database;
    let refused = role.secret.is_none()
        || role.given.is_some()
        || is_standby
        || spec.users_ignoring_secret_rotation.contains(&role.name)
        // The pods know these by name.
        || (role.origin == RoleOrigin::System && !in_place);
    match (asked || by_default) && !refused {
        false => Rotation::Off,
        true if in_place => Rotation::InPlace,
        true => Rotation::NewUser,
    }
}

#[cfg(test)]
mod tests;
