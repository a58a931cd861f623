//! What users store of themselves may be as large as they like: the operator reads what it needs, and says of the rest that it does not.

use anyhow::{Context as _, Result, ensure};
use pgherd_tests::postgres::Major;
use serde_json::json;

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "bounds: a login's own settings and verifier are read in part",
        of_a_login,
    ),
    (
        "bounds: a database with much in it is read, one with too much is not",
        of_a_database,
    ),
];

/// A setting of 20 MB, which the manifest knows nothing of; one that it sets; two that are too much together. And a verifier that only the older
/// minors take.
const HOARD: &str = "DO $$ BEGIN
    EXECUTE format('ALTER ROLE app SET application_name = %L', repeat('x', 20000000));
    EXECUTE format('ALTER ROLE app SET search_path = %L', repeat('y', 2000000));
    EXECUTE format('ALTER ROLE app SET temp_tablespaces = %L', repeat('z', 40000));
    EXECUTE format('ALTER ROLE app SET default_tablespace = %L', repeat('z', 45000));
END $$";
const LONG_VERIFIER: &str = "DO $$ BEGIN
    EXECUTE format('ALTER ROLE app PASSWORD %L',
        'SCRAM-SHA-256$4096:' || replace(encode(convert_to(repeat('s', 300000), 'UTF8'), 'base64'), E'\\n', '') || '$'
        || encode(sha256('a'), 'base64') || ':' || encode(sha256('b'), 'base64'));
END $$";

fn of_a_login(major: Major) -> Result<()> {
    let options = json!({"app": {"parameters": {"search_path": "ours"}}});
    let mut world = World::start(major, json!({"users": {"app": []}, "userOptions": options}))?;
    world.converge()?;
    let app = world.login("app", "postgres")?;
    app.run(HOARD)?;
    let taken = app.run(LONG_VERIFIER).is_ok();
    let superuser = world.superuser("postgres")?;
    let stored = "SELECT coalesce(sum(length(item)), 0) FROM pg_db_role_setting, unnest(setconfig) item";
    ensure!(superuser.run(stored)?.parse::<usize>()? > 20_000_000);
    let view = world.catalog()?.roles["app"].clone();
    let read: usize = view
        .settings
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    ensure!((40_000..65_536).contains(&read), "{read} bytes");
    // What the manifest sets is set, and its password is the server's.
    let steps: Vec<String> = world
        .converge()?
        .into_iter()
        .flat_map(|round| round.steps)
        .collect();
    ensure!(steps.len() == 1 && steps[0].contains("app"), "{steps:?}");
    let fresh = world
        .login("app", "postgres")
        .with_context(|| format!("taken: {taken}"))?;
    ensure!(fresh.run("SHOW search_path")? == "ours");
    ensure!(world.catalog()?.roles["app"].password_matches == Some(true));
    for _ in 0..3 {
        let round = world.sync()?;
        ensure!(round.is_quiet(), "{round:?}");
    }
    Ok(())
}

/// What the owner of a database grants in it for objects to come: some 160 bytes for each schema, role and privilege.
fn hoard(roles: usize) -> String {
    format!(
        "DO $$ DECLARE everywhere text := (SELECT string_agg(format('room%s', number), ',') FROM generate_series(1, 100) number);
            everybody text := (SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname ~ '^guest' AND substr(rolname, 6, 3)::int <= {roles});
        BEGIN
            EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %s', everywhere, everybody);
            EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT SELECT, UPDATE, USAGE ON SEQUENCES TO %s', everywhere, everybody);
        END $$"
    )
}

/// By its owner, who is no superuser.
fn of_a_database(major: Major) -> Result<()> {
    let spec = |schemas| json!({"users": {"app": []}, "preparedDatabases": {"shop": {"defaultUsers": true, "schemas": schemas}}});
    let mut world = World::start(major, spec(json!({"data": {}})))?;
    world.converge()?;
    world.superuser("postgres")?.run(
        "DO $$ BEGIN FOR number IN 100..199 LOOP EXECUTE format('CREATE ROLE guest%s', number || repeat('x', 40)); END LOOP; END $$",
    )?;
    let owner = world.login("shop_owner_user", "shop")?;
    owner.run("SET ROLE shop_owner")?;
    owner.run("DO $$ BEGIN FOR number IN 1..100 LOOP EXECUTE format('CREATE SCHEMA room%s', number); END LOOP; END $$")?;
    owner.run(&hoard(120))?;
    let content = world.catalog()?.databases["shop"].content.clone();
    let content = content.context("shop was not read")?;
    ensure!(
        content.default_privileges.len() > 8_000,
        "{}",
        content.default_privileges.len()
    );
    // It is provisioned as any.
    world.set_spec(spec(json!({"data": {}, "more": {}})));
    world.converge()?;
    ensure!(world.sync()?.is_quiet());
    owner.run(&hoard(199))?;
    let error = world.catalog().err().context("all of it was read")?;
    ensure!(format!("{error:#}").contains("no more than"), "{error:#}");
    Ok(())
}
