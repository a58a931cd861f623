//! Where nothing differs nothing is written: seen by the server, not by us.

use anyhow::{Context as _, Result, ensure};
use jiff::ToSpan as _;
use pgherd_model::cluster::RoleSources;
use pgherd_model::source::Source;
use pgherd_tests::postgres::{Major, Options};
use serde_json::{Value, json};

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "quiet: twenty turns after convergence leave no trace",
        twenty_turns,
    ),
    (
        "quiet: so do what others define, rotation, md5, poolers and policies",
        others,
    ),
    ("quiet: a parameter may be spelled in any way", spellings),
];

/// Something of every kind.
pub(crate) fn everything() -> Value {
    json!({
        "users": {"app": ["createdb"], "audit": ["replication", "bypassrls", "noinherit"], "apps.o": [], "batch": ["nologin"]},
        "databases": {"shop": "app", "archive": "audit"},
        "preparedDatabases": {
            "bar": {"defaultUsers": true, "extensions": {"pg_trgm": "data", "hstore": "public"},
                "schemas": {"data": {}, "history": {"defaultUsers": true, "defaultRoles": true}, "public": {}}},
            "plain": {"schemas": {"only": {"defaultRoles": false}}},
        },
        "userOptions": {
            "app": {"connectionLimit": 7, "validUntil": "2040-01-31T00:00:00Z", "memberOf": ["batch"],
                "parameters": {"timezone": "UTC", "Work_Mem": "8MB", "search_path": "Data, \"Odd\"", "my.Text": "x"}},
            "batch": {"parameters": {"datestyle": "ISO, DMY", "sort_mem": "9MB"}},
        },
        "databaseOptions": {"shop": {"connectionLimit": 9}, "archive": {"encoding": "LATIN1", "locale": "C", "template": "template0"}},
    })
}

/// The rows that any statement about a role or a database changes, with the transactions that wrote them, and the last transaction of all.
const STATE: &str = "SELECT json_build_object(
    'roles', (SELECT json_agg((rolname, xmin::text, rolpassword) ORDER BY rolname) FROM pg_authid),
    'members', (SELECT json_agg((roleid, member, xmin::text) ORDER BY roleid, member) FROM pg_auth_members),
    'settings', (SELECT json_agg((setrole, setconfig, xmin::text) ORDER BY setrole) FROM pg_db_role_setting),
    'databases', (SELECT json_agg((datname, xmin::text) ORDER BY datname) FROM pg_database),
    'next', pg_snapshot_xmax(pg_current_snapshot())::text)";

const WRITES: &str = "SELECT coalesce(string_agg(query, '; '), '') FROM pg_stat_statements
    WHERE query !~* '^\\s*(SELECT|WITH|SHOW)'";

fn twenty_turns(major: Major) -> Result<()> {
    let options = Options::default()
        .with("autovacuum", "off")
        .with("log_statement", "all");
    let mut world = World::start_with(major, everything(), &options)?;
    world.config.users.additional_owner_roles = vec!["cron_admin".to_owned()];
    let rounds = world.converge()?;
    ensure!(rounds.len() <= 2, "{} rounds", rounds.len());
    leave_no_trace(&mut world)
}

/// The kinds that do not go together with those, or come from elsewhere than the manifest.
fn others(major: Major) -> Result<()> {
    let options = Options::default()
        .with("autovacuum", "off")
        .with("log_statement", "all");
    let spec = |users: Value| {
        json!({
            "postgresql": {"version": major.number().to_string(), "parameters": {"password_encryption": "md5"}},
            "users": users,
            "usersWithSecretRotation": ["app"],
            "usersWithInPlaceSecretRotation": ["audit"],
            "databases": {"shop": "app"},
            "preparedDatabases": {"bar": {"grantExisting": true, "schemas": {"public": {}}}},
            "removalPolicy": {"users": "revoke", "memberships": "revoke", "flags": "revoke", "databases": "drop"},
            "enableConnectionPooler": true,
        })
    };
    let mut world = World::start_with(
        major,
        spec(json!({"app": ["createdb"], "audit": [], "gone": []})),
        &options,
    )?;
    world.config.teams_api.enable_teams_api = true;
    world.config.teams_api.enable_team_superuser = true;
    world.config.teams_api.enable_team_member_deprecation = true;
    let robot = json!({"roles": [{"name": "robot", "login": true, "memberOf": ["pg_monitor"], "flags": {"createDb": true},
        "parameters": {"log_statement": "none"},
        "password": {"namespace": "apps", "name": "given", "key": "k", "inside": null}}], "findings": []});
    world.sources = RoleSources {
        infrastructure: vec![Source::Known(serde_json::from_value(robot)?)],
        ..crate::people::said(Source::Known(Some(&["jane", "joe"])))
    };
    world.converge()?;
    world
        .superuser("bar")?
        .run("CREATE TABLE public.before(a int); CREATE SEQUENCE public.\"Q\"")?;
    world.now = world.now.checked_add((24 * 100).hours())?;
    world.converge()?;
    world.provisioned = Some(crate::rights::given(&["app", "audit", "gone"], &["LOGIN"]));
    world.set_spec(spec(json!({"app": [], "audit": []})));
    world.converge()?;
    // All of it is there: otherwise there would be nothing to be quiet about.
    let told = world.superuser("postgres")?.run(
        "SELECT string_agg(rolname || ' ' || rolcanlogin || ' ' || coalesce(left(rolpassword, 3), ''), ',' ORDER BY rolname) FROM pg_authid
        WHERE rolname ~ '^(app[0-9]|audit|gone|jane|robot$|pooler)'",
    )?;
    let dated = &world.secret("app")?.username;
    let expected =
        format!("{dated} true md5,audit true md5,gone false md5,jane true ,pooler true md5,robot true md5");
    ensure!(told == expected && dated != "app", "{told} instead of {expected}");
    leave_no_trace(&mut world)
}

/// Twenty turns, seen by the server.
fn leave_no_trace(world: &mut World) -> Result<()> {
    let before = {
        let observer = world.superuser("postgres")?;
        observer.run("CHECKPOINT; SELECT public.pg_stat_statements_reset()")?;
        observer.run(STATE)?
    };
    let logged = world.server.log().len();
    for turn in 0..20 {
        let round = world.sync()?;
        ensure!(round.is_quiet(), "turn {turn}: {:?}", round.steps);
    }
    let observer = world.superuser("postgres")?;
    let after = observer.run(STATE)?;
    ensure!(before == after, "before: {before}\nafter: {after}");
    let writes = observer.run(WRITES)?;
    ensure!(writes.is_empty(), "{writes}");
    let log = world.server.log();
    let ours: Vec<&str> = log[logged..]
        .lines()
        .filter(|line| line.contains(" pgherd "))
        .collect();
    // With every statement logged, the log shows that it was us who asked, and that we only asked.
    ensure!(ours.len() >= 20 * 6, "only {} lines of ours", ours.len());
    let loud = ours
        .iter()
        .find(|line| line.contains("statement:") && !is_question(line));
    ensure!(loud.is_none(), "{loud:?}");
    Ok(())
}

fn is_question(line: &str) -> bool {
    let text = line.split_once("statement:").map_or("", |(_, text)| text.trim());
    text.is_empty() || text.starts_with("SELECT") || text.starts_with("WITH")
}

/// What the server stores under its own names, and once.
fn spellings(major: Major) -> Result<()> {
    let spec = |name: &str, value: &str| json!({"users": {"app": []}, "userOptions": {"app": {"parameters": {name: value}}}});
    let mut world = World::start(major, spec("timezone", "UTC"))?;
    for (name, value) in [
        ("timezone", "UTC"),
        ("TIMEZONE", "UTC"),
        ("DateStyle", "ISO, DMY"),
        ("intervalstyle", "iso_8601"),
        ("Work_Mem", "8MB"),
        ("sort_mem", "9MB"),
        ("My.Text", "x"),
        ("search_path", "Data, \"Odd\", \"$user\""),
        ("temp_tablespaces", ""),
    ] {
        world.set_spec(spec(name, value));
        world.converge().with_context(|| name.to_owned())?;
        let round = world.sync()?;
        ensure!(round.is_quiet(), "{name}: {round:?}");
    }
    let stored = world
        .superuser("postgres")?
        .run("SELECT array_to_string(setconfig, '; ') FROM pg_db_role_setting WHERE setdatabase = 0 AND setrole = 'app'::regrole")?;
    for item in [
        "TimeZone=UTC",
        "work_mem=9MB",
        "search_path=data, \"Odd\", \"$user\"",
    ] {
        ensure!(stored.contains(item), "{stored}");
    }
    Ok(())
}
