//! What is done over which connection, and what the server's log says of it.

use anyhow::{Context as _, Result, ensure};
use pgherd_tests::postgres::{Major, Options};
use serde_json::{Value, json};

use crate::Test;
use crate::rights::given;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "sessions: roles that go cost one connection per database, not one per role",
        leaving,
    ),
    (
        "sessions: the log tells rights and memberships, and no verifier, also where a batch is refused",
        told,
    ),
    (
        "sessions: an extension is updated only where a way leads to the version of the image",
        extensions,
    ),
];

const DATABASES: [&str; 3] = ["one", "two", "three"];
const ROLES: [&str; 4] = ["a", "b", "c", "d"];

fn leaving(major: Major) -> Result<()> {
    let spec = |users: &[&str]| {
        let users: serde_json::Map<String, Value> =
            users.iter().map(|user| ((*user).to_owned(), json!([]))).collect();
        json!({"users": users, "databases": {"one": "keeper", "two": "keeper", "three": "keeper"},
            "removalPolicy": {"users": "drop", "reassignOwnedTo": "keeper"}})
    };
    let options = Options::default().with("log_connections", "on");
    let mut world = World::start_with(major, spec(&["keeper", "a", "b", "c", "d"]), &options)?;
    world.converge()?;
    for database in DATABASES {
        let superuser = world.superuser(database)?;
        for role in ROLES {
            superuser.run(&format!(
                "CREATE TABLE public.of_{role}(a int); ALTER TABLE public.of_{role} OWNER TO {role}"
            ))?;
        }
    }
    world.provisioned = Some(given(&ROLES, &["LOGIN"]));
    world.set_spec(spec(&["keeper"]));
    let opened = |world: &World| {
        let log = world.server.log();
        let of = |database: &str| {
            let wanted = format!("database={database} application_name=pgherd");
            log.lines().filter(|line| line.contains(&wanted)).count()
        };
        DATABASES.map(of)
    };
    let before = opened(&world);
    let round = world.sync()?;
    ensure!(round.failures.is_empty(), "{round:?}");
    let now = opened(&world);
    for (place, database) in DATABASES.iter().enumerate() {
        let count = now[place] - before[place];
        ensure!(count == 1, "{count} connections to {database}");
        let owners = "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname = 'public'";
        let owners = world.superuser(database)?.run(owners)?;
        ensure!(owners == "keeper", "{owners} own tables in {database}");
    }
    let left = "SELECT count(*) FROM pg_roles WHERE rolname IN ('a', 'b', 'c', 'd')";
    ensure!(world.superuser("postgres")?.run(left)? == "0", "{round:?}");
    ensure!(world.sync()?.is_quiet());
    Ok(())
}

fn told(major: Major) -> Result<()> {
    let options = Options::default()
        .with("log_statement", "ddl")
        .with("log_min_duration_statement", "0")
        .with("log_min_error_statement", "error");
    let spec = json!({"users": {"app": ["superuser"], "bad": [], "other": []},
        "userOptions": {"app": {"memberOf": ["other"]}, "bad": {"parameters": {"work_mem": "a lot"}}}});
    let mut world = World::start_with(major, spec, &options)?;
    world.sync()?;
    let round = world.sync()?;
    ensure!(round.failures.len() == 1, "{round:?}");
    // A password that changes in one batch with something that is refused.
    world.set_password("app", "another")?;
    world.sync()?;
    for user in ["app", "other"] {
        world.login(user, "postgres")?;
    }
    let log = world.server.log();
    for line in [
        "CREATE ROLE \"app\" SUPERUSER",
        "CREATE ROLE \"other\" NOSUPERUSER",
        "GRANT \"other\" TO \"app\"",
        "a lot",
    ] {
        ensure!(log.contains(line), "the log does not tell: {line}");
    }
    for word in ["SCRAM-SHA-256$", "PASSWORD 'md5", "another"] {
        let line = log.lines().find(|line| line.contains(word));
        ensure!(line.is_none(), "{line:?}");
    }
    Ok(())
}

fn extensions(major: Major) -> Result<()> {
    let spec = json!({"preparedDatabases": {"shop": {"extensions": {"pg_stat_statements": "public"}, "schemas": {"public": {}}}}});
    let mut world = World::start(major, spec)?;
    world.config.provisioning.enable_extension_updates = true;
    world.converge()?;
    let superuser = world.superuser("shop")?;
    let version = "SELECT extversion FROM pg_extension WHERE extname = 'pg_stat_statements'";
    let newest = superuser.run(version)?;
    superuser.run(
        "DROP EXTENSION pg_stat_statements; CREATE EXTENSION pg_stat_statements SCHEMA public VERSION '1.8'",
    )?;
    world.converge()?;
    ensure!(superuser.run(version)? == newest, "it was not updated");
    // As an image that was taken back leaves it.
    superuser.run("UPDATE pg_extension SET extversion = '99.0' WHERE extname = 'pg_stat_statements'")?;
    let round = world.sync()?;
    ensure!(round.is_quiet(), "{round:?}");
    let told = round.holds.iter().find(|hold| hold.contains("99.0"));
    told.context("nobody is told")?;
    Ok(())
}
