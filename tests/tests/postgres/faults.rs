//! What goes wrong with servers and connections: the operator converges afterwards, or says what it lacks.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pgherd_controller::sql::statement::{Draft, groups};
use pgherd_controller::sql::{Failure, SqlError};
use pgherd_planner::sql::{Statement, Subject};
use pgherd_tests::postgres::{Major, Options};
use serde_json::{Value, json};

use crate::Test;
use crate::cutter::Cutter;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "faults: the connection is lost at every message in turn",
        every_message,
    ),
    (
        "faults: a lock that another session holds costs its role only",
        lock_held,
    ),
    ("faults: no connection is left", no_connection),
    ("faults: the disk is full", disk_full),
    (
        "faults: the primary is switched over in the middle of a turn",
        switched_over,
    ),
    (
        "faults: a turn that is late begins nothing more and says so",
        late,
    ),
    ("faults: the server restarts between turns", restart),
];

fn spec(turn: usize) -> Value {
    let name = |kind: &str| format!("{kind}{turn}");
    json!({
        "users": {name("app"): [], name("more"): ["createdb"]},
        "databases": {name("shop"): name("app")},
        "preparedDatabases": {name("bar"): {"defaultUsers": true, "schemas": {"data": {}}, "extensions": {"hstore": "public"}}},
    })
}

/// Each turn wants new roles and databases, and loses its connection one message later than the one before.
fn every_message(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({}))?;
    world.converge()?;
    let mut cutter = Cutter::start(world.server.port)?;
    let mut cuts = 0;
    for turn in 0_usize.. {
        ensure!(turn < 200, "it never gets through");
        world.set_spec(spec(turn));
        // The connection of reading is left alone: without it there is no plan, which is another trial.
        let plan = world.plan()?;
        ensure!(!plan.steps.is_empty());
        world.detour = Some(cutter.port());
        cutter.cut_after(turn);
        let round = world.sync();
        let was_cut = cutter.has_cut();
        world.detour = None;
        if !was_cut {
            let round = round?;
            ensure!(round.failures.is_empty(), "{round:?}");
            break;
        }
        cuts += 1;
        world
            .converge()
            .with_context(|| format!("after a cut at message {turn}"))?;
        for role in ["app", "more"] {
            world.login(&format!("{role}{turn}"), &format!("shop{turn}"))?;
        }
        world.login(&format!("bar{turn}_reader_user"), &format!("bar{turn}"))?;
    }
    ensure!(cuts >= 8, "only {cuts} places to cut");
    Ok(())
}

/// The connection goes in the middle of a turn, its server comes back as no primary, and is one again on another timeline: nothing is written
/// in between, and afterwards everything that the turn wanted is there, with the passwords of the secrets.
fn switched_over(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({}))?;
    world.converge()?;
    let mut cutter = Cutter::start(world.server.port)?;
    let mut cuts = 0;
    // Log-in, lock, within the transaction, before it is committed, between databases.
    for (turn, message) in [3, 6, 9, 14, 22].into_iter().enumerate() {
        let mut wanted = spec(turn);
        wanted["users"]["keeper"] = json!([]);
        world.set_spec(wanted);
        if turn > 0 {
            world.set_password("keeper", &format!("changed {turn} times"))?;
        }
        world.detour = Some(cutter.port());
        cutter.cut_after(message);
        let round = world.sync()?;
        // One that loses nothing but its farewell has not failed.
        let has_failed = !round.failures.is_empty();
        ensure!(cutter.has_cut() || !has_failed, "{round:?}");
        cuts += usize::from(has_failed);
        world.detour = None;
        world.server.demote()?;
        let waiting = world.sync()?;
        ensure!(waiting.failures.is_empty(), "{waiting:?}");
        let why = |hold: &String| hold.contains("in recovery");
        ensure!(waiting.holds.iter().any(why), "{:?}", waiting.holds);
        let wrote = |step: &String| step.contains("ROLE") || step.contains("DATABASE");
        ensure!(!waiting.steps.iter().any(wrote), "{:?}", waiting.steps);
        let promoted = world.superuser("postgres")?.run("SELECT pg_promote()")?;
        ensure!(promoted == "t", "it was not promoted");
        world
            .converge()
            .with_context(|| format!("after a switchover at message {message}"))?;
        for role in ["app", "more"] {
            world.login(&format!("{role}{turn}"), &format!("shop{turn}"))?;
        }
        world.login(&format!("bar{turn}_reader_user"), &format!("bar{turn}"))?;
        world.login("keeper", "postgres")?;
    }
    let timelines = world
        .superuser("postgres")?
        .run("SELECT timeline_id FROM pg_control_checkpoint()")?;
    ensure!(cuts >= 4 && timelines != "1", "{cuts} cuts, timeline {timelines}");
    Ok(())
}

fn late(major: Major) -> Result<()> {
    let world = World::start(major, json!({}))?;
    let made = |role: &str| Draft {
        subject: Subject::Role(role.to_owned()),
        needs: Vec::new(),
        statements: vec![(
            Statement::RenameRole {
                role: "cron_admin".to_owned(),
                name: role.to_owned(),
            },
            None,
        )],
    };
    let server = world.entrance()?;
    let (failures, failed) = world.runtime.block_on(async {
        let groups = groups(vec![made("one"), made("two")]).await?;
        let mut session = server.open("postgres").await?;
        session.until = Some(tokio::time::Instant::now());
        let mut failed = BTreeSet::new();
        anyhow::Ok((session.carry_out(&groups, &mut failed).await?, failed))
    })?;
    let put_off = |failure: &Failure| matches!(failure.error, SqlError::PutOff);
    ensure!(
        failures.len() == 2 && failures.iter().all(put_off),
        "{failures:?}"
    );
    // What needs them is not tried either.
    ensure!(failed.len() == 2, "{failed:?}");
    let there = world
        .superuser("postgres")?
        .run("SELECT count(*) FROM pg_roles WHERE rolname = 'cron_admin'")?;
    ensure!(there == "1", "{there}");
    Ok(())
}

fn lock_held(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({"users": {"app": [], "other": []}}))?;
    world.converge()?;
    world.set_password("app", "new")?;
    world.set_password("other", "new")?;
    let holder = world.superuser("postgres")?;
    holder.run("BEGIN; ALTER ROLE app CONNECTION LIMIT 7")?;
    let round = world.sync()?;
    ensure!(round.steps.len() == 2 && round.failures.len() == 1, "{round:?}");
    ensure!(round.failures[0].contains("\"app\""), "{round:?}");
    world.login_as("other", "new", "postgres")?;
    ensure!(world.login_as("app", "new", "postgres").is_err());
    holder.run("ROLLBACK")?;
    world.converge()?;
    world.login("app", "postgres")?;
    Ok(())
}

fn no_connection(major: Major) -> Result<()> {
    let options = Options::default()
        .with("max_connections", "6")
        .with("max_wal_senders", "0")
        .with("superuser_reserved_connections", "3");
    let mut world = World::start_with(major, json!({"users": {"app": []}}), &options)?;
    let mut guests = Vec::new();
    while let Ok(guest) = world.superuser("postgres") {
        guests.push(guest);
    }
    ensure!(guests.len() >= 6, "{}", guests.len());
    let holds = world.plan()?.holds;
    ensure!(
        holds.iter().any(|hold| hold.to_string().contains("53300")),
        "{holds:?}"
    );
    drop(guests);
    are_gone(&world)?;
    world.converge()?;
    world.login("app", "postgres")?;
    Ok(())
}

/// The server notices one after the other that they have left.
fn are_gone(world: &World) -> Result<()> {
    const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let left = world.superuser("postgres").and_then(|login| login.run(OTHERS));
        if matches!(left.as_deref(), Ok("0")) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "who has left is still there: {left:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn disk_full(major: Major) -> Result<()> {
    let options = Options {
        small_megabytes: Some(64),
        ..Options::default()
    };
    let users = json!({"app": [], "other": []});
    let mut world = World::start_with(major, json!({"users": users}), &options)?;
    {
        let superuser = world.superuser("postgres")?;
        // A program that ends before it has read what it is given breaks the pipe.
        superuser.run("COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; mkdir /srv/small/space'")?;
        superuser.run("CREATE TABLESPACE small LOCATION '/srv/small/space'")?;
        superuser.run("ALTER DATABASE template1 SET TABLESPACE small")?;
        let fill = "cat >/dev/null; dd if=/dev/zero of=/srv/small/rest bs=64k || true";
        superuser.run(&format!("COPY (SELECT 1) TO PROGRAM '{fill}'"))?;
    }
    world.set_spec(json!({"users": users, "databases": {"a": "app", "b": "app", "c": "other"}}));
    let round = world.sync()?;
    ensure!(round.failures.len() == 3, "the disk is too large: {round:?}");
    ensure!(
        round
            .failures
            .iter()
            .all(|failure| failure.contains("database") && failure.contains("53100")),
        "{round:?}"
    );
    world.login("app", "postgres")?;
    world.login("other", "postgres")?;
    world
        .superuser("postgres")?
        .run("ALTER DATABASE template1 SET TABLESPACE pg_default")?;
    world.converge()?;
    for database in ["a", "b", "c"] {
        world.login("app", database)?;
    }
    Ok(())
}

fn restart(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({"users": {"app": []}}))?;
    world.converge()?;
    world.set_password("app", "new")?;
    world.server.restart()?;
    world.converge()?;
    world.login("app", "postgres")?;
    Ok(())
}
