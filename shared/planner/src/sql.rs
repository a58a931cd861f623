//! SQL as values: every statement that pgherd sends, typed, so that a plan can be printed and compared, and quoting happens in one place.
//! Lives here: the statements and what they may hold. Must not: connections, or which statement is needed when (`plan`).

use std::fmt;

use pgherd_model::api::postgresql::DatabaseOptions;
use pgherd_model::units::UnitError;
use serde::{Deserialize, Serialize};

mod render;
mod subject;
#[cfg(test)]
mod tests;
pub mod verifier;

pub use subject::Subject;
pub use verifier::Verifier;

/// One statement. Its text with [`Statement::render`]; `Display` is a line for people, without the verifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Statement {
    /// `CREATE ROLE`
    CreateRole {
        /// Name of the role.
        role: String,
        /// Attributes, absent ones written as `NO…`.
        flags: RoleFlags,
        /// `CONNECTION LIMIT`, -1 for none; `None` leaves it to the server, which sets none.
        connection_limit: Option<i32>,
        /// `VALID UNTIL`; `None` leaves it out.
        valid_until: Option<String>,
        /// Where the password is; `None` for a role without one.
        password: Option<PasswordRef>,
    },
    /// `ALTER ROLE` that adds attributes. It never takes one away.
    AddFlags {
        /// Name of the role.
        role: String,
        /// Attributes to add.
        flags: RoleFlags,
    },
    /// `ALTER ROLE … NO…` that takes attributes away. It never adds one.
    RemoveFlags {
        /// Name of the role.
        role: String,
        /// Attributes to take away: those that are set here; `inherit: Some(false)` writes `NOINHERIT`.
        flags: RoleFlags,
    },
    /// `ALTER ROLE … PASSWORD` with a verifier computed by us: the server never sees the password.
    SetPassword {
        /// Name of the role.
        role: String,
        /// Where the password is.
        password: PasswordRef,
    },
    /// `ALTER ROLE … CONNECTION LIMIT`
    SetConnectionLimit {
        /// Name of the role.
        role: String,
        /// Sessions at the same time, -1 for as many as there are.
        limit: i32,
    },
    /// `ALTER ROLE … VALID UNTIL`
    SetValidUntil {
        /// Name of the role.
        role: String,
        /// RFC 3339, or `infinity`.
        until: String,
    },
    /// `ALTER ROLE … RENAME TO`
    RenameRole {
        /// Its name so far.
        role: String,
        /// Its name from now on.
        name: String,
    },
    /// `DROP ROLE`. Refused by the server as long as it owns something or something is granted to it.
    DropRole {
        /// Name of the role.
        role: String,
    },
    /// `REASSIGN OWNED BY … TO`: what a role owns in the present database, and of what all databases share.
    ReassignOwned {
        /// Whose objects.
        role: String,
        /// Their new owner.
        owner: String,
    },
    /// `DROP OWNED BY`: after [`Statement::ReassignOwned`] only what is granted to the role in the present database.
    DropOwned {
        /// Name of the role.
        role: String,
    },
    /// `GRANT role TO member`
    GrantRole {
        /// The role that is granted.
        role: String,
        /// Who becomes its member.
        member: String,
        /// `WITH ADMIN OPTION`: the member may pass it on.
        admin: bool,
    },
    /// `GRANT role TO member WITH INHERIT …, SET …`: how a membership that is there counts, from version 16 on. At least one of the two.
    SetMembership {
        /// The role that is granted.
        role: String,
        /// Who is its member.
        member: String,
        /// The member has its rights without asking; `None` leaves it.
        inherit: Option<bool>,
        /// The member may become that role; `None` leaves it.
        set: Option<bool>,
        /// `GRANTED BY`: whose grant it is; `None` for ours.
        grantor: Option<String>,
    },
    /// `REVOKE role FROM member`
    RevokeRole {
        /// The role that was granted.
        role: String,
        /// Who is its member no longer.
        member: String,
        /// `GRANTED BY`: who granted it; `None` before version 16, where that does not matter.
        grantor: Option<String>,
    },
    /// `ALTER ROLE … SET name TO value`
    SetSetting {
        /// Name of the role.
        role: String,
        /// Name of the parameter.
        name: String,
        /// Its value. For parameters that are lists, such as `search_path`, each item is quoted on its own.
        value: SettingValue,
    },
    /// `ALTER ROLE … RESET name`
    ResetSetting {
        /// Name of the role.
        role: String,
        /// Name of the parameter.
        name: String,
    },
    /// `CREATE DATABASE`
    CreateDatabase {
        /// Name of the database.
        database: String,
        /// Its owner.
        owner: String,
        /// What cannot be changed later, and how many may connect.
        options: DatabaseOptions,
    },
    /// `DROP DATABASE`, without force: refused by the server as long as somebody is connected.
    DropDatabase {
        /// Name of the database.
        database: String,
    },
    /// `ALTER DATABASE … OWNER TO`
    SetDatabaseOwner {
        /// Name of the database.
        database: String,
        /// Its new owner.
        owner: String,
    },
    /// `ALTER DATABASE … CONNECTION LIMIT`
    SetDatabaseLimit {
        /// Name of the database.
        database: String,
        /// Sessions at the same time, -1 for as many as there are.
        limit: i32,
    },
    /// `CREATE SCHEMA … AUTHORIZATION`
    CreateSchema {
        /// Name of the schema.
        schema: String,
        /// Its owner.
        owner: String,
    },
    /// `ALTER SCHEMA … OWNER TO`
    SetSchemaOwner {
        /// Name of the schema.
        schema: String,
        /// Its new owner.
        owner: String,
    },
    /// `GRANT … ON SCHEMA`
    GrantSchema {
        /// Name of the schema.
        schema: String,
        /// What is granted: `USAGE`, `CREATE`.
        privileges: Vec<Privilege>,
        /// Who gets it.
        grantee: String,
    },
    /// `GRANT … ON TABLE`, or `ON SEQUENCE`: on what is there.
    GrantObjects(ObjectGrant),
    /// `ALTER DEFAULT PRIVILEGES FOR ROLE … GRANT`
    GrantDefault(DefaultGrant),
    /// `CREATE OR REPLACE FUNCTION`: what poolers look passwords up with, `user_lookup(text)`.
    CreateLookup {
        /// Name of its schema.
        schema: String,
    },
    /// `REVOKE … FROM PUBLIC` of that function.
    HideLookup {
        /// Name of its schema.
        schema: String,
    },
    /// `GRANT EXECUTE` on that function.
    GrantLookup {
        /// Name of its schema.
        schema: String,
        /// Who may call it.
        grantee: String,
    },
    /// `CREATE EXTENSION IF NOT EXISTS … SCHEMA`
    CreateExtension {
        /// Name of the extension.
        extension: String,
        /// Where its objects go.
        schema: String,
    },
    /// `ALTER EXTENSION … SET SCHEMA`
    MoveExtension {
        /// Name of the extension.
        extension: String,
        /// Where its objects go.
        schema: String,
    },
    /// `ALTER EXTENSION … UPDATE`, to the version that the image brings.
    UpdateExtension {
        /// Name of the extension.
        extension: String,
    },
}

/// What objects that a role makes later will allow to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultGrant {
    /// Whose later objects.
    pub creator: String,
    /// In which schema; `None` for every one.
    pub schema: Option<String>,
    /// Which kind of objects.
    pub objects: ObjectClass,
    /// What is granted.
    pub privileges: Vec<Privilege>,
    /// To whom.
    pub grantee: String,
}

/// What others may do with objects that are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectGrant {
    /// Their schema.
    pub schema: String,
    /// Which kind: [`ObjectClass::Tables`], views among them, or [`ObjectClass::Sequences`].
    pub objects: ObjectClass,
    /// Their names.
    pub names: Vec<String>,
    /// What is granted.
    pub privileges: Vec<Privilege>,
    /// To whom.
    pub grantee: String,
}

/// Where a role's password is: whoever sends the statement reads the secret and computes a verifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PasswordRef {
    /// Namespace of the secret.
    pub namespace: String,
    /// Name of the secret; the password is under `password`.
    pub secret: String,
    /// How the verifier is made.
    pub scheme: Scheme,
}

/// How a password is stored in the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// `SCRAM-SHA-256$…`
    #[default]
    ScramSha256,
    /// `md5…`; only when the manifest sets `password_encryption: md5`.
    Md5,
}

/// Attributes of a role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleFlags {
    /// `SUPERUSER`
    pub superuser: bool,
    /// `CREATEDB`
    pub createdb: bool,
    /// `CREATEROLE`
    pub createrole: bool,
    /// `INHERIT`: `Some(false)` writes `NOINHERIT` at creation, `None` leaves it to the server (which inherits).
    pub inherit: Option<bool>,
    /// `LOGIN`
    pub login: bool,
    /// `REPLICATION`
    pub replication: bool,
    /// `BYPASSRLS`
    pub bypassrls: bool,
}

/// Value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SettingValue {
    /// Quoted as one literal.
    One(String),
    /// A list of identifiers, each quoted on its own.
    List(Vec<String>),
}

/// Kinds of objects that default privileges speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectClass {
    /// `SCHEMAS`, `n` in the catalog.
    Schemas,
    /// `TABLES`, `r`.
    Tables,
    /// `SEQUENCES`, `S`.
    Sequences,
    /// `FUNCTIONS`, `f`.
    Functions,
    /// `TYPES`, `T`.
    Types,
}

/// Privileges that we grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Privilege {
    /// `SELECT`, `r` in an access control list.
    Select,
    /// `INSERT`, `a`.
    Insert,
    /// `UPDATE`, `w`.
    Update,
    /// `DELETE`, `d`.
    Delete,
    /// `USAGE`, `U`.
    Usage,
    /// `EXECUTE`, `X`.
    Execute,
    /// `CREATE`, `C`.
    Create,
}

/// A statement cannot be written. Names roles and objects, never passwords.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A password is needed and no verifier was given.
    #[error("cannot write the statement for role {role:?}: no verifier was computed from its secret")]
    MissingVerifier {
        /// The role.
        role: String,
    },
    /// What is in a secret cannot be a password: it is not said what it is.
    #[error("cannot write the statement for role {role:?}: the verifier in its secret holds a zero byte")]
    BadVerifier {
        /// The role.
        role: String,
    },
    /// Whose objects are given to himself would lose them with what follows.
    #[error("cannot write the statement: role {role:?} cannot get what it owns itself")]
    OwnHeir {
        /// The role.
        role: String,
    },
    /// A name or a text that Postgres cannot have.
    #[error("cannot write the statement: {0}")]
    Text(#[from] UnitError),
}

impl Statement {
    /// The password that must be turned into a verifier before this can be rendered.
    pub fn password(&self) -> Option<&PasswordRef> {
        match self {
            Self::CreateRole { password, .. } => password.as_ref(),
            Self::SetPassword { password, .. } => Some(password),
            _ => None,
        }
    }

    /// Name of the role that [`Statement::password`] belongs to; salt of the `md5` scheme.
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::CreateRole { role, .. } | Self::SetPassword { role, .. } => Some(role),
            _ => None,
        }
    }

    /// May run inside a transaction block. `CREATE DATABASE` and `DROP DATABASE` may not.
    pub fn is_transactional(&self) -> bool {
        !matches!(self, Self::CreateDatabase { .. } | Self::DropDatabase { .. })
    }

    /// The text to send, all names quoted.
    ///
    /// # Errors
    /// It [needs a password](Self::password) and `verifier` is none, or a name is none that Postgres can have.
    pub fn render(&self, verifier: Option<&Verifier>) -> Result<String, RenderError> {
        render::statement(self, verifier)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render::redacted(self))
    }
}

impl ObjectClass {
    /// The letter in `pg_default_acl.defaclobjtype`.
    pub fn from_catalog(letter: char) -> Option<Self> {
        Some(match letter {
            'n' => Self::Schemas,
            'r' => Self::Tables,
            'S' => Self::Sequences,
            'f' => Self::Functions,
            'T' => Self::Types,
            _ => return None,
        })
    }
}

impl Privilege {
    /// The letter in an access control list.
    pub fn from_catalog(letter: char) -> Option<Self> {
        Some(match letter {
            'r' => Self::Select,
            'a' => Self::Insert,
            'w' => Self::Update,
            'd' => Self::Delete,
            'U' => Self::Usage,
            'X' => Self::Execute,
            'C' => Self::Create,
            _ => return None,
        })
    }
}
