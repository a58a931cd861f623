//! Names and texts that are no UTF-8. Roles, databases and their settings are shared by databases of all encodings, and a server hands a
//! client of its own encoding the bytes as they are.

use anyhow::{Context as _, Result, ensure};
use pgherd_tests::postgres::Major;
use serde_json::json;

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "illegible: what a database of another encoding makes is left alone and named",
        foreign,
    ),
    (
        "illegible: bytes that are no text in any encoding blind nobody",
        bytes,
    ),
];

/// A database of the manifest, in which somebody makes names of that encoding.
fn foreign(major: Major) -> Result<()> {
    let options = json!({"encoding": "LATIN1", "locale": "C", "template": "template0"});
    let spec = |users: serde_json::Value| json!({"users": users, "databases": {"old": "app"}, "databaseOptions": {"old": options}});
    let mut world = World::start(major, spec(json!({"app": []})))?;
    world.converge()?;
    let inside = world.superuser("old")?;
    ensure!(inside.run("SHOW server_encoding")? == "LATIN1");
    inside.run("CREATE ROLE \"m\u{fc}ller\" LOGIN; ALTER ROLE app SET my.words = '\u{e9}t\u{e9}'; ALTER ROLE \"m\u{fc}ller\" SET my.words = 'x'")?;
    inside.run("GRANT \"m\u{fc}ller\" TO app")?;
    world.set_spec(spec(json!({"app": ["createdb"], "later": []})));
    world.converge()?;
    world.login("later", "postgres")?;
    let catalog = world.catalog()?;
    ensure!(catalog.roles["app"].createdb);
    let round = world.sync()?;
    ensure!(round.is_quiet(), "{round:?}");
    let told = |hold: &String| hold.contains("m\u{fffd}ller") && hold.contains("UTF-8");
    ensure!(round.holds.iter().any(told), "{:?}", round.holds);
    Ok(())
}

/// What a user who may make databases can do to the catalog.
const RUBBISH: &str = "DO $$ DECLARE byte text := convert_from('\\xff', 'SQL_ASCII'); BEGIN
    EXECUTE format('ALTER DATABASE victim RENAME TO %I', byte);
    EXECUTE format('CREATE SCHEMA %I', byte);
    EXECUTE format('ALTER ROLE app SET my.words = %L', byte || 'a');
END $$";

fn bytes(major: Major) -> Result<()> {
    let ascii = json!({"encoding": "SQL_ASCII", "locale": "C", "template": "template0"});
    let spec = |schemas: serde_json::Value| {
        json!({"users": {"app": []}, "preparedDatabases": {"odd": {"defaultUsers": true, "schemas": schemas}},
            "databaseOptions": {"odd": ascii}})
    };
    let mut world = World::start(major, spec(json!({"data": {}})))?;
    world.converge()?;
    world.superuser("postgres")?.run("CREATE DATABASE victim")?;
    let inside = world.superuser("odd")?;
    ensure!(inside.run("SHOW server_encoding")? == "SQL_ASCII");
    inside.run(RUBBISH).context("make names of no encoding")?;
    world.set_spec(spec(json!({"data": {}, "more": {}})));
    world.converge()?;
    let catalog = world.catalog()?;
    let content = catalog.databases["odd"]
        .content
        .as_ref()
        .context("odd was not read")?;
    ensure!(
        content.schemas["more"] == "odd_more_owner",
        "{:?}",
        content.schemas
    );
    let round = world.sync()?;
    ensure!(round.is_quiet(), "{round:?}");
    ensure!(
        round.holds.iter().any(|hold| hold.contains("database \u{fffd}")),
        "{:?}",
        round.holds
    );
    Ok(())
}
