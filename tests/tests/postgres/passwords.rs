//! Passwords: secret and database agree, and nobody else learns them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pgherd_model::cluster::RoleSources;
use pgherd_model::source::Source;
use pgherd_tests::postgres::{Major, Options};
use serde_json::json;

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "passwords: an edited secret is in force, the old password is not",
        edited,
    ),
    ("passwords: md5 where the manifest asks for it, and back", md5),
    (
        "passwords: a verifier in a secret is taken as it is, of either kind",
        ready_made,
    ),
    ("passwords: nobody decides how long we calculate", costly),
    (
        "passwords: neither password nor verifier reaches log or statistics",
        unseen,
    ),
    (
        "passwords: a refused role is named and keeps no other waiting",
        refused,
    ),
];

fn edited(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({"users": {"app": [], "other": []}}))?;
    world.converge()?;
    let old = world.secret("app")?.password.expose().to_owned();
    // What a person may type: quotes, a backslash, a non-breaking space, which SASLprep makes a plain one.
    for password in ["it's \\ \"new\"", "gr\u{fc}n\u{a0}\u{1F418}", "x"] {
        world.set_password("app", password)?;
        let round = world.sync()?;
        ensure!(round.steps.len() == 1 && round.failures.is_empty(), "{round:?}");
        world.login("app", "postgres")?;
        ensure!(
            world.login_as("app", &old, "postgres").is_err(),
            "the old password still works"
        );
        ensure!(world.sync()?.is_quiet());
    }
    // Changed by hand in the database: the secret counts.
    world
        .superuser("postgres")?
        .run("ALTER ROLE other PASSWORD 'by hand'")?;
    world.converge()?;
    world.login("other", "postgres")?;
    Ok(())
}

fn md5(major: Major) -> Result<()> {
    let spec = |encryption: &str| {
        json!({"users": {"app": []},
            "postgresql": {"version": major.number().to_string(), "parameters": {"password_encryption": encryption}}})
    };
    let stored = |world: &World| {
        let superuser = world.superuser("postgres")?;
        superuser.run("SELECT left(rolpassword, 5) FROM pg_authid WHERE rolname = 'app'")
    };
    let mut world = World::start(major, spec("md5"))?;
    world.converge()?;
    let verifier = stored(&world)?;
    ensure!(verifier.starts_with("md5"), "{verifier}");
    world.login("app", "postgres")?;
    world.set_spec(spec("scram-sha-256"));
    world.converge()?;
    world.login("app", "postgres")?;
    // The password is known, so that what is asked for can be made of it at once.
    let now = stored(&world)?;
    ensure!(now == "SCRAM", "{verifier}, {now}");
    ensure!(world.sync()?.is_quiet());
    world.set_spec(spec("md5"));
    world.converge()?;
    let back = stored(&world)?;
    ensure!(back.starts_with("md5"), "{back}");
    world.login("app", "postgres")?;
    Ok(())
}

/// As Zalando's documentation shows for infrastructure roles: the hash instead of the password.
fn ready_made(major: Major) -> Result<()> {
    let spec = |encryption: &str| {
        json!({"users": {"app": []},
            "postgresql": {"version": major.number().to_string(), "parameters": {"password_encryption": encryption}}})
    };
    let hash = |encryption: &str| {
        format!(
            "SET password_encryption = '{encryption}'; ALTER ROLE app PASSWORD 'swordfish'; SELECT rolpassword FROM pg_authid WHERE rolname = 'app'"
        )
    };
    for (asked, other) in [("scram-sha-256", "md5"), ("md5", "scram-sha-256")] {
        let mut world = World::start(major, spec(asked))?;
        world.converge()?;
        let verifier = world.superuser("postgres")?.run(&hash(other))?;
        world.set_password("app", &verifier)?;
        world
            .superuser("postgres")?
            .run("ALTER ROLE app PASSWORD 'another'")?;
        world.converge()?;
        world.login_as("app", "swordfish", "postgres")?;
        for _ in 0..3 {
            let round = world.sync()?;
            ensure!(round.is_quiet(), "{other} under {asked}: {round:?}");
        }
        // And of a password the kind that is asked for is made.
        world.set_password("app", "swordfish")?;
        world.converge()?;
        let stored = world
            .superuser("postgres")?
            .run("SELECT left(rolpassword, 3) FROM pg_authid WHERE rolname = 'app'")?;
        ensure!(
            stored.eq_ignore_ascii_case(&asked[..3].replace("scr", "SCR")),
            "{stored} under {asked}"
        );
    }
    Ok(())
}

/// The verifier of another password, whose arithmetic the server does once, when it is stored; a turn must not do it each time.
const COSTLY: &str = "ALTER ROLE app PASSWORD 'SCRAM-SHA-256$1000000:c2FsdA==$lF4cRm/Jky763CN4HtxdHnjV4Q8AWTNlKvGmEFFU8IQ=:ub8OgRsftnk2ccDMOt7ffHXNcikRkQkq1lh4xaAqrSw='";

fn costly(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({"users": {"app": []}}))?;
    world.converge()?;
    world.login("app", "postgres")?.run(COSTLY)?;
    ensure!(world.catalog()?.roles["app"].password_matches == Some(false));
    let costly = shortest_look(&world)?;
    let rounds = world.converge()?;
    ensure!(rounds.len() == 1 && rounds[0].steps.len() == 1, "{rounds:?}");
    world.login("app", "postgres")?;
    let usual = shortest_look(&world)?;
    // A million is more than two hundred times as many as ours has.
    ensure!(costly < 20 * usual, "{costly:?} instead of {usual:?}");
    Ok(())
}

/// Of several: the machine has other things to do as well.
fn shortest_look(world: &World) -> Result<Duration> {
    let looks: Vec<Duration> = (0..3)
        .map(|_| {
            let start = Instant::now();
            world.catalog().map(|_| start.elapsed())
        })
        .collect::<Result<_>>()?;
    Ok(looks.into_iter().min().unwrap_or_default())
}

const MARKER: &str = "marker-swordfish-4711";

/// A role that the server refuses, for one of its settings; its password travels in the same transaction.
fn doomed(name: &str) -> Result<RoleSources> {
    let roles = serde_json::from_value(json!({"roles": [{"name": name, "login": true,
        "parameters": {"no_such_parameter": "x"},
        "password": {"namespace": "apps", "name": "given", "key": "k", "inside": null}}], "findings": []}))?;
    Ok(RoleSources {
        infrastructure: vec![Source::Known(roles)],
        ..RoleSources::none()
    })
}

fn unseen(major: Major) -> Result<()> {
    let options = Options::default()
        .with("log_statement", "all")
        .with("log_min_duration_statement", "0")
        .with("log_min_error_statement", "debug5")
        .with("log_error_verbosity", "verbose")
        .with("debug_print_parse", "on")
        .with("log_connections", "on");
    let mut world = World::start_with(major, json!({"users": {"app": [], "other": []}}), &options)?;
    world.converge()?;
    world.sources = doomed("doomed")?;
    world.set_password("app", MARKER)?;
    let secret = world.plan()?;
    let mut told = format!("{secret:?}\n{}", serde_json::to_string(&secret)?);
    let round = world.sync()?;
    told = format!("{told}{round:?}\n{:?}\n", world.catalog()?);
    world.login("app", "postgres")?;
    let superuser = world.superuser("postgres")?;
    let verifiers = superuser.run(
        "SELECT string_agg(split_part(rolpassword, '$', 3), ' ') FROM pg_authid WHERE rolname <> 'postgres'",
    )?;
    told += &superuser.run("SELECT string_agg(query, E'\\n') FROM public.pg_stat_statements")?;
    told += &world.server.log();
    ensure!(!verifiers.is_empty());
    ensure!(!told.contains(MARKER), "the password");
    for verifier in verifiers.split(' ') {
        ensure!(!told.contains(verifier), "a verifier");
    }
    // The log is one that would have told: it has the statements without a verifier.
    ensure!(told.contains("pg_get_userbyid"), "the log is empty");
    Ok(())
}

fn refused(major: Major) -> Result<()> {
    let mut world = World::start(
        major,
        json!({"users": {"first": [], "last": []}, "databases": {"shop": "last"}}),
    )?;
    world.sources = doomed("middle")?;
    let mut failures = Vec::new();
    for _ in 0..3 {
        failures = world.sync()?.failures;
    }
    ensure!(
        failures.len() == 1 && failures[0].contains("middle"),
        "{failures:?}"
    );
    ensure!(!failures[0].contains("SCRAM"), "{failures:?}");
    for role in ["first", "last"] {
        world.login(role, "shop")?;
    }
    // All of the role or nothing of it.
    let there = world
        .superuser("postgres")?
        .run("SELECT count(*) FROM pg_roles WHERE rolname = 'middle'")?;
    ensure!(there == "0", "{there}");
    world.sources = RoleSources::none();
    world.converge()?;
    Ok(())
}
