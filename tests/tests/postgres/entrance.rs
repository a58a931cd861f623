//! The superuser's own secret: who edits it does not lock the operator out that remembers the password before, and one that does not is told
//! what to do.

use anyhow::{Context as _, Result, ensure};
use pgherd_model::secret::Secret;
use pgherd_tests::postgres::{Major, SUPERUSER, SUPERUSER_PASSWORD};
use serde_json::json;

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[("entrance: the superuser's secret is edited", edited)];

fn edited(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({"users": {"app": []}}))?;
    world.converge()?;
    world.set_password(SUPERUSER, "typed-by-a-person")?;
    let error = world
        .catalog()
        .err()
        .context("it logs in with a wrong password")?;
    let told = format!("{error:#}");
    for words in ["SQLSTATE 28P01", "write that one into the secret"] {
        ensure!(told.contains(words), "{told}");
    }
    ensure!(!told.contains("typed-by-a-person"), "the password is told");
    // As one who has logged in before the edit.
    let place = world.place(SUPERUSER);
    let secret = world.secrets.get_mut(&place).context("no such secret")?;
    secret.previous = Some(Secret::new(SUPERUSER_PASSWORD));
    world.converge()?;
    world
        .login(SUPERUSER, "postgres")
        .context("with the edited password")?;
    ensure!(
        world.login_as(SUPERUSER, SUPERUSER_PASSWORD, "postgres").is_err(),
        "the one before still works"
    );
    ensure!(
        world.secret(SUPERUSER)?.previous.is_none(),
        "it is kept beyond its use"
    );
    Ok(())
}
