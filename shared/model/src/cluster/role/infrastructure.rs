//! Infrastructure roles: those that every cluster gets, as secrets and ConfigMaps of the operator define them (zalando-behaviour 4.11 item 3,
//! A.12). Lives here: reading one definition's data in all its forms. Must not: passwords. Where one is, a [`SecretKey`] says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ROLE_SKIPPED, RoleFlag, SecretKey, flag};
use crate::config::InfrastructureRole;
use crate::finding::Finding;
use crate::secret::Secret;
use crate::units::sql::Identifier;

/// What one definition gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InfrastructureRoles {
    /// In the order in which they are written; of two with one name the later counts.
    pub roles: Vec<GivenRole>,
    /// What was left out, and why. Names roles and keys, never values.
    pub findings: Vec<Finding>,
}

/// A role as somebody else defines it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GivenRole {
    /// Its name in Postgres.
    pub name: String,
    /// It can log in.
    pub login: bool,
    /// Attributes that are asked for (true) or refused (false).
    pub flags: BTreeMap<RoleFlag, bool>,
    /// Roles that it is a member of, each once.
    pub member_of: Vec<String>,
    /// Settings of its sessions.
    pub parameters: BTreeMap<String, String>,
    /// Where its password is; `None` for a role without one.
    pub password: Option<SecretKey>,
}

/// A role in YAML: under `details` in the secret, or under its name in the ConfigMap.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    name: Option<String>,
    password: Option<Secret>,
    inrole: Option<Vec<String>>,
    user_flags: Option<Vec<String>>,
    db_parameters: Option<BTreeMap<String, String>>,
}

/// The roles of a definition. `secret` is the data of its secret, `config_map` that of the ConfigMap of the same name and namespace, if there
/// is one. A role that cannot be understood is left out and does not take the others with it.
pub fn read(
    definition: &InfrastructureRole,
    secret: &BTreeMap<String, Secret>,
    config_map: Option<&BTreeMap<String, String>>,
) -> InfrastructureRoles {
    let mut found = InfrastructureRoles::default();
    let source = Definition { definition, secret };
    if definition.template {
        source.indexed(&mut found);
    } else {
        source.single(&mut found);
    }
    for (name, text) in config_map.into_iter().flatten() {
        match serde_yaml::from_str::<Option<Written>>(text) {
            Ok(written) => source.described(name, written.unwrap_or_default(), &mut found),
            // The parser's words would quote the text.
            Err(_) => source.skip(name, "its description is no YAML of the known form", &mut found),
        }
    }
    found
}

struct Definition<'a> {
    definition: &'a InfrastructureRole,
    secret: &'a BTreeMap<String, Secret>,
}

impl Definition<'_> {
    /// `user1`, `password1`, `inrole1`, and so on until there is no further user.
    fn indexed(&self, found: &mut InfrastructureRoles) {
        let keys = self.definition;
        for index in 1_usize.. {
            let Some(name) = self.text(&format!("{}{index}", keys.user_key)) else {
                return;
            };
            let password = format!("{}{index}", keys.password_key);
            let group = self.text(&format!("{}{index}", keys.role_key));
            let written = Written {
                inrole: group.map(|group| vec![group.to_owned()]),
                ..Written::default()
            };
            self.with_password(name, &password, &written, found);
        }
    }

    /// One role under named keys, or described in YAML.
    fn single(&self, found: &mut InfrastructureRoles) {
        let keys = self.definition;
        let default = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let name = || {
            let written = self.text(&keys.user_key).map(str::to_owned);
            written.or_else(|| default(&keys.default_user_value))
        };
        let Some(details) = self.text(&keys.details) else {
            let group = self.text(&keys.role_key).map(str::to_owned);
            let group = group.or_else(|| default(&keys.default_role_value));
            let written = Written {
                inrole: group.map(|group| vec![group]),
                ..Written::default()
            };
            match name() {
                Some(name) => self.with_password(&name, &keys.password_key, &written, found),
                None => self.skip(&keys.user_key, "the secret has no such key", found),
            }
            return;
        };
        match serde_yaml::from_str::<Written>(details) {
            Ok(written) => match written.name.clone().filter(|name| !name.is_empty()).or_else(name) {
                Some(name) if written.password.as_ref().is_some_and(|text| !text.is_empty()) => {
                    let inside = self.key(&keys.details, Some("password"));
                    self.add(&name, &written, Some(inside), found);
                }
                Some(name) => self.with_password(&name, &keys.password_key, &written, found),
                None => self.skip(&keys.details, "the description names no role", found),
            },
            Err(_) => self.skip(
                &keys.details,
                "the description is no YAML of the known form",
                found,
            ),
        }
    }

    /// A role of the ConfigMap: its password, if any, is in the secret under the role's name.
    fn described(&self, name: &str, written: Written, found: &mut InfrastructureRoles) {
        let password = self.text(name).map(|_| self.key(name, None));
        let written = Written {
            name: None,
            password: None,
            ..written
        };
        self.add(name, &written, password, found);
    }

    fn with_password(&self, name: &str, key: &str, written: &Written, found: &mut InfrastructureRoles) {
        if self.text(key).is_none() {
            return self.skip(name, "the secret holds no password for it", found);
        }
        self.add(name, written, Some(self.key(key, None)), found);
    }

    fn add(
        &self,
        name: &str,
        written: &Written,
        password: Option<SecretKey>,
        found: &mut InfrastructureRoles,
    ) {
        if !is_possible(name) {
            return self.skip(
                name,
                "Postgres cannot have, or keeps for itself, a role of this name",
                found,
            );
        }
        let (login, flags) = match flag::normalise(written.user_flags.as_deref().unwrap_or_default()) {
            Ok(flags) => flags,
            Err(problem) => return self.skip(name, &problem, found),
        };
        let mut member_of: Vec<String> = Vec::new();
        for group in written.inrole.iter().flatten().filter(|group| !group.is_empty()) {
            if !member_of.contains(group) {
                member_of.push(group.clone());
            }
        }
        found.roles.push(GivenRole {
            name: name.to_owned(),
            login,
            flags,
            member_of,
            parameters: written.db_parameters.clone().unwrap_or_default(),
            password,
        });
    }

    fn skip(&self, what: &str, why: &str, found: &mut InfrastructureRoles) {
        let message = format!(
            "infrastructure role {what:?} of {} is left out: {why}",
            self.definition.secret_name
        );
        found.findings.push(Finding::new(ROLE_SKIPPED, "", message));
    }

    /// It may be a password: not copied.
    fn text(&self, key: &str) -> Option<&str> {
        let value = self.secret.get(key).filter(|_| !key.is_empty())?;
        Some(value.expose()).filter(|text| !text.is_empty())
    }

    fn key(&self, key: &str, inside: Option<&str>) -> SecretKey {
        SecretKey {
            namespace: self.definition.secret_name.namespace.clone(),
            name: self.definition.secret_name.name.clone(),
            key: key.to_owned(),
            inside: inside.map(str::to_owned),
        }
    }
}

/// Whether Postgres can have a role of this name, and leaves it to others.
pub(crate) fn is_possible(name: &str) -> bool {
    Identifier::parse(name).is_ok() && !name.starts_with("pg_") && !["public", "none"].contains(&name)
}

impl SecretKey {
    /// The password in the data of the secret that this speaks of.
    pub fn of(&self, data: &BTreeMap<String, Secret>) -> Option<Secret> {
        let value = data.get(&self.key)?;
        let text = match self.inside.as_deref() {
            None => value.clone(),
            Some(_) => serde_yaml::from_str::<Written>(value.expose()).ok()?.password?,
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests;
