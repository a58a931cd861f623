//! From where roles come to the database, on real pods: an edited secret, infrastructure roles, teams. No restart, no turn that anybody asks for.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::Test;
use super::stage::{NAMESPACE, Stage, manifest};

pub(crate) const TESTS: &[Test] = &[("secrets_and_teams_reach_the_database", reach_the_database)];

const CLUSTER: &str = "it-secrets";
const ROBOTS: &str = "it-robots";
const TEAM: &str = "it-team";
/// How long somebody who edits has to wait by the promise, which is printed; later than the limit it is something else than the watch that acts.
const SECONDS: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_mins(1);

fn reach_the_database(stage: &Stage) -> Result<()> {
    let more = "teamId: it\nusers:\n  app: []\ndatabases:\n  shop: app";
    stage.kubectl().apply(&manifest(CLUSTER, 1, more))?;
    let ready = stage.wait_until_ready(CLUSTER, 1);
    let outcome = ready
        .and_then(|()| edited(stage))
        .and_then(|()| robots(stage))
        .and_then(|()| teams(stage));
    let cleaned = stage.configure(&json!({
        "infrastructure_roles_secret_name": null, "enable_postgres_team_crd": null,
    }));
    stage.kubectl().run(&format!(
        "-n {NAMESPACE} delete secret {ROBOTS} --ignore-not-found"
    ))?;
    stage.kubectl().run(&format!(
        "-n {NAMESPACE} delete postgresteam {TEAM} --ignore-not-found"
    ))?;
    let deleted = stage.delete(CLUSTER);
    outcome?;
    cleaned?;
    deleted
}

fn set_password(stage: &Stage, secret: &str, key: &str, password: &str) -> Result<()> {
    let patch = format!("{{\"stringData\":{{\"{key}\":\"{password}\"}}}}");
    let arguments = [
        "-n",
        NAMESPACE,
        "patch",
        "secret",
        secret,
        "--type=merge",
        "-p",
        &patch,
    ];
    stage.kubectl().call(arguments).output()?;
    Ok(())
}

/// Tries until it succeeds; how long that took.
fn until(what: &str, mut attempt: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    loop {
        let outcome = attempt();
        if matches!(outcome, Ok(true)) {
            let (took, goal) = (start.elapsed().as_secs_f32(), SECONDS.as_secs());
            eprintln!("{what}: {took:.1} s (goal: {goal} s)");
            return Ok(());
        }
        if start.elapsed() > LIMIT {
            return outcome
                .and_then(|_| anyhow::bail!("no"))
                .with_context(|| format!("{what}: not within {} s", LIMIT.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn exists(stage: &Stage, role: &str) -> Result<bool> {
    let sql = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}';");
    Ok(stage.sql(CLUSTER, "app", "shop", &sql)? == "1")
}

fn edited(stage: &Stage) -> Result<()> {
    let secret = pgherd_tests::psql::secret_name(CLUSTER, "app");
    let logs_in = || Ok(stage.sql(CLUSTER, "app", "shop", "SELECT 1;")? == "1");
    until("the first password is in force after", logs_in)?;
    for turn in 1..=3 {
        set_password(stage, &secret, "password", &format!("typed-by-a-person-{turn}"))?;
        until("an edited password is in force after", logs_in)?;
    }
    Ok(())
}

fn robots(stage: &Stage) -> Result<()> {
    stage.kubectl().apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {ROBOTS}\n  namespace: {NAMESPACE}\nstringData:\n  user1: robot\n  \
         password1: first\n  inrole1: app\n"
    ))?;
    stage.configure(&json!({ "infrastructure_roles_secret_name": format!("{NAMESPACE}/{ROBOTS}") }))?;
    let logs_in = || Ok(stage.sql(CLUSTER, "robot", "shop", "SELECT pg_has_role('app', 'MEMBER');")? == "t");
    until("a role of infrastructure is there after", logs_in)?;
    set_password(stage, ROBOTS, "password1", "second")?;
    let secret = pgherd_tests::psql::secret_name(CLUSTER, "robot");
    until("its changed password is copied after", || {
        let object = format!("-n {NAMESPACE} secret/{secret}");
        // "second", as the API server shows it.
        Ok(stage.kubectl().value(&object, ".data.password")? == "c2Vjb25k")
    })?;
    until("and in force after", logs_in)?;
    set_password(stage, ROBOTS, "user2", "droid")?;
    set_password(stage, ROBOTS, "password2", "third")?;
    until("another role is there after", || exists(stage, "droid"))
}

fn teams(stage: &Stage) -> Result<()> {
    stage.configure(&json!({ "enable_postgres_team_crd": "true" }))?;
    stage.kubectl().apply(&format!(
        "apiVersion: acid.zalan.do/v1\nkind: PostgresTeam\nmetadata:\n  name: {TEAM}\n  namespace: {NAMESPACE}\nspec:\n  \
         additionalMembers:\n    it: [elephant]\n"
    ))?;
    until("a member of the team is there after", || {
        exists(stage, "elephant")
    })?;
    let patch = "{\"spec\":{\"additionalMembers\":{\"it\":[\"elephant\",\"mammoth\"]}}}";
    let arguments = [
        "-n",
        NAMESPACE,
        "patch",
        "postgresteam",
        TEAM,
        "--type=merge",
        "-p",
        patch,
    ];
    stage.kubectl().call(arguments).output()?;
    until("a second one after", || exists(stage, "mammoth"))
}
