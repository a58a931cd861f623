//! Names of roles, databases and schemas in Postgres (appendix F), and which of them are taken.

use crate::config::OperatorConfig;

/// Database that everybody may connect to, where roles and databases are made.
pub const MAINTENANCE_DATABASE: &str = "postgres";
/// Role of poolers under its usual name.
pub const POOLER_USER: &str = "pooler";
/// Role of event streams.
pub const STREAM_USER: &str = "fes_user";
/// Prefix of the slots and publications of event streams.
pub const STREAM_PREFIX: &str = "fes_";
/// Schema of a prepared database that names none.
pub const DEFAULT_SCHEMA: &str = "data";
/// The pooler's look-up function.
pub const POOLER_LOOKUP: &str = "user_lookup";

/// What a role of a prepared database may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Owns the objects.
    Owner,
    /// Reads.
    Reader,
    /// Reads and writes rows.
    Writer,
}

impl Access {
    /// All three, in the order in which roles are made.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Reader, Self::Writer];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Reader => "reader",
            Self::Writer => "writer",
        }
    }
}

/// The role for an access to `scope`: a database, or what [`schema_scope`] gives.
pub fn prepared_role(scope: &str, access: Access) -> String {
    format!("{scope}_{}", access.suffix())
}

/// The role that can log in with that access.
pub fn prepared_user(scope: &str, access: Access) -> String {
    format!("{scope}_{}_user", access.suffix())
}

/// The scope of a schema's roles.
pub fn schema_scope(database: &str, schema: &str) -> String {
    format!("{database}_{schema}")
}

/// The database of a cluster whose `preparedDatabases` is present and empty.
pub fn default_prepared_database(cluster: &str) -> String {
    cluster.replace('-', "_")
}

/// Whether the operator makes this role itself: the superuser and the replication user.
pub fn is_system(name: &str, config: &OperatorConfig) -> bool {
    name == config.users.super_username || name == config.users.replication_username
}

/// Whether a manifest may not define this role: the operator's own, and the protected ones.
pub fn is_reserved(name: &str, config: &OperatorConfig) -> bool {
    is_system(name, config)
        || config
            .teams_api
            .protected_role_names
            .iter()
            .any(|taken| taken == name)
}
