//! Schemas that others own, and tables that were there before: who moves a database that is used to `preparedDatabases` has both. By real
//! logins.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use pgherd_tests::postgres::Major;
use serde_json::{Value, json};

use crate::Test;
use crate::matrix::{ALL, READS, WRITES, allowed, make};
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "existing: in public a schema's roles may do what they may in one of ours",
        public,
    ),
    (
        "existing: tables that are there are opened where the manifest says so, and only then",
        tables,
    ),
    (
        "existing: what an extension made, and odd names, are left as they are or quoted",
        odd,
    ),
    ("existing: a database that somebody works with stays his", theirs),
];

/// What somebody made before.
const THEIRS: &str = "SET ROLE old; CREATE TABLE public.t(a int); CREATE SEQUENCE public.q; CREATE VIEW public.v AS SELECT a FROM public.t; \
    CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION public.f() FROM PUBLIC";

fn spec(more: Value) -> Value {
    let mut bar = json!({"defaultUsers": true, "schemas": {"public": {"defaultUsers": true}}});
    if let (Some(bar), Value::Object(more)) = (bar.as_object_mut(), more) {
        bar.extend(more);
    }
    json!({"preparedDatabases": {"bar": bar}})
}

/// A database that somebody used before.
fn used(major: Major) -> Result<World> {
    let world = World::start(major, spec(json!({})))?;
    world.superuser("postgres")?.run("CREATE ROLE old LOGIN")?;
    world
        .superuser("postgres")?
        .run("CREATE DATABASE bar OWNER old")?;
    world
        .superuser("bar")?
        .run("GRANT CREATE ON SCHEMA public TO old")?;
    Ok(world)
}

/// Whoever migrates goes on with that.
fn theirs(major: Major) -> Result<()> {
    let mut world = used(major)?;
    world.superuser("postgres")?.run("ALTER ROLE old PASSWORD 'x'")?;
    world.converge()?;
    let told = world.sync()?.holds;
    ensure!(
        told.iter().any(|hold| hold.contains("it belongs to old")),
        "{told:?}"
    );
    let migration =
        "CREATE SCHEMA more; CREATE TABLE public.new(a int); ALTER DATABASE bar SET work_mem = '8MB'";
    world.login_as("old", "x", "bar")?.run(migration)?;
    ensure!(world.sync()?.is_quiet(), "it is taken after all");
    // By hand, and for good.
    world
        .superuser("postgres")?
        .run("ALTER DATABASE bar OWNER TO bar_owner")?;
    let round = world.sync()?;
    let told = round.holds.iter().any(|hold| hold.contains("it belongs to"));
    ensure!(round.is_quiet() && !told, "{round:?}");
    // A superuser does not work with it.
    world
        .superuser("postgres")?
        .run("ALTER DATABASE bar OWNER TO postgres")?;
    world.converge()?;
    ensure!(world.catalog()?.databases["bar"].owner == "bar_owner");
    Ok(())
}

const USERS: [(&str, &[&str]); 6] = [
    ("bar_owner_user", ALL),
    ("bar_public_owner_user", ALL),
    ("bar_reader_user", READS),
    ("bar_public_reader_user", READS),
    ("bar_writer_user", WRITES),
    ("bar_public_writer_user", WRITES),
];

fn public(major: Major) -> Result<()> {
    let mut world = used(major)?;
    world.converge()?;
    let owner = &world.catalog()?.databases["bar"]
        .content
        .clone()
        .unwrap_or_default()
        .schemas["public"];
    ensure!(owner == "pg_database_owner", "{owner} owns public");
    make(&world, "bar_public_owner_user", "bar_public_owner", "public")?;
    for (user, expected) in USERS {
        let found = allowed(&world, user, "public")?;
        ensure!(found == expected, "{user} may {found:?} in public");
    }
    // A grant that is lost comes back, alone.
    let revoke = "REVOKE CREATE ON SCHEMA public FROM bar_public_owner";
    world.superuser("bar")?.run(revoke)?;
    let rounds = world.converge()?;
    let steps: Vec<&String> = rounds.iter().flat_map(|round| &round.steps).collect();
    ensure!(steps.len() == 1 && steps[0].contains("public"), "{steps:?}");
    ensure!(allowed(&world, "bar_public_owner_user", "public")? == ALL);
    Ok(())
}

/// What each may with tables and sequences of `old`.
fn opened(world: &World) -> Result<BTreeMap<&'static str, Vec<&'static str>>> {
    USERS
        .into_iter()
        .map(|(user, _)| Ok((user, allowed(world, user, "public")?)))
        .collect()
}

fn tables(major: Major) -> Result<()> {
    let mut world = used(major)?;
    world.superuser("bar")?.run(THEIRS)?;
    world.converge()?;
    for (user, found) in opened(&world)? {
        let expected: &[&str] = if user.contains("owner") { &["create"] } else { &[] };
        ensure!(found == expected, "unasked: {user} may {found:?}");
    }
    world.set_spec(spec(json!({"grantExisting": true})));
    world.converge()?;
    for (user, found) in opened(&world)? {
        let expected: &[&str] = match user {
            _ if user.contains("owner") => continue,
            _ if user.contains("reader") => &["read"],
            _ => &["read", "write", "change", "remove", "sequence"],
        };
        ensure!(found == expected, "{user} may {found:?}");
    }
    ensure!(
        world
            .login("bar_reader_user", "bar")?
            .run("SELECT count(*) FROM public.v")?
            == "0"
    );
    ensure!(world.sync()?.is_quiet(), "it is not quiet");
    // What somebody else makes later, and what is taken away, at the next look.
    world
        .superuser("bar")?
        .run("SET ROLE old; CREATE TABLE public.later(a int); REVOKE SELECT ON public.t FROM bar_reader")?;
    let rounds = world.converge()?;
    // What lacks the same stands together.
    let steps = rounds.iter().map(|round| round.steps.len()).sum::<usize>();
    ensure!(rounds.len() == 1 && steps == 2, "{rounds:?}");
    for table in ["later", "t"] {
        world
            .login("bar_reader_user", "bar")?
            .run(&format!("SELECT count(*) FROM public.{table}"))?;
    }
    Ok(())
}

fn odd(major: Major) -> Result<()> {
    let mut world = used(major)?;
    let admin = world.superuser("bar")?;
    admin.run(
        "CREATE TABLE public.\"a\"\"; DROP TABLE public.kept; --\"(a int); CREATE TABLE public.kept(a int); \
        CREATE TABLE public.parted(a int) PARTITION BY LIST (a); CREATE TABLE public.\"Ü \"(a int)",
    )?;
    let acl = "SELECT coalesce(string_agg(relname || coalesce(relacl::text, ''), ',' ORDER BY relname), '') FROM pg_class \
        JOIN pg_depend ON objid = pg_class.oid AND deptype = 'e' WHERE relnamespace = 'public'::regnamespace";
    let before = admin.run(acl)?;
    ensure!(before.contains("pg_stat_statements"), "{before}");
    world.set_spec(spec(json!({"grantExisting": true})));
    world.converge()?;
    ensure!(admin.run(acl)? == before, "{before} is {}", admin.run(acl)?);
    let reader = world.login("bar_public_reader_user", "bar")?;
    for table in [
        "\"a\"\"; DROP TABLE public.kept; --\"",
        "kept",
        "parted",
        "\"Ü \"",
    ] {
        reader.run(&format!("SELECT count(*) FROM public.{table}"))?;
    }
    ensure!(world.sync()?.is_quiet(), "it is not quiet");
    Ok(())
}
