//! Queries of the system catalogs. Lives here: their text and the rows they give. Must not: compare with what is wanted.

use std::collections::{BTreeMap, BTreeSet};

use pgherd_model::secret::Secret;
use pgherd_planner::observed::catalog::{ContentView, DefaultPrivilege};
use pgherd_planner::observed::{DatabaseView, RoleView};
use pgherd_planner::sql::{ObjectClass, Privilege};
use serde_json::Value;
use tokio_postgres::Row;

use super::connect::bounded;
use super::{Session, SqlError};

const ROLES: &str = "
    SELECT role.rolname::text, role.rolsuper, role.rolinherit, role.rolcreaterole, role.rolcreatedb,
        role.rolcanlogin, role.rolreplication, role.rolbypassrls, role.rolpassword,
        ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members WHERE member = role.oid),
        ARRAY(SELECT pg_get_userbyid(member)::text FROM pg_auth_members WHERE roleid = role.oid AND admin_option),
        COALESCE((SELECT setconfig FROM pg_db_role_setting WHERE setrole = role.oid AND setdatabase = 0), '{}')
    FROM pg_authid role WHERE role.rolname !~ '^pg_'";

const DATABASES: &str = "
    SELECT datname::text, pg_get_userbyid(datdba)::text FROM pg_database";

/// [`pgherd_model::postgres_parameters::HOT_STANDBY`], which a test compares.
const SETTINGS: &str = "
    SELECT name::text, setting FROM pg_settings WHERE name IN ('max_connections', 'max_worker_processes',
        'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction')";

const SCHEMAS: &str = "
    SELECT nspname::text, pg_get_userbyid(nspowner)::text FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'";

const EXTENSIONS: &str = "
    SELECT extname::text, nspname::text FROM pg_extension JOIN pg_namespace space ON space.oid = extnamespace";

/// Grantee 0 is everybody, which nobody here grants to.
const DEFAULT_PRIVILEGES: &str = "
    SELECT pg_get_userbyid(acl.defaclrole)::text, space.nspname::text, acl.defaclobjtype::text,
        pg_get_userbyid(item.grantee)::text, item.privilege_type
    FROM pg_default_acl acl
        LEFT JOIN pg_namespace space ON space.oid = acl.defaclnamespace
        CROSS JOIN LATERAL aclexplode(acl.defaclacl) item
    WHERE item.grantee <> 0";

const SCHEMA_USAGE: &str = "
    SELECT nspname::text, pg_get_userbyid(item.grantee)::text
    FROM pg_namespace CROSS JOIN LATERAL aclexplode(nspacl) item
    WHERE item.privilege_type = 'USAGE' AND item.grantee <> 0 AND nspname !~ '^pg_'";

/// A role, and the verifier of its password, which is no part of the view.
#[derive(Debug)]
pub struct RoleRow {
    pub name: String,
    pub view: RoleView,
    pub verifier: Option<Secret>,
}

impl Session {
    /// All roles but the system's own.
    pub async fn roles(&self) -> Result<Vec<RoleRow>, SqlError> {
        self.rows("reading roles", ROLES)
            .await?
            .iter()
            .map(|row| role(row).map_err(|error| unreadable(ROLES, error)))
            .collect()
    }

    /// All databases, templates and closed ones too: their names are taken.
    pub async fn databases(&self) -> Result<BTreeMap<String, DatabaseView>, SqlError> {
        let pairs: Vec<(String, String)> = self.pairs("reading databases", DATABASES).await?;
        let view = |(name, owner)| (name, DatabaseView { owner, content: None });
        Ok(pairs.into_iter().map(view).collect())
    }

    /// What is in force of the parameters that a replica must not have less of.
    pub async fn settings(&self) -> Result<BTreeMap<String, String>, SqlError> {
        self.pairs("reading settings", SETTINGS).await
    }

    /// The inside of the database that this session is in.
    pub async fn content(&self) -> Result<ContentView, SqlError> {
        let rows = self
            .rows("reading default privileges", DEFAULT_PRIVILEGES)
            .await?;
        let mut default_privileges = BTreeSet::new();
        for row in &rows {
            let read = default_privilege(row).map_err(|error| unreadable(DEFAULT_PRIVILEGES, error))?;
            default_privileges.extend(read);
        }
        Ok(ContentView {
            schemas: self.pairs("reading schemas", SCHEMAS).await?,
            extensions: self.pairs("reading extensions", EXTENSIONS).await?,
            default_privileges,
            schema_usage: self.pairs("reading privileges of schemas", SCHEMA_USAGE).await?,
        })
    }

    async fn rows(&self, what: &'static str, query: &'static str) -> Result<Vec<Row>, SqlError> {
        bounded(what, async {
            self.client
                .query(query, &[])
                .await
                .map_err(|error| unreadable(query, error))
        })
        .await
    }

    async fn pairs<C: FromIterator<(String, String)>>(
        &self,
        what: &'static str,
        query: &'static str,
    ) -> Result<C, SqlError> {
        let rows = self.rows(what, query).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, tokio_postgres::Error>>()
            .map_err(|error| unreadable(query, error))
    }
}

fn role(row: &Row) -> Result<RoleRow, tokio_postgres::Error> {
    let members: Vec<String> = row.try_get(9)?;
    let admins: Vec<String> = row.try_get(10)?;
    let settings: Vec<String> = row.try_get(11)?;
    let split = |setting: String| {
        setting
            .split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    Ok(RoleRow {
        name: row.try_get(0)?,
        verifier: row.try_get::<_, Option<String>>(8)?.map(Secret::new),
        view: RoleView {
            superuser: row.try_get(1)?,
            inherit: row.try_get(2)?,
            createrole: row.try_get(3)?,
            createdb: row.try_get(4)?,
            login: row.try_get(5)?,
            replication: row.try_get(6)?,
            bypassrls: row.try_get(7)?,
            member_of: members.into_iter().collect(),
            admins: admins.into_iter().collect(),
            settings: settings.into_iter().filter_map(split).collect(),
            password_matches: None,
        },
    })
}

/// None for kinds of objects and privileges that nobody here grants.
fn default_privilege(row: &Row) -> Result<Option<DefaultPrivilege>, tokio_postgres::Error> {
    let class: String = row.try_get(2)?;
    let privilege: String = row.try_get(4)?;
    let objects = class.chars().next().and_then(ObjectClass::from_catalog);
    let privilege = serde_json::from_value::<Privilege>(Value::String(privilege)).ok();
    let (Some(objects), Some(privilege)) = (objects, privilege) else {
        return Ok(None);
    };
    let (creator, schema, grantee) = (row.try_get(0)?, row.try_get(1)?, row.try_get(3)?);
    Ok(Some(DefaultPrivilege {
        creator,
        schema,
        objects,
        grantee,
        privilege,
    }))
}

fn unreadable(query: &str, source: tokio_postgres::Error) -> SqlError {
    let statement = query.split_whitespace().collect::<Vec<_>>().join(" ");
    SqlError::Refused { statement, source }
}

#[cfg(test)]
mod tests {
    use pgherd_model::postgres_parameters::HOT_STANDBY;

    use super::*;

    #[test]
    fn every_parameter_that_a_replica_needs_as_much_of_is_read() {
        assert_eq!(SETTINGS.matches("'max_").count(), HOT_STANDBY.len());
        assert!(
            HOT_STANDBY
                .iter()
                .all(|name| SETTINGS.contains(&format!("'{name}'")))
        );
    }
}
