//! The databases that shall exist (zalando-behaviour 1.1, 4.11).

use std::collections::BTreeMap;

use super::reading::Reading;
use crate::api::postgresql::{DatabaseOptions, PreparedDatabase as Written};
use crate::names::roles::{DEFAULT_SCHEMA, default_prepared_database};

/// A database and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The role that owns it; one that nobody defines means that the database is not made.
    pub owner: String,
    /// How it is made.
    pub options: DatabaseOptions,
}

/// A database with owner, reader and writer roles of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedDatabase {
    /// Its name; its roles start with it.
    pub name: String,
    /// Also roles that can log in.
    pub default_users: bool,
    /// Its schemas by name; never empty.
    pub schemas: Vec<PreparedSchema>,
    /// Extensions: name to schema.
    pub extensions: BTreeMap<String, String>,
    /// Readers and writers get their rights on what is there already, too.
    pub grant_existing: bool,
    /// Namespace of its users' secrets, where that is not the cluster's.
    pub secret_namespace: Option<String>,
    /// How it is made.
    pub options: DatabaseOptions,
}

/// A schema of a prepared database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedSchema {
    /// Its name.
    pub name: String,
    /// Owner, reader and writer roles of the schema.
    pub default_roles: bool,
    /// Also roles that can log in.
    pub default_users: bool,
}

pub(super) fn read(reading: &Reading<'_>) -> Vec<Database> {
    let entry = |(name, owner): (&String, &String)| Database {
        name: name.clone(),
        owner: owner.clone(),
        options: options(reading, name),
    };
    reading.spec.databases.iter().map(entry).collect()
}

pub(super) fn read_prepared(reading: &Reading<'_>) -> Vec<PreparedDatabase> {
    let Some(written) = reading.spec.prepared_databases.as_ref() else {
        return Vec::new();
    };
    if written.is_empty() {
        let cluster = reading.meta.name.as_deref().unwrap_or_default();
        let name = default_prepared_database(cluster);
        return vec![one(&name, &Written::default(), options(reading, &name))];
    }
    written
        .iter()
        .map(|(name, database)| one(name, database, options(reading, name)))
        .collect()
}

fn options(reading: &Reading<'_>, database: &str) -> DatabaseOptions {
    let written = reading.spec.database_options.get(database);
    written.cloned().unwrap_or_default()
}

fn one(name: &str, written: &Written, options: DatabaseOptions) -> PreparedDatabase {
    let mut schemas: Vec<PreparedSchema> = written
        .schemas
        .iter()
        .map(|(name, schema)| PreparedSchema {
            name: name.clone(),
            default_roles: schema.default_roles.unwrap_or(true),
            default_users: schema.default_users.unwrap_or_default(),
        })
        .collect();
    if schemas.is_empty() {
        schemas.push(PreparedSchema {
            name: DEFAULT_SCHEMA.to_owned(),
            default_roles: true,
            default_users: false,
        });
    }
    PreparedDatabase {
        name: name.to_owned(),
        default_users: written.default_users.unwrap_or_default(),
        schemas,
        extensions: written.extensions.clone(),
        grant_existing: written.grant_existing.unwrap_or_default(),
        secret_namespace: written
            .secret_namespace
            .clone()
            .filter(|namespace| !namespace.is_empty()),
        options,
    }
}
