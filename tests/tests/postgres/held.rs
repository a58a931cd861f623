//! Roles that are held back, on a real server: what they own stays theirs, and others get what is theirs.

use anyhow::{Context as _, Result, ensure};
use pgherd_model::api::status::{Provisioned, ProvisionedRole};
use pgherd_tests::postgres::Major;
use serde_json::json;

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "held: an edited secret costs nobody a table, neither the heir nor who has left",
        nothing_is_lost,
    ),
    (
        "held: readers of a prepared database read although its owner's login is missing",
        readers_read,
    ),
];

fn edit_username(world: &mut World, role: &str, username: &str) -> Result<()> {
    let place = world.place(role);
    let secret = world.secrets.get_mut(&place).context("no such secret")?;
    username.clone_into(&mut secret.username);
    Ok(())
}

fn owner(world: &World, table: &str) -> Result<String> {
    let login = world.superuser("shop")?;
    login.run(&format!(
        "SELECT tableowner FROM pg_tables WHERE tablename = '{table}'"
    ))
}

fn nothing_is_lost(major: Major) -> Result<()> {
    let policy = json!({"users": "drop", "reassignOwnedTo": "keeper"});
    let spec = |users| json!({"users": users, "databases": {"shop": "keeper"}, "removalPolicy": policy});
    let mut world = World::start(major, spec(json!({"keeper": [], "app": []})))?;
    world.converge()?;
    let shop = world.superuser("shop")?;
    for role in ["keeper", "app"] {
        shop.run(&format!(
            "CREATE TABLE of_{role} AS SELECT 1; ALTER TABLE of_{role} OWNER TO {role}"
        ))?;
    }
    let given = |name: &str| (name.to_owned(), ProvisionedRole::default());
    world.provisioned = Some(Provisioned {
        roles: [given("keeper"), given("app")].into(),
        ..Provisioned::default()
    });
    edit_username(&mut world, "keeper", "root")?;
    edit_username(&mut world, "app", "root")?;
    let round = world.sync()?;
    ensure!(round.is_quiet(), "{:?}", round.steps);
    ensure!(
        round
            .holds
            .iter()
            .any(|hold| hold.starts_with("make role keeper")),
        "{:?}",
        round.holds
    );

    // Around the rule: an heir whom nobody wants.
    world.set_spec(spec(json!({"app": []})));
    let round = world.sync()?;
    ensure!(
        !round.steps.iter().any(|step| step.contains("DROP")),
        "{:?}",
        round.steps
    );
    for role in ["keeper", "app"] {
        ensure!(owner(&world, &format!("of_{role}"))? == role);
    }

    // Who has really left goes, and what was his is the heir's.
    edit_username(&mut world, "keeper", "keeper")?;
    world.set_spec(spec(json!({"keeper": []})));
    world.converge()?;
    ensure!(owner(&world, "of_app")? == "keeper" && owner(&world, "of_keeper")? == "keeper");
    let left = shop.run("SELECT count(*) FROM pg_roles WHERE rolname = 'app'")?;
    ensure!(left == "0", "app is there");
    Ok(())
}

fn readers_read(major: Major) -> Result<()> {
    let spec = json!({"preparedDatabases": {"bar": {"defaultUsers": true, "schemas": {"data": {}}}}});
    let mut world = World::start(major, spec)?;
    // Somebody else's secret stands where that of the login would be made.
    let round = world.sync()?;
    ensure!(
        !round.steps.is_empty() && round.failures.is_empty(),
        "{:?}",
        round.failures
    );
    world
        .superuser("postgres")?
        .run("DROP OWNED BY bar_owner_user; DROP ROLE bar_owner_user")?;
    edit_username(&mut world, "bar_owner_user", "somebody")?;
    world.converge()?;
    let held = world.sync()?.holds;
    ensure!(
        held.iter().any(|hold| hold.contains("prepare database bar")),
        "{held:?}"
    );
    let bar = world.superuser("bar")?;
    bar.run("SET ROLE bar_owner; CREATE SCHEMA more; CREATE TABLE more.goods AS SELECT 7 AS id; RESET ROLE")?;
    let read = world
        .login("bar_reader_user", "bar")?
        .run("SELECT id FROM more.goods")?;
    ensure!(read == "7", "{read}");
    let written = world
        .login("bar_reader_user", "bar")?
        .run("INSERT INTO more.goods VALUES (8)");
    ensure!(written.is_err(), "a reader wrote");
    Ok(())
}
