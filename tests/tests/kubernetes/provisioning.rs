//! Roles, databases and passwords of a cluster with several members, on real pods: what is wanted is there in the end, and whoever reads a
//! secret gets in, whatever happens to the primary meanwhile.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use pgherd_tests::psql::secret_name;
use serde_json::{Map, Value, json};

use super::Test;
use super::programs::decode;
use super::rolling::{
    CLUSTER, on_member, patch, pods, seen, start, switch_over, timeline, wait_for_condition,
    wait_until_rolled,
};
use super::stage::{LONG, NAMESPACE, Stage};

pub(crate) const TESTS: &[Test] = &[
    ("the_primary_moves_amid_a_batch_of_roles", moves_amid),
    (
        "edited_passwords_of_superuser_and_replicas_reach_every_member",
        passwords_reach_members,
    ),
];

const ROLES: usize = 24;
/// One in the middle, as roles are made by their names; somebody else is about to make it as well.
const HELD: &str = "batch_12";
const DEPOT: &str = "batch_depot";

fn names() -> impl Iterator<Item = String> {
    (0..ROLES).map(|number| format!("batch_{number:02}"))
}

/// Roles, all but the first members of it, databases, and one with roles and rights of its own.
fn batch() -> Value {
    let users: Map<String, Value> = names().map(|name| (name, json!([]))).collect();
    let member = json!({"memberOf": ["batch_00"]});
    let options: Map<String, Value> = names().skip(1).map(|name| (name, member.clone())).collect();
    json!({"spec": {
        "users": users, "userOptions": options, "databases": {"batch_a": "batch_00", "batch_b": "batch_23"},
        "preparedDatabases": {DEPOT: {"defaultUsers": true, "schemas": {"data": {}}}},
    }})
}

fn taken_back() -> Value {
    let users: Map<String, Value> = names().map(|name| (name, Value::Null)).collect();
    let databases = json!({"batch_a": null, "batch_b": null});
    json!({"spec": {"users": users, "userOptions": null, "databases": databases, "preparedDatabases": null}})
}

fn moves_amid(stage: &Stage) -> Result<()> {
    start(stage)?;
    let outcome = batch_and_switchover(stage).and_then(|()| all_is_there(stage));
    // The roles stay: nobody said that they may go.
    let cleaned = patch(stage, &taken_back()).and_then(|()| seen(stage));
    outcome.and(cleaned)
}

fn batch_and_switchover(stage: &Stage) -> Result<()> {
    let (leader, before) = (stage.primary(CLUSTER)?, timeline(stage)?);
    let candidate = format!("{CLUSTER}-{}", u8::from(leader.ends_with("-0")));
    let sql = format!("BEGIN; CREATE ROLE {HELD}; SELECT pg_sleep(80)");
    thread::scope(|scope| {
        // It ends with its server.
        scope.spawn(|| on_member(stage, &leader, &sql));
        let sleeps = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{HELD}%' AND wait_event = 'PgSleep'"
        );
        until("somebody is about to make one of the roles", || {
            Ok(on_member(stage, &leader, &sleeps)? == "1")
        })?;
        patch(stage, &batch())?;
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgherd' AND wait_event_type = 'Lock'";
        until("the operator is in the middle of its batch", || {
            Ok(on_member(stage, &leader, waits)? == "1")
        })?;
        let begin = Instant::now();
        switch_over(stage, &candidate)?;
        eprintln!("{candidate} leads {:.1} s later", begin.elapsed().as_secs_f32());
        anyhow::Ok(())
    })?;
    let after = timeline(stage)?;
    ensure!(
        after == before + 1,
        "timeline {before} before and {after} after: not one switchover"
    );
    Ok(())
}

fn all_is_there(stage: &Stage) -> Result<()> {
    let begin = Instant::now();
    seen(stage)?;
    for condition in ["RolesInSync", "DatabasesInSync", "Ready"] {
        wait_for_condition(stage, condition, "True")?;
    }
    let took = begin.elapsed().as_secs_f32();
    let primary = stage.primary(CLUSTER)?;
    let ask = |sql: &str| on_member(stage, &primary, sql);
    let members = ask(
        "SELECT count(*) FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member WHERE a.roleid = 'batch_00'::regrole AND m.rolname ~ '^batch_[0-9]+$'",
    )?;
    ensure!(
        members == (ROLES - 1).to_string(),
        "{members} are members of the first"
    );
    let owners = ask(
        "SELECT string_agg(datname || '=' || pg_get_userbyid(datdba), ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'batch%'",
    )?;
    let wanted = format!("batch_a=batch_00 batch_b=batch_23 {DEPOT}={DEPOT}_owner");
    ensure!(owners == wanted, "{owners}");
    let secrets = secrets(stage)?;
    let mut wanted: Vec<String> = names().collect();
    wanted.extend(["owner", "reader", "writer"].map(|role| format!("{DEPOT}_{role}_user")));
    let logins: Vec<_> = secrets
        .into_iter()
        .filter(|(user, _)| wanted.contains(user))
        .collect();
    ensure!(
        logins.len() == wanted.len(),
        "{} secrets for {} roles",
        logins.len(),
        wanted.len()
    );
    let entered = enter(stage, &logins)?;
    let shut_out: Vec<&String> = wanted.iter().filter(|user| !entered.contains(user)).collect();
    ensure!(
        shut_out.is_empty(),
        "the secret and the server do not agree on {shut_out:?}"
    );
    rights(stage)?;
    eprintln!(
        "{} roles and three databases are there {took:.1} s after the switchover, and all secrets let in",
        wanted.len()
    );
    Ok(())
}

/// Of what the owner makes the reader may read, and no more.
fn rights(stage: &Stage) -> Result<()> {
    let (owner, reader) = (format!("{DEPOT}_owner_user"), format!("{DEPOT}_reader_user"));
    let make = format!("SET ROLE {DEPOT}_owner; CREATE TABLE data.goods AS SELECT 7 AS id;");
    stage.sql(CLUSTER, &owner, DEPOT, &make)?;
    let read = stage.sql(CLUSTER, &reader, DEPOT, "SELECT id FROM data.goods;")?;
    ensure!(read == "7", "{read:?}");
    let written = stage.sql(CLUSTER, &reader, DEPOT, "INSERT INTO data.goods VALUES (8);");
    ensure!(written.is_err(), "a reader wrote");
    Ok(())
}

/// User and password.
type Login = (String, String);

/// What the cluster's secrets say.
fn secrets(stage: &Stage) -> Result<Vec<Login>> {
    let line = format!("-n {NAMESPACE} get secrets -l cluster-name={CLUSTER} -o json");
    let listed: Value = serde_json::from_str(&stage.kubectl().run(&line)?)?;
    let items = listed["items"].as_array().into_iter().flatten();
    items
        .map(|secret| {
            let key = |key: &str| decode(secret["data"][key].as_str().context("a secret without it")?);
            Ok((key("username")?, key("password")?))
        })
        .collect()
}

/// Tries each login, through the primary's service and with TLS; those who get in.
const TRY: &str = "while read -r user PGPASSWORD; do export PGPASSWORD; \
    psql -XtAqc 'SELECT 1' \"host=$1 user=$user dbname=postgres sslmode=require connect_timeout=5\" </dev/null >/dev/null 2>&1 \
    && echo $user; done; true";

fn enter(stage: &Stage, logins: &[Login]) -> Result<Vec<String>> {
    let pod = stage.primary(CLUSTER)?;
    let host = format!("{CLUSTER}.{NAMESPACE}.svc.cluster.local");
    let lines = logins
        .iter()
        .map(|(user, password)| format!("{user} {password}\n"));
    let input = lines.collect::<Vec<_>>().concat();
    let exec = ["-n", NAMESPACE, "exec", "-i", &pod, "-c", "postgres", "--"];
    let script = ["sh", "-c", TRY, "sh", &host];
    let call = stage.kubectl().call(exec.iter().chain(&script));
    let entered = call.stdin_text(input).purpose("log in").output()?;
    Ok(entered.split_whitespace().map(str::to_owned).collect())
}

/// Both at once, as one who renews them all would do. They are read by pods as they start, so that each has to be made anew; none may be cut
/// off from the others on the way.
fn passwords_reach_members(stage: &Stage) -> Result<()> {
    const USERS: [&str; 2] = ["postgres", "standby"];
    start(stage)?;
    let (before, begin) = (pods(stage)?, Instant::now());
    let is_one = |(user, _): &Login| USERS.contains(&user.as_str());
    let old: Vec<Login> = secrets(stage)?.into_iter().filter(is_one).collect();
    ensure!(
        enter(stage, &old)?.len() == 2,
        "their passwords are not in force before"
    );
    let stamp = Timestamp::now().as_millisecond();
    let new = USERS.map(|user| (user.to_owned(), format!("typed-for-{user}-{stamp}")));
    for (user, password) in &new {
        let edit = json!({"stringData": {"password": password}}).to_string();
        let name = secret_name(CLUSTER, user);
        let words = [
            "-n",
            NAMESPACE,
            "patch",
            "secret",
            &name,
            "--type=merge",
            "-p",
            &edit,
        ];
        stage.kubectl().call(words).purpose("edit a password").output()?;
    }
    until("the edited passwords are in force", || {
        Ok(enter(stage, &new)?.len() == 2)
    })?;
    let in_force = begin.elapsed().as_secs_f32();
    wait_until_rolled(stage, &before)?;
    let streams =
        "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND usename = 'standby'";
    until("both replicas stream as the user of that password", || {
        Ok(on_member(stage, &stage.primary(CLUSTER)?, streams)? == "2")
    })?;
    eprintln!(
        "edited passwords: in force after {in_force:.1} s, known to every member after {:.1} s",
        begin.elapsed().as_secs_f32()
    );
    let entered = enter(stage, &[new.as_slice(), &old].concat())?;
    ensure!(
        entered == USERS,
        "of the new and the old passwords these let in: {entered:?}"
    );
    for condition in ["RolesInSync", "Ready"] {
        wait_for_condition(stage, condition, "True")?;
    }
    Ok(())
}

fn until(what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + LONG;
    loop {
        let outcome = is_so();
        if matches!(outcome, Ok(true)) {
            return Ok(());
        }
        if Instant::now() > end {
            let why = outcome
                .err()
                .map_or_else(String::new, |error| format!("; {error:#}"));
            bail!("not within {} s: {what}{why}", LONG.as_secs());
        }
        thread::sleep(Duration::from_millis(200));
    }
}
