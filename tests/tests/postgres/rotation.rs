//! Rotation of passwords with a moved clock (zalando-behaviour, A.23 and G.5).

use anyhow::{Context as _, Result, ensure};
use jiff::ToSpan as _;
use pgherd_tests::postgres::{Major, Options};
use serde_json::json;

use crate::Test;
use crate::api::Fault;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    ("rotation: who reads his secret never fails to log in", new_users),
    ("rotation: in place", in_place),
    (
        "rotation: a secret that cannot be written, and twice on one day",
        unwritten,
    ),
    (
        "rotation: whatever becomes of the write, in both kinds",
        interrupted,
    ),
    (
        "rotation: the superuser, whatever becomes of the write",
        superuser,
    ),
    (
        "rotation: a superuser's edited secret is in force before it rotates",
        edited,
    ),
    ("rotation: many at a time over one connection", many),
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
    world.faults = vec![Fault::Lost; 3];
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
    // The name stays, so that there is a moment between server and secret.
    world.client = None;
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

/// Rotates again and again, and something happens to the write of the secret each time. With another role whoever reads his secret is let in at
/// every moment; with another password for the same role, when the turn after that is over at the latest. The server is told of nothing that was
/// planned for another version of the secret.
fn interrupted(major: Major) -> Result<()> {
    for (kind, spec) in [
        ("another role", json!({"users": {"app": []}})),
        (
            "in place",
            json!({"users": {"app": []}, "usersWithInPlaceSecretRotation": ["app"]}),
        ),
    ] {
        let mut world = world(major, spec)?;
        let is_new_user = kind == "another role";
        world.client = is_new_user.then(|| "app".to_owned());
        for fault in [Fault::Lost, Fault::Overtaken, Fault::Changed, Fault::Unanswered] {
            world.now = world.now.checked_add((DAYS * 24).hours())?;
            let before = world.secret("app")?.clone();
            let verifiers = stored(&world)?;
            world.faults = vec![fault];
            let round = world.sync()?;
            let at = format!("{kind}, {fault:?}: {round:?} {:?}", world.asked);
            ensure!(world.faults.is_empty(), "it did not happen: {at}");
            ensure!(round.failures.len() == 1, "{at}");
            let now = world.secret("app")?.clone();
            let is_written = fault == Fault::Unanswered;
            ensure!((now.password != before.password) == is_written, "{at}");
            // What was read for the write was another version already: the server has heard of nothing.
            let is_untold = stored(&world)? == verifiers;
            ensure!(is_untold == (fault == Fault::Changed), "{at}");
            world.converge().with_context(|| at.clone())?;
            world.login("app", "postgres").with_context(|| at.clone())?;
            let after = world.secret("app")?;
            ensure!(after.password != before.password, "it has not rotated: {at}");
            let next: jiff::Timestamp = after.next_rotation.as_deref().unwrap_or_default().parse()?;
            ensure!(next == world.now.checked_add((DAYS * 24).hours())?, "{at}");
            let old = world.login_as(&before.username, before.password.expose(), "postgres");
            ensure!(old.is_ok() == is_new_user, "with the old one: {at}");
        }
    }
    Ok(())
}

/// All that the server knows of passwords.
fn stored(world: &World) -> Result<String> {
    world.superuser("postgres")?.run(
        "SELECT string_agg(rolname || ' ' || coalesce(rolpassword, ''), ',' ORDER BY rolname) FROM pg_authid",
    )
}

/// We log in with it ourselves: the secret comes first.
fn superuser(major: Major) -> Result<()> {
    let mut world = world(major, json!({"usersWithInPlaceSecretRotation": ["postgres"]}))?;
    for fault in [Fault::Lost, Fault::Overtaken, Fault::Unanswered] {
        world.now = world.now.checked_add((DAYS * 24).hours())?;
        let before = world.secret("postgres")?.password.clone();
        world.faults = vec![fault];
        let round = world.sync()?;
        ensure!(
            world.faults.is_empty() && round.failures.len() == 1,
            "{fault:?}: {round:?}"
        );
        world.converge().with_context(|| format!("after {fault:?}"))?;
        let after = world.secret("postgres")?;
        ensure!(after.password != before, "{fault:?}: it has not rotated");
        ensure!(
            after.previous.is_none(),
            "{fault:?}: the one before is still there"
        );
        world
            .login("postgres", "postgres")
            .with_context(|| format!("after {fault:?}"))?;
        let old = world.login_as("postgres", before.expose(), "postgres");
        ensure!(old.is_err(), "{fault:?}: the password before still works");
    }
    Ok(())
}

/// Somebody edits the secret, and it cannot be told while a rotation is due: what he wrote is not written over.
fn edited(major: Major) -> Result<()> {
    let mut world = world(major, json!({"usersWithInPlaceSecretRotation": ["postgres"]}))?;
    let before = world.secret("postgres")?.password.clone();
    world.set_password("postgres", "typed-by-a-person")?;
    world.force_rotation("postgres")?;
    // As one who has logged in before the edit.
    let place = world.place("postgres");
    let secret = world.secrets.get_mut(&place).context("no such secret")?;
    secret.previous = Some(before.clone());
    let locker = world.login_as("postgres", before.expose(), "postgres")?;
    locker.run("BEGIN; LOCK TABLE pg_catalog.pg_authid IN EXCLUSIVE MODE")?;
    let round = world.sync()?;
    ensure!(!round.failures.is_empty(), "nothing was refused: {round:?}");
    let secret = world.secret("postgres")?;
    ensure!(
        secret.password.expose() == "typed-by-a-person",
        "it rotated before the edit was in force"
    );
    ensure!(
        secret.previous.as_ref() == Some(&before),
        "the one in force is forgotten"
    );
    locker.run("ROLLBACK")?;
    world.converge()?;
    let after = world.secret("postgres")?;
    let typed = after.password.expose() == "typed-by-a-person";
    ensure!(!typed && after.previous.is_none(), "it has not rotated since");
    world.login("postgres", "postgres")?;
    Ok(())
}

fn many(major: Major) -> Result<()> {
    let users: serde_json::Map<_, _> = (0..12).map(|number| (format!("u{number}"), json!([]))).collect();
    let options = Options::default().with("log_connections", "on");
    let mut world = World::start_with(major, json!({"users": users}), &options)?;
    world.config.users.enable_password_rotation = true;
    world.config.users.password_rotation_interval = 30;
    world.converge()?;
    let entered = |world: &World| {
        let log = world.server.log();
        let of_ours = |line: &&str| line.contains("connection authorized") && line.contains("=pgherd");
        log.lines().filter(of_ours).count()
    };
    world.now = world.now.checked_add((DAYS * 24).hours())?;
    let before = entered(&world);
    let round = world.sync()?;
    ensure!(round.steps.len() == 12 && round.failures.is_empty(), "{round:?}");
    let entered = entered(&world) - before;
    ensure!(entered == 2, "{entered} connections: one to read, one to write");
    for number in 0..12 {
        world.login(&format!("u{number}"), "postgres")?;
    }
    ensure!(world.sync()?.is_quiet());
    Ok(())
}
