//! What statements are about. Lives here: the kinds and their line for people. Must not: statements.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a group of statements is about: it fails alone, and is named where a failure is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// A role, with its attributes, password, settings and memberships.
    Role(String),
    /// A database itself, or what is granted in all of it.
    Database(String),
    /// A schema and what is granted in it.
    Schema {
        /// Its database.
        database: String,
        /// Its name.
        schema: String,
    },
    /// An extension.
    Extension {
        /// Its database.
        database: String,
        /// Its name.
        extension: String,
    },
    /// Some tables or sequences that are there already.
    Objects {
        /// Their database.
        database: String,
        /// Their schema.
        schema: String,
        /// The first of them.
        first: String,
    },
}

impl Subject {
    /// It is about a role, not about a database or what is in one.
    pub fn is_role(&self) -> bool {
        matches!(self, Self::Role(_))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => write!(f, "role {role}"),
            Self::Database(database) => write!(f, "database {database}"),
            Self::Schema { database, schema } => write!(f, "schema {schema} of database {database}"),
            Self::Extension { database, extension } => {
                write!(f, "extension {extension} of database {database}")
            }
            Self::Objects {
                database,
                schema,
                first,
            } => write!(f, "{first} and others in schema {schema} of database {database}"),
        }
    }
}
