//! Attributes of roles as manifests write them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// An attribute of a role, except for logging in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RoleFlag {
    /// Not bound by row-level security.
    BypassRls,
    /// May make databases.
    CreateDb,
    /// May make roles.
    CreateRole,
    /// Has the rights of the roles that it is a member of.
    Inherit,
    /// May replicate.
    Replication,
    /// May do everything.
    Superuser,
}

impl RoleFlag {
    /// All of them, in the order of their SQL words.
    pub const ALL: [Self; 6] = [
        Self::BypassRls,
        Self::CreateDb,
        Self::CreateRole,
        Self::Inherit,
        Self::Replication,
        Self::Superuser,
    ];

    /// The word in SQL; `NO` in front refuses it.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::BypassRls => "BYPASSRLS",
            Self::CreateDb => "CREATEDB",
            Self::CreateRole => "CREATEROLE",
            Self::Inherit => "INHERIT",
            Self::Replication => "REPLICATION",
            Self::Superuser => "SUPERUSER",
        }
    }
}

impl fmt::Display for RoleFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sql())
    }
}

const LOGIN: &str = "LOGIN";

/// What a flag is about: logging in, or one of the others.
type Subject = Option<RoleFlag>;

/// Whether the role logs in, which it does unless refused, and the other flags. Case does not matter.
///
/// # Errors
/// A word that is no flag, or a flag that is asked for and refused, in words.
pub(super) fn normalise(written: &[String]) -> Result<(bool, BTreeMap<RoleFlag, bool>), String> {
    let mut wishes: BTreeMap<Subject, bool> = BTreeMap::new();
    for word in written {
        let (subject, wanted) = read(word)?;
        if wishes
            .insert(subject, wanted)
            .is_some_and(|before| before != wanted)
        {
            let name = subject.map_or(LOGIN, RoleFlag::sql).to_lowercase();
            return Err(format!(
                "has the conflicting flags {name:?} and \"no{name}\"; keep one of them"
            ));
        }
    }
    let login = wishes.remove(&None).unwrap_or(true);
    Ok((
        login,
        wishes
            .into_iter()
            .filter_map(|(subject, wanted)| Some((subject?, wanted)))
            .collect(),
    ))
}

fn read(word: &str) -> Result<(Subject, bool), String> {
    let upper = word.to_ascii_uppercase();
    let subject = |name: &str| -> Option<Subject> {
        if name == LOGIN {
            return Some(None);
        }
        RoleFlag::ALL
            .into_iter()
            .find(|flag| flag.sql() == name)
            .map(Some)
    };
    if let Some(subject) = subject(&upper) {
        return Ok((subject, true));
    }
    let refused = upper.strip_prefix("NO").and_then(subject);
    refused.map(|subject| (subject, false)).ok_or_else(|| {
        format!(
            "has the unknown flag {word:?}; allowed are bypassrls, createdb, createrole, inherit, login, replication, superuser, each also with \"no\" in front"
        )
    })
}
