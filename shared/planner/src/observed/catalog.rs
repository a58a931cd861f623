//! What the database catalog holds of roles and databases. Lives here: the types. Must not: the queries (controller).
//!
//! No verifier is in it either: whether a stored one was made of the secret's password is all that the plan needs
//! ([`RoleView::password_matches`]).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::sql::{ObjectClass, Privilege, Subject};

/// Roles and databases of one server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Catalog {
    /// Major version of the server, as in 17; 0 where it was not read, which is taken for one before 16.
    pub version: u32,
    /// By name; system roles (`pg_…`) need not be in it.
    pub roles: BTreeMap<String, RoleView>,
    /// By name; templates need not be in it.
    pub databases: BTreeMap<String, DatabaseView>,
    /// What is in force on the primary of the parameters that a replica must not have less of.
    pub settings: BTreeMap<String, String>,
    /// Roles and databases whose names are not UTF-8, as far as they can be shown. They are in none of the maps above.
    pub illegible: BTreeSet<Subject>,
}

/// One role: `pg_authid`, `pg_auth_members`, `pg_db_role_setting` with database 0, `pg_shdepend`.
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
    /// `rolconnlimit`; `None` for -1, which is no limit.
    pub connection_limit: Option<i32>,
    /// `rolvaliduntil`, RFC 3339 in UTC without fractions (`2030-01-31T00:00:00Z`); `None` for null and for infinity.
    pub valid_until: Option<String>,
    /// Roles that this one is a member of.
    pub member_of: BTreeMap<String, Membership>,
    /// Settings for all databases: names by [`pgherd_model::postgres_parameters::stored_name`], values as stored in `setconfig`.
    pub settings: BTreeMap<String, String>,
    /// Whether the stored verifier was made of the password in the secret that names this role (key `username`, which rotation changes);
    /// `None` when there is no secret or none was read. The observer computes it with [`crate::sql::verifier::matches`].
    pub password_matches: Option<bool>,
    /// The stored verifier begins with `md5`.
    pub md5: bool,
    /// It has no password: nobody logs in with it, or somebody else (PAM) tells who may.
    pub passwordless: bool,
    /// The secret that names this role holds a verifier instead of a password: it is stored as it is, of whatever kind.
    pub verbatim: bool,
    /// Databases with objects that it owns (`pg_shdepend.deptype` `o`); the empty name for what all databases share, databases among it.
    pub owns_in: BTreeSet<String>,
    /// Databases in which something is granted to it or by it (every other `deptype`); the empty name as above.
    pub granted_in: BTreeSet<String>,
}

/// How a role is a member of another one, over all that granted it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Membership {
    /// It may pass the membership on (`admin_option`).
    pub admin: bool,
    /// It has the rights without asking (`inherit_option`); before version 16 what the member's own `rolinherit` says.
    pub inherit: bool,
    /// It may become that role (`set_option`); before version 16 always.
    pub set: bool,
    /// Who granted it: from version 16 on a grant is taken back as its grantor.
    pub grantors: BTreeSet<String>,
}

/// One database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseView {
    /// Name of the owner.
    pub owner: String,
    /// `datistemplate`
    pub template: bool,
    /// `datallowconn` is false.
    pub closed: bool,
    /// `datconnlimit`; `None` for -1, which is no limit.
    pub connection_limit: Option<i32>,
    /// Name of the encoding, as `UTF8`.
    pub encoding: String,
    /// `libc`, `icu` or `builtin` (`datlocprovider`); empty before version 15.
    pub locale_provider: String,
    /// `datcollate`
    pub collate: String,
    /// `datctype`
    pub ctype: String,
    /// `datacl`, exploded; the empty grantee is everybody. Empty where it is null, which means the server's defaults.
    pub acl: BTreeSet<Grant>,
    /// What is in it. Only read for prepared databases, and for all that take connections where there is a pooler.
    pub content: Option<ContentView>,
    /// Why `content` is missing though it was asked for; `None` where it was not asked for.
    pub silence: Option<String>,
}

/// One entry of an access control list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Who has it; empty: everybody.
    pub grantee: String,
    /// The privilege's word, as `CONNECT`.
    pub privilege: String,
    /// Who granted it.
    pub grantor: String,
}

/// The inside of a database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContentView {
    /// Schema to owner, without system schemas.
    pub schemas: BTreeMap<String, String>,
    /// By name.
    pub extensions: BTreeMap<String, ExtensionView>,
    /// `pg_default_acl`, one row per entry of its array.
    pub default_privileges: BTreeSet<DefaultPrivilege>,
    /// Privileges `USAGE` and `CREATE` on schemas: (schema, grantee, privilege).
    pub schema_grants: BTreeSet<(String, String, Privilege)>,
    /// Tables and sequences, without those that extensions made; empty unless the manifest speaks of what is there already.
    pub objects: Vec<ObjectsView>,
    /// Functions that poolers look passwords up with ([`pgherd_model::names::roles::POOLER_LOOKUP`] of one text), by their schema.
    pub lookups: BTreeMap<String, LookupView>,
    /// Event triggers, by name, that would fire in our session too: each runs code of its function's owner when we make or change something.
    pub event_triggers: BTreeMap<String, EventTrigger>,
}

/// Stands for everybody where a role is named.
pub const EVERYBODY: &str = "";

/// A function that shows stored passwords.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LookupView {
    /// Its owner, with whose rights it looks where it is a `definer`'s.
    pub owner: String,
    /// `prosecdef`
    pub definer: bool,
    /// It has a `search_path` of its own.
    pub pinned: bool,
    /// Who may call it, its owner among them; [`EVERYBODY`] too.
    pub callers: BTreeSet<String>,
}

/// Objects of one kind and schema to which the same is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectsView {
    /// Their schema.
    pub schema: String,
    /// [`ObjectClass::Tables`], views among them, or [`ObjectClass::Sequences`].
    pub objects: ObjectClass,
    /// Who has what (`relacl`), everybody's rights left out.
    pub grants: BTreeSet<(String, Privilege)>,
    /// Their names.
    pub names: BTreeSet<String>,
}

/// An extension that is installed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExtensionView {
    /// Schema of its objects.
    pub schema: String,
    /// `extversion`
    pub version: String,
    /// What the server would install (`pg_available_extensions.default_version`); `None` where the image lacks the extension.
    pub available: Option<String>,
    /// `extrelocatable`
    pub relocatable: bool,
    /// A way leads from the installed version to the one available (`pg_extension_update_paths`); from a newer one there seldom is.
    pub updatable: bool,
}

/// An event trigger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventTrigger {
    /// Its owner, always a superuser when it was made.
    pub owner: String,
    /// Owner of the function that it calls.
    pub function_owner: String,
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
    pub objects: ObjectClass,
    /// Who gets it; empty: everybody.
    pub grantee: String,
    /// `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `USAGE`, `EXECUTE`.
    pub privilege: Privilege,
}

impl Membership {
    /// As one is that was granted without a word on how it counts, to a role that inherits.
    pub fn plain() -> Self {
        Self {
            inherit: true,
            set: true,
            ..Self::default()
        }
    }
}

impl RoleView {
    /// It has the attribute, given in the word of SQL.
    pub fn has(&self, attribute: &str) -> bool {
        match attribute {
            "SUPERUSER" => self.superuser,
            "NOINHERIT" => !self.inherit,
            "CREATEROLE" => self.createrole,
            "CREATEDB" => self.createdb,
            "LOGIN" => self.login,
            "REPLICATION" => self.replication,
            "BYPASSRLS" => self.bypassrls,
            _ => false,
        }
    }
}

impl Catalog {
    /// `member` may pass the membership in `role` on.
    pub fn is_admin(&self, member: &str, role: &str) -> bool {
        self.membership(member, role)
            .is_some_and(|membership| membership.admin)
    }

    /// How `member` is a direct member of `role`.
    pub fn membership(&self, member: &str, role: &str) -> Option<&Membership> {
        self.roles.get(member)?.member_of.get(role)
    }

    /// `member` is a member of `role`, directly or through others.
    pub fn reaches(&self, member: &str, role: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![member];
        while let Some(name) = open.pop() {
            for group in self
                .roles
                .get(name)
                .into_iter()
                .flat_map(|view| view.member_of.keys())
            {
                if group == role {
                    return true;
                }
                if seen.insert(group.as_str()) {
                    open.push(group);
                }
            }
        }
        false
    }
}
