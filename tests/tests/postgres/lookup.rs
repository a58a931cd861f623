//! What poolers look passwords up with, by real logins (zalando-behaviour 4.13 and appendix B).

use anyhow::{Context as _, Result, ensure};
use pgherd_tests::postgres::Major;
use serde_json::{Value, json};

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    ("look-up: the pooler sees passwords, nobody else does", sees),
    ("look-up: what was made otherwise is made right", mended),
    ("look-up: a stranger's schema is left alone", strangers),
];

const ASK: &str = "SELECT phash FROM pooler.user_lookup('app')";
/// As Zalando's operator makes it, from its effects: the body's words are of this test.
const FOREIGN: &str = "CREATE SCHEMA pooler;
    CREATE FUNCTION pooler.user_lookup(IN i_username text, OUT uname text, OUT phash text) RETURNS record LANGUAGE plpgsql
        SECURITY DEFINER AS $$ BEGIN SELECT usename, passwd INTO uname, phash FROM pg_shadow
        WHERE usename = i_username; RETURN; END $$;";

fn spec() -> Value {
    json!({"users": {"app": []}, "databases": {"shop": "app"}, "preparedDatabases": {"bar": {}},
        "enableConnectionPooler": true})
}

fn sees(major: Major) -> Result<()> {
    let mut world = World::start(major, spec())?;
    world.converge()?;
    for database in ["postgres", "shop", "bar"] {
        let verifier = world.login("pooler", database)?.run(ASK)?;
        ensure!(verifier.starts_with("SCRAM-SHA-256$"), "{database}: {verifier:?}");
        for stranger in ["app", "standby"] {
            let refused = world.login(stranger, database)?.run(ASK);
            ensure!(refused.is_err(), "{database}: {stranger} sees it");
        }
    }
    // Whatever the caller makes and sets, it is the system's catalog that is asked.
    let pooler = world.login("pooler", "shop")?;
    let bent = "CREATE TEMP TABLE pg_shadow(usename text, passwd text);
        INSERT INTO pg_shadow VALUES ('app', 'mine'); SET search_path = pg_temp, pg_catalog;";
    pooler.run(bent)?;
    ensure!(
        pooler.run(ASK)?.starts_with("SCRAM-SHA-256$"),
        "a caller's table is asked"
    );
    // Somebody made one more.
    world.superuser("postgres")?.run("CREATE DATABASE late")?;
    world.converge()?;
    ensure!(!world.login("pooler", "late")?.run(ASK)?.is_empty());
    ensure!(world.sync()?.is_quiet(), "it is made again and again");
    Ok(())
}

fn mended(major: Major) -> Result<()> {
    let mut world = World::start(major, spec())?;
    world.superuser("postgres")?.run(FOREIGN)?;
    let ask = world.superuser("postgres")?;
    ask.run("GRANT USAGE ON SCHEMA pooler TO PUBLIC")?;
    world.converge()?;
    let app = world.login("app", "postgres")?;
    ensure!(app.run(ASK).is_err(), "everybody may still call it");
    let pooler = world.login("pooler", "postgres")?;
    ensure!(pooler.run(ASK)?.starts_with("SCRAM-SHA-256$"));
    let pinned = ask.run("SELECT proconfig FROM pg_proc WHERE proname = 'user_lookup'")?;
    ensure!(pinned.contains("search_path"), "{pinned:?}");
    ask.run("REVOKE EXECUTE ON FUNCTION pooler.user_lookup(text) FROM pooler")?;
    ask.run("DROP SCHEMA pooler CASCADE")?;
    world.converge()?;
    ensure!(pooler.run(ASK)?.starts_with("SCRAM-SHA-256$"));
    ensure!(world.sync()?.is_quiet());
    Ok(())
}

fn strangers(major: Major) -> Result<()> {
    let mut world = World::start(major, spec())?;
    world.converge()?;
    let ask = world.superuser("shop")?;
    ask.run("DROP SCHEMA pooler CASCADE")?;
    // The owner of the database would answer with passwords of his own.
    let theirs = "CREATE SCHEMA pooler; CREATE FUNCTION pooler.user_lookup(i_username text, OUT uname text, OUT phash text)
        LANGUAGE sql AS $$ SELECT i_username, 'mine' $$";
    world.login("app", "shop")?.run(theirs)?;
    let plan = world.plan()?;
    ensure!(
        plan.steps.is_empty(),
        "something is done: {:?}",
        plan.steps.first()
    );
    let mut told = plan.holds.iter().map(ToString::to_string);
    let hold = told
        .find(|hold| hold.contains("app") && hold.contains("database shop"))
        .context("nobody is told")?;
    ensure!(hold.contains("no superuser"), "{hold}");
    let refused = world.login("pooler", "shop")?.run(ASK);
    ensure!(
        refused.is_err(),
        "the pooler was let into the stranger's schema: {refused:?}"
    );
    Ok(())
}
