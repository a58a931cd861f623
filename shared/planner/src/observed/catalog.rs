//! What the database catalog holds of roles and databases. Lives here: the types. Must not: the queries (controller).
//!
//! No verifier is in it either: whether a stored one was made of the secret's password is all that the plan needs
//! ([`RoleView::password_matches`]).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Roles and databases of one server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Catalog {
    /// By name; system roles (`pg_…`) need not be in it.
    pub roles: BTreeMap<String, RoleView>,
    /// By name; templates need not be in it.
    pub databases: BTreeMap<String, DatabaseView>,
    /// What is in force on the primary of the parameters that a replica must not have less of.
    pub settings: BTreeMap<String, String>,
}

/// One role: `pg_authid`, `pg_auth_members`, `pg_db_role_setting` with database 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleView {
    /// `rolsuper`
    pub superuser: bool,
    /// `rolinherit`
    pub inherit: bool,
    /// `rolcreaterole`
    pub createrole: bool,
    /// `rolcreatedb`
    pub createdb: bool,
    /// `rolcanlogin`
    pub login: bool,
    /// `rolreplication`
    pub replication: bool,
    /// `rolbypassrls`
    pub bypassrls: bool,
    /// Roles that this one is a member of.
    pub member_of: BTreeSet<String>,
    /// Members that may grant this role (`admin_option`).
    pub admins: BTreeSet<String>,
    /// Settings for all databases, values as stored in `setconfig`.
    pub settings: BTreeMap<String, String>,
    /// Whether the stored verifier was made of the password in the role's secret; `None` when there is no secret or none was read. The
    /// observer computes it with [`crate::sql::verifier::matches`].
    pub password_matches: Option<bool>,
}

/// One database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseView {
    /// Name of the owner.
    pub owner: String,
    /// What is in it. Only read for prepared databases.
    pub content: Option<ContentView>,
}

/// The inside of a database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContentView {
    /// Schema to owner, without system schemas.
    pub schemas: BTreeMap<String, String>,
    /// Extension to schema.
    pub extensions: BTreeMap<String, String>,
    /// `pg_default_acl`, one row per entry of its array.
    pub default_privileges: BTreeSet<DefaultPrivilege>,
    /// Privilege USAGE on schemas: (schema, grantee).
    pub schema_usage: BTreeSet<(String, String)>,
}

/// One privilege that objects made later by `creator` will have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultPrivilege {
    /// Whose objects (`defaclrole`).
    pub creator: String,
    /// In which schema (`defaclnamespace`); `None` for every one.
    pub schema: Option<String>,
    /// Which kind of objects (`defaclobjtype`).
    pub objects: crate::sql::ObjectClass,
    /// Who gets it.
    pub grantee: String,
    /// `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `USAGE`, `EXECUTE`.
    pub privilege: crate::sql::Privilege,
}
