//! Names and texts that try to be SQL, and owners of databases who lay traps for the superuser.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use pgherd_model::cluster::{Role, RoleSources};
use pgherd_model::secret::Secret;
use pgherd_model::source::Source;
use pgherd_tests::postgres::Major;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::Test;
use crate::world::{Login, World};

pub(crate) const TESTS: &[Test] = &[
    ("hostile: names and texts full of SQL are names and texts", texts),
    ("hostile: an owner's traps catch nobody", traps),
    (
        "hostile: an owner's event triggers and look-alikes in an extension's way",
        in_the_way,
    ),
    ("hostile: no event trigger fires for us", event_triggers),
    (
        "hostile: who makes roles gains nothing by one of a name that is wanted later",
        prepared,
    ),
];

/// The worst letters, and words that would do something if they were SQL.
fn text(longest: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("$$".to_owned()),
        Just("; ".to_owned()),
        Just("--".to_owned()),
        Just("/*".to_owned()),
        Just("\n".to_owned()),
        Just("E'".to_owned()),
        Just("\u{1F418}".to_owned()),
        Just("\u{202E}".to_owned()),
        Just("; DROP TABLE canary; ".to_owned()),
        Just("\" SUPERUSER; --".to_owned()),
        Just("'; ALTER ROLE \"admin\" SUPERUSER; --".to_owned()),
        "[a-z]{1,8}",
        "\\PC{1,4}",
    ];
    prop::collection::vec(piece, 1..8).prop_map(move |pieces| {
        let mut text = pieces.concat();
        while text.len() > longest {
            text.pop();
        }
        text
    })
}

/// A name that Postgres can have, down to the last of its 63 bytes.
fn name() -> impl Strategy<Value = String> {
    text(63).prop_filter("no name", |name| {
        !name.is_empty() && !name.starts_with("pg_") && name != "public" && name != "none"
    })
}

#[derive(Debug, Clone)]
struct Case {
    role: String,
    group: String,
    value: String,
    member: String,
    password: String,
}

fn case() -> impl Strategy<Value = Case> {
    (name(), name(), text(200), name(), text(100)).prop_map(|(role, group, value, member, password)| Case {
        role,
        group,
        value,
        member,
        password,
    })
}

const CANARY: &str = "SELECT json_build_object(
    'roles', (SELECT json_agg(rolname ORDER BY rolname COLLATE \"C\") FROM pg_roles WHERE rolname !~ '^pg_'),
    'superusers', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolsuper),
    'databases', (SELECT json_agg(datname ORDER BY datname) FROM pg_database),
    'canary', (SELECT count(*) FROM canary))";

fn texts(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({"users": {"app": []}}))?;
    world.config.teams_api.enable_postgres_team_crd = true;
    world.converge()?;
    let superuser = world.superuser("postgres")?;
    superuser.run("CREATE TABLE canary AS SELECT 1")?;
    let before: Value = serde_json::from_str(&superuser.run(CANARY)?)?;
    let mut known: BTreeSet<String> = serde_json::from_value(before["roles"].clone())?;
    let world = std::cell::RefCell::new(world);
    let known = std::cell::RefCell::new(&mut known);
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    });
    let outcome = runner.run(&case(), |case| {
        one(
            &mut world.borrow_mut(),
            &superuser,
            &mut known.borrow_mut(),
            &before,
            &case,
        )
        .map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    outcome.map_err(|error| anyhow::anyhow!("{error}"))
}

fn one(
    world: &mut World,
    superuser: &Login,
    known: &mut BTreeSet<String>,
    before: &Value,
    case: &Case,
) -> Result<()> {
    world.sources = sources(case)?;
    let place = |role: Role| (role.name, role.secret.map(|place| (place.namespace, place.name)));
    let wanted: BTreeMap<String, Option<(String, String)>> =
        world.cluster()?.roles.into_iter().map(place).collect();
    world.sync()?;
    for place in wanted.values().flatten() {
        let stored = world.secrets.get_mut(place);
        if let Some(stored) = stored.filter(|stored| stored.username != "postgres") {
            stored.password = Secret::new(case.password.clone());
        }
    }
    let mut last = Vec::new();
    for _ in 0..4 {
        last = world.sync()?.failures;
    }
    // A search_path that is no list of names is refused, by us or by the server, and takes with it what needs the role; nothing else is.
    let expected = ["search_path", "is not an SQL identifier", "not tried: role"];
    let is_expected = |failure: &String| expected.iter().any(|words| failure.contains(words));
    ensure!(last.iter().all(is_expected), "{last:?}");
    world
        .login_as("app", &case.password, "postgres")
        .context("log in as app")?;
    let place = wanted.get(&case.role).cloned().flatten();
    let has_secret = place.is_some_and(|place| world.secrets.contains_key(&place));
    known.extend(wanted.into_keys());
    unharmed(superuser, known, before)?;
    let catalog = world.catalog()?;
    let Some(view) = catalog.roles.get(&case.role).filter(|_| last.is_empty()) else {
        return Ok(());
    };
    let stored = view.settings.get("my.text");
    ensure!(
        stored == Some(&case.value),
        "{stored:?} instead of {:?}",
        case.value
    );
    // Only names that a secret can have come with a password.
    if has_secret {
        world
            .login_as(&case.role, &case.password, "postgres")
            .context("log in")?;
    }
    Ok(())
}

/// The case's texts wherever others may say something of roles.
fn sources(case: &Case) -> Result<RoleSources> {
    let role = |name: &str, groups: &[&str]| {
        json!({"name": name, "login": true, "memberOf": groups, "parameters": {"my.text": case.value, "search_path": case.value},
            "password": {"namespace": "apps", "name": "given", "key": "k", "inside": null}})
    };
    let roles = if case.role == case.group {
        vec![role(&case.role, &[])]
    } else {
        vec![role(&case.group, &[]), role(&case.role, &[&case.group])]
    };
    let infrastructure = json!({"roles": roles, "findings": []});
    let teams = json!({"acid": {"superuserTeams": [], "additionalTeams": [], "members": [case.member]}});
    Ok(RoleSources {
        infrastructure: vec![Source::Known(serde_json::from_value(infrastructure)?)],
        teams: Source::Known(serde_json::from_value(teams)?),
        ..RoleSources::none()
    })
}

/// No role that nobody asked for, no superuser, no database; the canary sings.
fn unharmed(superuser: &Login, known: &BTreeSet<String>, before: &Value) -> Result<()> {
    let now: Value = serde_json::from_str(&superuser.run(CANARY)?)?;
    for key in ["superusers", "databases", "canary"] {
        let (now, before) = (&now[key], &before[key]);
        ensure!(now == before, "{key}: {now} instead of {before}");
    }
    let found: BTreeSet<String> = serde_json::from_value(now["roles"].clone())?;
    let strangers: Vec<_> = found.difference(known).collect();
    ensure!(strangers.is_empty(), "{strangers:?}");
    Ok(())
}

fn shop(schemas: &Value) -> Value {
    json!({"preparedDatabases": {"shop": {"defaultUsers": true, "schemas": schemas, "extensions": {"hstore": "data"}}}})
}

/// What the owner of a database can do to whoever comes into it.
const TRAPS: &[&str] = &[
    "ALTER DATABASE shop SET search_path = public, pg_catalog",
    "ALTER DATABASE shop SET role = shop_owner",
    "ALTER DATABASE shop SET default_transaction_read_only = on",
    "ALTER DATABASE shop SET statement_timeout = 1",
    "ALTER DATABASE shop SET lock_timeout = 1",
    "ALTER DATABASE shop SET transaction_timeout = 1",
    "ALTER DATABASE shop SET exit_on_error = on",
    "ALTER DATABASE shop SET standard_conforming_strings = off",
    "ALTER DATABASE shop SET transform_null_equals = on",
    "ALTER DATABASE shop SET DateStyle = 'German'",
    "ALTER DATABASE shop SET client_min_messages = debug5",
    "ALTER DATABASE shop SET default_tablespace = pg_default",
    "CREATE FUNCTION public.trap() RETURNS void LANGUAGE plpgsql AS
        'BEGIN EXECUTE ''ALTER ROLE shop_owner_user SUPERUSER''; EXCEPTION WHEN insufficient_privilege THEN NULL; END'",
    "CREATE FUNCTION public.pg_get_userbyid(oid) RETURNS name LANGUAGE plpgsql AS
        'BEGIN PERFORM public.trap(); RETURN ''postgres''; END'",
    "CREATE FUNCTION public.starts_with(text, text) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM public.trap(); RETURN true; END'",
    "CREATE FUNCTION public.json_agg(VARIADIC \"any\") RETURNS json LANGUAGE internal AS 'json_build_array'",
    "CREATE FUNCTION public.same(name, name) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM public.trap(); RETURN true; END'",
    "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.same)",
    "CREATE OPERATOR public.<> (LEFTARG = name, RIGHTARG = name, FUNCTION = public.same)",
    "CREATE TABLE public.pg_namespace (nspname name, nspowner oid)",
    "CREATE VIEW public.pg_authid AS SELECT public.trap()",
    "CREATE VIEW public.pg_extension AS SELECT public.trap()",
    "CREATE TYPE public.text AS ENUM ('trap')",
    "CREATE DOMAIN public.int4 AS int CHECK (public.trap() IS NULL)",
];

fn traps(major: Major) -> Result<()> {
    let mut world = World::start(major, shop(&json!({"data": {}})))?;
    world.converge()?;
    let owner = world.login("shop_owner_user", "shop")?;
    owner.run("SET ROLE shop_owner")?;
    let mut laid = 0;
    for trap in TRAPS {
        match owner.run(trap) {
            Ok(_) => laid += 1,
            // The server has grown out of some.
            Err(error) => ensure!(error.to_string().starts_with("42"), "{trap}: {error}"),
        }
    }
    ensure!(laid >= TRAPS.len() - 5, "only {laid} traps");
    // Who comes in as he is, is caught: the traps are real.
    let careless = world.superuser("shop")?;
    ensure!(
        careless.run("SELECT current_user")? == "shop_owner",
        "the trap of the role"
    );
    // And one that would end every other session first.
    world
        .superuser("postgres")?
        .run("ALTER DATABASE shop SET idle_session_timeout = 1")?;
    drop(owner);
    world.set_spec(shop(&json!({"data": {}, "more": {"defaultUsers": true}})));
    world.config.users.additional_owner_roles = vec!["cron_admin".to_owned()];
    world.converge()?;
    let superuser = world.superuser("postgres")?;
    let superusers = superuser.run("SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper")?;
    ensure!(superusers == "postgres", "{superusers}");
    let catalog = world.catalog()?;
    let content = catalog.databases["shop"]
        .content
        .as_ref()
        .context("shop was not read")?;
    ensure!(
        content.schemas["more"] == "shop_more_owner",
        "{:?}",
        content.schemas
    );
    ensure!(world.sync()?.is_quiet());
    Ok(())
}

fn in_the_way(major: Major) -> Result<()> {
    let mut world = World::start(major, shop(&json!({"data": {}})))?;
    world.converge()?;
    let owner = world.login("shop_owner_user", "shop")?;
    owner.run("SET ROLE shop_data_owner")?;
    // An extension's script would replace it, or call it, if nobody looked whose it is.
    owner.run(
        "CREATE FUNCTION data.show_limit() RETURNS real LANGUAGE plpgsql AS
        'BEGIN EXECUTE ''ALTER ROLE shop_owner_user SUPERUSER''; RETURN 0; END'",
    )?;
    owner.run("RESET ROLE")?;
    let refused = owner.run("CREATE EVENT TRIGGER trap ON ddl_command_end EXECUTE FUNCTION public.trap()");
    ensure!(refused.is_err(), "an owner may make event triggers now");
    // A superuser was careless once: the trigger is his, the function the owner's.
    let careless = world.superuser("shop")?;
    careless.run("CREATE FUNCTION data.spy() RETURNS event_trigger LANGUAGE plpgsql AS
        'BEGIN EXECUTE ''ALTER ROLE shop_owner_user SUPERUSER''; END'; ALTER FUNCTION data.spy() OWNER TO shop_data_owner;
        CREATE EVENT TRIGGER spy ON ddl_command_end EXECUTE FUNCTION data.spy()")?;
    let mut wider = shop(&json!({"data": {}, "more": {}}));
    wider["preparedDatabases"]["shop"]["extensions"]["pg_trgm"] = json!("data");
    world.set_spec(wider);
    let mut failures = Vec::new();
    let mut holds = Vec::new();
    for _ in 0..3 {
        let round = world.sync()?;
        failures = round.failures;
        holds = round.holds;
    }
    let superuser = world.superuser("postgres")?;
    let superusers = superuser.run("SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper")?;
    ensure!(superusers == "postgres", "{superusers}");
    // A trigger of the usual kind does not fire for us; the function in its way the script neither replaces nor calls, and the server says which.
    ensure!(holds.iter().all(|hold| !hold.contains("spy")), "{holds:?}");
    let is_refusal = |line: &String| {
        line.contains("CREATE EXTENSION IF NOT EXISTS \"pg_trgm\"")
            && line.contains("show_limit")
            && line.contains("SQLSTATE 42723")
    };
    ensure!(
        failures.len() == 1 && failures.iter().all(is_refusal),
        "{failures:?} {holds:?}"
    );
    // Out of its way, it is made.
    let inside = world.superuser("shop")?;
    inside.run("SET session_replication_role = replica; DROP FUNCTION data.show_limit()")?;
    world.converge()?;
    let there = inside.run("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")?;
    ensure!(there == "1", "it is not made afterwards");
    Ok(())
}

/// What an application with `CREATEROLE` prepares: a user, somebody who comes back to the team, the pooler.
fn prepared(major: Major) -> Result<()> {
    let spec = |users: Value, pooler: bool| json!({"users": users, "enableConnectionPooler": pooler});
    let mut world = World::start(major, spec(json!({"app": ["createrole"]}), false))?;
    world.config.teams_api.enable_teams_api = true;
    world.config.teams_api.enable_team_superuser = true;
    world.converge()?;
    let app = world.login("app", "postgres")?;
    for name in ["boss", "jane", "joe_deleted", "pooler"] {
        app.run(&format!("CREATE ROLE {name} NOLOGIN"))?;
        app.run(&format!("GRANT {name} TO app"))?;
    }
    world.set_spec(spec(json!({"app": ["createrole"], "boss": ["superuser"]}), true));
    world.sources = crate::people::said(Source::Known(Some(&["jane", "joe"])));
    let mut round = world.sync()?;
    for _ in 0..3 {
        round = world.sync()?;
    }
    ensure!(round.is_quiet() && round.failures.is_empty(), "{round:?}");
    for name in ["boss", "jane", "joe_deleted", "pooler"] {
        let words = format!("app is a member of {name} already");
        ensure!(
            round.holds.iter().any(|hold| hold.contains(&words)),
            "{name}: {:?}",
            round.holds
        );
    }
    let superuser = world.superuser("postgres")?;
    let superusers = superuser.run("SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper")?;
    ensure!(superusers == "postgres", "{superusers}");
    let ask = "RESET ROLE; SET ROLE pooler; SELECT phash FROM pooler.user_lookup('postgres')";
    let seen = app.run(ask);
    ensure!(seen.is_err(), "it sees passwords: {seen:?}");
    ensure!(superuser.run("SELECT count(*) FROM pg_roles WHERE rolname = 'joe'")? == "0");
    // Nobody's roles any more: all is given.
    superuser.run("DROP ROLE boss; DROP ROLE jane; DROP ROLE joe_deleted; DROP ROLE pooler")?;
    world.converge()?;
    let superusers =
        superuser.run("SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolsuper")?;
    ensure!(superusers == "boss,jane,joe,postgres", "{superusers}");
    let pooler = world.login("pooler", "postgres")?;
    let seen = pooler.run("SELECT phash FROM pooler.user_lookup('app')")?;
    ensure!(seen.starts_with("SCRAM"), "{seen}");
    Ok(())
}

/// Functions of an owner, triggers of a superuser who was careless. From 17 on one may fire at the log-in.
fn event_triggers(major: Major) -> Result<()> {
    let mut world = World::start(major, shop(&json!({"data": {}})))?;
    world.converge()?;
    let careless = world.superuser("shop")?;
    careless.run(
        "CREATE FUNCTION data.spy() RETURNS event_trigger LANGUAGE plpgsql AS
        'BEGIN EXECUTE ''ALTER ROLE shop_owner_user SUPERUSER''; END'; ALTER FUNCTION data.spy() OWNER TO shop_data_owner;
        CREATE EVENT TRIGGER always ON ddl_command_end EXECUTE FUNCTION data.spy(); ALTER EVENT TRIGGER always ENABLE ALWAYS",
    )?;
    if major == Major::Seventeen {
        careless.run("CREATE EVENT TRIGGER enters ON login EXECUTE FUNCTION data.spy(); ALTER EVENT TRIGGER enters ENABLE ALWAYS")?;
    }
    careless.run("ALTER ROLE shop_owner_user NOSUPERUSER")?;
    drop(careless);
    world.set_spec(shop(&json!({"data": {}, "more": {}})));
    let mut holds = Vec::new();
    for _ in 0..3 {
        let round = world.sync()?;
        ensure!(round.failures.is_empty(), "{round:?}");
        holds = round.holds;
    }
    let superuser = world.superuser("postgres")?;
    let superusers = superuser.run("SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper")?;
    ensure!(superusers == "postgres", "{superusers}");
    // One major lets us go without; in the other we do not go in, and say why.
    let content = world.catalog()?.databases["shop"].content.clone();
    let made = content.context("shop was not read")?.schemas.contains_key("more");
    let told = holds.iter().any(|hold| hold.contains("event trigger always"));
    ensure!(
        (made, told) == (major == Major::Seventeen, major == Major::Fifteen),
        "{made} {holds:?}"
    );
    Ok(())
}
