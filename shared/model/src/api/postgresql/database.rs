//! `postgresql`, `patroni` and `preparedDatabases`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{null_is_default, null_values_are_default};

/// Version and parameters of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostgresqlParam {
    /// Major version. Filled in with the operator's target version; raising it upgrades the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Server parameters; all values are texts.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub parameters: BTreeMap<String, String>,
}

/// Settings of Patroni. Absent or 0: Patroni's own default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Patroni {
    /// Options of initdb; they matter once.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub initdb: BTreeMap<String, String>,
    /// Lines of `pg_hba.conf`, instead of the image's.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub pg_hba: Vec<String>,
    /// Life of the leader's lease, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// Pause between two rounds, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_wait: Option<u32>,
    /// Patience with the store and Postgres, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_timeout: Option<u32>,
    /// Bytes a replica may lag behind and still become primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_lag_on_failover: Option<i64>,
    /// Replication slots that outlive a failover: name to properties.
    #[serde(
        default,
        deserialize_with = "null_values_are_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub slots: BTreeMap<String, BTreeMap<String, String>>,
    /// Commit waits for a replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synchronous_mode: Option<bool>,
    /// And refuses writes when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synchronous_mode_strict: Option<bool>,
    /// Replicas that a commit waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synchronous_node_count: Option<u32>,
    /// Keep the primary when the store is away and all members answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failsafe_mode: Option<bool>,
}

/// A database with owner, writer and reader roles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreparedDatabase {
    /// Its schemas. None: one called `data`.
    #[serde(
        rename = "schemas",
        default,
        deserialize_with = "null_values_are_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub schemas: BTreeMap<String, PreparedSchema>,
    /// Also roles that can log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_users: Option<bool>,
    /// Extensions: name to schema.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub extensions: BTreeMap<String, String>,
    /// Readers and writers also get their rights on tables, views and sequences of its schemas that are there already, whoever made them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_existing: Option<bool>,
    /// Namespace of the users' secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_namespace: Option<String>,
}

/// A schema of a prepared database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreparedSchema {
    /// Owner, writer and reader roles of the schema. Absent: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_roles: Option<bool>,
    /// Also roles that can log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_users: Option<bool>,
}

/// How a database is made. Most of it cannot be changed later, and is not: it counts when the database is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseOptions {
    /// Encoding, as `UTF8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Who compares texts, from version 15 on: `libc`, `icu`, or `builtin` (from 17 on).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale_provider: Option<String>,
    /// Locale for all purposes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Locale for sorting, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collate: Option<String>,
    /// Locale for classes of characters, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctype: Option<String>,
    /// Locale of the provider `icu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icu_locale: Option<String>,
    /// Locale of the provider `builtin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builtin_locale: Option<String>,
    /// The database to copy. Absent: the server's, or the empty one where encoding or locale are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Sessions at the same time, -1 for as many as there are. This may change later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_limit: Option<i32>,
}

impl DatabaseOptions {
    /// The database to copy: encoding and locale of the usual one are fixed, so that others need the empty one.
    pub fn effective_template(&self) -> Option<&str> {
        let fixed = [
            &self.encoding,
            &self.locale_provider,
            &self.locale,
            &self.collate,
            &self.ctype,
            &self.icu_locale,
            &self.builtin_locale,
        ];
        let own = fixed.into_iter().any(Option::is_some);
        self.template.as_deref().or(own.then_some("template0"))
    }
}
