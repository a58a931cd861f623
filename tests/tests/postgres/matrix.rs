//! The role and grant matrix of prepared databases, by real logins that try each privilege (zalando-behaviour, appendix B).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use pgherd_tests::postgres::Major;
use serde_json::{Value, json};

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "matrix: memberships, admins and owners are those of the table",
        table,
    ),
    (
        "matrix: every login may do what its role may, and nothing else",
        privileges,
    ),
];

fn spec() -> Value {
    json!({"preparedDatabases": {"bar": {"defaultUsers": true,
        "schemas": {"data": {}, "history": {"defaultUsers": true}}}}})
}

/// Role: can log in, member of, admins of it.
type Row = (
    &'static str,
    bool,
    &'static [&'static str],
    &'static [&'static str],
);

const ROWS: &[Row] = &[
    ("bar_owner", false, &[], &["admin"]),
    ("bar_reader", false, &[], &["bar_owner"]),
    ("bar_writer", false, &["bar_reader"], &["bar_owner"]),
    ("bar_owner_user", true, &["bar_owner"], &["admin"]),
    ("bar_reader_user", true, &["bar_reader"], &["bar_owner"]),
    ("bar_writer_user", true, &["bar_writer"], &["bar_owner"]),
    ("bar_data_owner", false, &[], &["bar_owner"]),
    ("bar_data_reader", false, &[], &["bar_data_owner"]),
    (
        "bar_data_writer",
        false,
        &["bar_data_reader"],
        &["bar_data_owner"],
    ),
    ("bar_history_owner", false, &[], &["bar_owner"]),
    ("bar_history_reader", false, &[], &["bar_history_owner"]),
    (
        "bar_history_writer",
        false,
        &["bar_history_reader"],
        &["bar_history_owner"],
    ),
    (
        "bar_history_owner_user",
        true,
        &["bar_history_owner"],
        &["bar_owner"],
    ),
    (
        "bar_history_reader_user",
        true,
        &["bar_history_reader"],
        &["bar_history_owner"],
    ),
    (
        "bar_history_writer_user",
        true,
        &["bar_history_writer"],
        &["bar_history_owner"],
    ),
];

fn table(major: Major) -> Result<()> {
    let mut world = World::start(major, spec())?;
    world.converge()?;
    let catalog = world.catalog()?;
    for (name, login, groups, admins) in ROWS {
        let role = catalog
            .roles
            .get(*name)
            .with_context(|| format!("{name} is missing"))?;
        ensure!(role.login == *login, "{name}: login is {}", role.login);
        // Admins are members too; what a role is a member of without that is the table's column.
        let plain: Vec<&str> = role
            .member_of
            .iter()
            .filter(|(_, membership)| !membership.admin)
            .map(|(group, _)| group.as_str())
            .collect();
        ensure!(plain == *groups, "{name} is a member of {plain:?}");
        let found: Vec<&str> = catalog
            .roles
            .keys()
            .filter(|member| catalog.is_admin(member, name))
            .map(String::as_str)
            .collect();
        ensure!(found == *admins, "{name}: admins are {found:?}");
        ensure!(world.secret(name).is_ok() == *login, "{name}: secret");
    }
    let bar = &catalog.databases["bar"];
    ensure!(bar.owner == "bar_owner", "{}", bar.owner);
    let schemas = &bar.content.as_ref().context("bar was not read")?.schemas;
    ensure!(
        schemas["data"] == "bar_data_owner" && schemas["history"] == "bar_history_owner",
        "{schemas:?}"
    );
    let path = catalog.roles["bar_owner"]
        .settings
        .get("search_path")
        .context("no search_path")?;
    ensure!(path == "\"$user\", data, history", "{path}");
    Ok(())
}

/// What is tried: a name, and SQL on the object.
const TRIES: &[(&str, &str)] = &[
    ("read", "SELECT count(*) FROM {s}.t"),
    ("write", "INSERT INTO {s}.t VALUES (1)"),
    ("change", "UPDATE {s}.t SET a = 2"),
    ("remove", "DELETE FROM {s}.t"),
    ("sequence", "SELECT nextval('{s}.q')"),
    ("call", "SELECT {s}.f()"),
    ("create", "CREATE TABLE {s}.mine(a int); DROP TABLE {s}.mine"),
    ("empty", "TRUNCATE {s}.t"),
];

fn privileges(major: Major) -> Result<()> {
    let mut world = World::start(major, spec())?;
    world.converge()?;
    // Who makes objects where; each then is tried by all.
    let makers = [
        ("bar_owner_user", "bar_owner", "data"),
        ("bar_owner_user", "bar_data_owner", "data"),
        ("bar_history_owner_user", "bar_history_owner", "history"),
        ("bar_history_owner_user", "bar_history_owner_user", "history"),
    ];
    for (login, maker, schema) in makers {
        make(&world, login, maker, schema)?;
        let mut table = BTreeMap::new();
        for (role, ..) in ROWS.iter().filter(|row| row.1) {
            table.insert(*role, allowed(&world, role, schema)?);
        }
        expect(maker, schema, &table)?;
    }
    Ok(())
}

pub(crate) fn make(world: &World, login: &str, maker: &str, schema: &str) -> Result<()> {
    // The superuser removes what another maker left, so that names are free.
    let clean = "DROP TABLE IF EXISTS {s}.t; DROP SEQUENCE IF EXISTS {s}.q; DROP FUNCTION IF EXISTS {s}.f()";
    world.superuser("bar")?.run(&clean.replace("{s}", schema))?;
    let objects = "CREATE TABLE {s}.t(a int); CREATE SEQUENCE {s}.q; \
        CREATE FUNCTION {s}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'";
    let client = world.login(login, "bar")?;
    if login != maker && client.run(&format!("SET ROLE {maker}")).is_err() {
        // Owners of a schema that nobody logs in as: the superuser stands in.
        let client = world.superuser("bar")?;
        client.run(&format!("SET ROLE {maker}"))?;
        client.run(&objects.replace("{s}", schema))?;
        return Ok(());
    }
    client
        .run(&objects.replace("{s}", schema))
        .with_context(|| format!("{maker} makes objects in {schema}"))?;
    Ok(())
}

pub(crate) fn allowed(world: &World, role: &str, schema: &str) -> Result<Vec<&'static str>> {
    let client = world.login(role, "bar")?;
    let mut allowed = Vec::new();
    for (name, sql) in TRIES {
        client.run("BEGIN")?;
        match client.run(&sql.replace("{s}", schema)) {
            Ok(_) => allowed.push(*name),
            Err(error) => ensure!(error.to_string().starts_with("42501"), "{role} {name}: {error}"),
        }
        client.run("ROLLBACK")?;
    }
    Ok(allowed)
}

pub(crate) const ALL: &[&str] = &[
    "read", "write", "change", "remove", "sequence", "call", "create", "empty",
];
pub(crate) const WRITES: &[&str] = &["read", "write", "change", "remove", "sequence", "call"];
pub(crate) const READS: &[&str] = &["read", "call"];
/// What everybody may call whom the schema is open to.
const CALLS: &[&str] = &["call"];
const NOTHING: &[&str] = &[];

/// The database's readers and writers see what a schema's owner makes; what his login makes is for the schema's own readers and writers.
fn expect(maker: &str, schema: &str, table: &BTreeMap<&str, Vec<&'static str>>) -> Result<()> {
    for (role, allowed) in table {
        let is_login = maker == "bar_history_owner_user";
        let expected = match (*role, schema) {
            ("bar_owner_user", _) | ("bar_history_owner_user", "history") => ALL,
            ("bar_reader_user" | "bar_writer_user", _) if is_login => CALLS,
            ("bar_reader_user", _) | ("bar_history_reader_user", "history") => READS,
            ("bar_writer_user", _) | ("bar_history_writer_user", "history") => WRITES,
            _ => NOTHING,
        };
        ensure!(
            allowed == expected,
            "{role} may {allowed:?} in schema {schema} what {maker} made, and should {expected:?}"
        );
    }
    Ok(())
}
