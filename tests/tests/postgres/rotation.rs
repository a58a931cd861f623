//! Rotation of passwords with a moved clock (zalando-behaviour, A.23 and G.5).

use anyhow::{Context as _, Result, ensure};
use jiff::ToSpan as _;
use pgherd_tests::postgres::Major;
use serde_json::json;

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    ("rotation: who reads his secret never fails to log in", new_users),
    ("rotation: in place", in_place),
    (
        "rotation: a secret that cannot be written, and twice on one day",
        unwritten,
    ),
];

const DAYS: i64 = 30;

fn world(major: Major, spec: serde_json::Value) -> Result<World> {
    let mut world = World::start(major, spec)?;
    world.config.users.enable_password_rotation = true;
    world.config.users.password_rotation_interval = 30;
    world.config.users.password_rotation_user_retention = 60;
    world.converge()?;
    Ok(world)
}

fn pass(world: &mut World, days: i64) -> Result<()> {
    world.now = world.now.checked_add((days * 24).hours())?;
    world.converge().map(drop)
}

fn new_users(major: Major) -> Result<()> {
    let mut world = world(major, json!({"users": {"app": [], "app_more": []}}))?;
    // Nobody's business of ours, whatever its name.
    world
        .superuser("postgres")?
        .run("CREATE ROLE app_more200101 LOGIN; CREATE ROLE \"app20xx01\"")?;
    world.client = Some("app".to_owned());
    ensure!(
        world.secret("app")?.next_rotation.is_some(),
        "the first turn sets the date"
    );
    let mut names = vec![world.secret("app")?.username.clone()];
    for turn in 1..=3 {
        pass(&mut world, DAYS - 1)?;
        ensure!(world.secret("app")?.username == names[turn - 1], "too early");
        pass(&mut world, 1)?;
        let name = world.secret("app")?.username.clone();
        ensure!(name.len() == "app".len() + 6 && !names.contains(&name), "{name}");
        let inherits = world
            .login("app", "postgres")?
            .run("SELECT pg_has_role('app', 'USAGE')")?;
        ensure!(inherits == "t", "{name} has not the rights of app");
        names.push(name);
    }
    let there = world
        .superuser("postgres")?
        .run("SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^app'")?;
    let there: Vec<&str> = there.split(' ').collect();
    // The oldest is past its retention of sixty days only after the next rotation; strangers stay for ever.
    for name in [
        "app",
        "app_more",
        "app20xx01",
        names[2].as_str(),
        names[3].as_str(),
    ] {
        ensure!(there.contains(&name), "{name} is gone: {there:?}");
    }
    pass(&mut world, DAYS)?;
    pass(&mut world, DAYS)?;
    let old = world.superuser("postgres")?.run(&format!(
        "SELECT count(*) FROM pg_roles WHERE rolname = '{}'",
        names[1]
    ))?;
    ensure!(old == "0", "{} is still there", names[1]);
    Ok(())
}

fn in_place(major: Major) -> Result<()> {
    let mut world = world(
        major,
        json!({"users": {"app": []}, "usersWithInPlaceSecretRotation": ["app"]}),
    )?;
    let first = world.secret("app")?.password.expose().to_owned();
    pass(&mut world, DAYS)?;
    let secret = world.secret("app")?;
    ensure!(secret.username == "app" && secret.password.expose() != first);
    world.login("app", "postgres").context("with the new password")?;
    ensure!(
        world.login_as("app", &first, "postgres").is_err(),
        "the old password still works"
    );
    ensure!(world.sync()?.is_quiet());
    Ok(())
}

/// Whoever reads the secret can log in, whatever became of the rotation before.
fn unwritten(major: Major) -> Result<()> {
    let mut world = world(
        major,
        json!({"users": {"app": [], "here": []}, "usersWithInPlaceSecretRotation": ["here"]}),
    )?;
    world.client = Some("app".to_owned());
    world.now = world.now.checked_add((DAYS * 24).hours())?;
    // One of them each, and the second try of one of them.
    world.lost_writes = 3;
    let mut failures = Vec::new();
    for _ in 0..4 {
        failures.extend(world.sync()?.failures);
    }
    ensure!(failures.len() == 3, "{failures:?}");
    ensure!(world.sync()?.is_quiet(), "it goes on");
    let rotated = world.secret("app")?.clone();
    ensure!(rotated.username.len() == "app".len() + 6, "{}", rotated.username);
    world
        .login("here", "postgres")
        .context("with the password in place")?;
    for _ in 0..2 {
        let before = world.secret("app")?.password.clone();
        world.force_rotation("app")?;
        world.converge()?;
        let after = world.secret("app")?;
        ensure!(
            after.username == rotated.username,
            "{} on the same day",
            after.username
        );
        ensure!(after.password != before, "it has not rotated");
        let old = world.login_as(&rotated.username, before.expose(), "postgres");
        ensure!(old.is_err(), "the password before still works");
    }
    // A stranger's role of the next day's name is not taken over, and nobody is told to use it.
    world.now = world.now.checked_add(24.hours())?;
    let day = world.now.strftime("%y%m%d").to_string();
    world
        .superuser("postgres")?
        .run(&format!("CREATE ROLE app{day} LOGIN PASSWORD 'stranger'"))?;
    world.force_rotation("app")?;
    let round = world.sync()?;
    ensure!(round.is_quiet(), "{:?}", round.steps);
    let held = round.holds.iter().any(|hold| hold.contains(&format!("app{day}")));
    ensure!(held, "{:?}", round.holds);
    world
        .login_as(&format!("app{day}"), "stranger", "postgres")
        .map(drop)
}
