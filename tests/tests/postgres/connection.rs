//! How the operator enters a server: TLS, pinned settings, its lock.

use anyhow::{Result, ensure};
use pgherd_controller::sql::{SqlError, Trust};
use pgherd_tests::postgres::{Major, Options};
use serde_json::json;

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "connection: certificates are verified as far as is asked",
        certificates,
    ),
    (
        "connection: a second operator waits and is named",
        second_operator,
    ),
    ("connection: who is no operator cannot hold us up", no_operator),
    (
        "connection: a shared lock of a stranger does not hide an operator",
        shared_lock,
    ),
    ("connection: a standby is not provisioned", standby),
];

fn certificates(major: Major) -> Result<()> {
    let world = World::start(major, json!({}))?;
    let enter = |trust: Trust, service: &str| {
        let mut server = world.entrance()?;
        server.trust = trust;
        service.clone_into(&mut server.target.service);
        anyhow::Ok(
            world
                .runtime
                .block_on(server.open("postgres"))
                .map(|session| session.version),
        )
    };
    let authority = world.server.authority.as_str();
    let stranger = World::start(major, json!({}))?.server.authority.clone();
    ensure!(enter(Trust::anybody()?, "localhost")?? / 10_000 == major.number());
    ensure!(enter(Trust::authority(authority, true)?, "localhost")?.is_ok());
    // The certificate is for localhost, not for its address.
    ensure!(enter(Trust::authority(authority, false)?, "127.0.0.1")?.is_ok());
    ensure!(enter(Trust::authority(authority, true)?, "127.0.0.1")?.is_err());
    ensure!(enter(Trust::authority(&stranger, false)?, "localhost")?.is_err());
    ensure!(Trust::authority("no certificate", true).is_err());
    Ok(())
}

/// The lock's numbers, as any other operator of this kind takes them.
const HOLD: &str = "SELECT pg_advisory_lock(1885825138, 1)";

fn second_operator(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({"users": {"app": []}}))?;
    let held = world.superuser("postgres")?;
    held.run(HOLD)?;
    let plan = world.plan()?;
    ensure!(!plan.steps.is_empty());
    let entrance = world.entrance()?;
    let error = world
        .runtime
        .block_on(async { entrance.open("postgres").await?.lock().await });
    let Err(SqlError::Locked { holder, .. }) = error else {
        anyhow::bail!("expected to be locked out, got {error:?}");
    };
    ensure!(holder.contains("postgres at"), "{holder}");
    held.run("SELECT pg_advisory_unlock_all()")?;
    drop(held);
    world.converge()?;
    world.login("app", "postgres")?;
    Ok(())
}

fn no_operator(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({"users": {"app": []}}))?;
    world.converge()?;
    let held = world.login("app", "postgres")?;
    held.run(HOLD)?;
    let entrance = world.entrance()?;
    world
        .runtime
        .block_on(async { entrance.open("postgres").await?.lock().await })?;
    Ok(())
}

/// A stranger's shared lock, and numbers that only look alike.
fn shared_lock(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({"users": {"app": []}}))?;
    world.converge()?;
    let stranger = world.login("app", "postgres")?;
    stranger.run(
        "SELECT pg_advisory_lock_shared(1885825138, 1), pg_advisory_lock((1885825138::bigint << 32) + 1)",
    )?;
    let enter = || {
        let entrance = world.entrance()?;
        anyhow::Ok(
            world
                .runtime
                .block_on(async { entrance.open("postgres").await?.lock().await }),
        )
    };
    enter()??;
    let operator = world.superuser("postgres")?;
    operator.run("SELECT pg_advisory_lock_shared(1885825138, 1)")?;
    let second = enter()?;
    ensure!(
        matches!(&second, Err(SqlError::Locked { holder, .. }) if holder.contains("postgres at")),
        "{second:?}"
    );
    Ok(())
}

fn standby(major: Major) -> Result<()> {
    let options = Options {
        is_standby: true,
        ..Options::default()
    };
    let world = World::start_with(major, json!({"users": {"app": []}}), &options)?;
    let entrance = world.entrance()?;
    let opened = world.runtime.block_on(entrance.open("postgres"));
    ensure!(matches!(opened, Err(SqlError::NotPrimary { .. })), "{opened:?}");
    let plan = world.plan()?;
    ensure!(
        plan.holds
            .iter()
            .any(|hold| hold.to_string().contains("in recovery")),
        "{:?}",
        plan.holds
    );
    Ok(())
}
