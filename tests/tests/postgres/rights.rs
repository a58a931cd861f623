//! Attributes and memberships that are refused, lost, or count for less than they should: by real logins.

use anyhow::{Result, ensure};
use pgherd_model::api::status::{Provisioned, ProvisionedRole};
use pgherd_planner::observed::Source;
use pgherd_tests::postgres::Major;
use serde_json::{Value, json};

use crate::Test;
use crate::people::said;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    (
        "rights: what is refused goes, and what nobody speaks of stays",
        refused,
    ),
    (
        "rights: a membership counts as the manifest says, and others' decisions stay",
        memberships,
    ),
    (
        "rights: who is no superuser of a team any more is none, once all have said so",
        superusers,
    ),
    (
        "rights: an owner is a member of the additional owner roles, whoever was of whom before",
        owner_roles,
    ),
    (
        "rights: logins of prepared databases that are switched on later have all of theirs",
        late_users,
    ),
];

/// `superuser createdb createrole inherit login`, each `t` or `f`.
fn attributes(world: &World, role: &str) -> Result<String> {
    world.superuser("postgres")?.run(&format!(
        "SELECT concat_ws(' ', rolsuper, rolcreatedb, rolcreaterole, rolinherit, rolcanlogin) FROM pg_roles WHERE rolname = '{role}'"
    ))
}

/// What the status says that the manifest gave these roles.
pub(crate) fn given(roles: &[&str], flags: &[&str]) -> Provisioned {
    let role = ProvisionedRole {
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        ..ProvisionedRole::default()
    };
    Provisioned {
        roles: roles
            .iter()
            .map(|name| ((*name).to_owned(), role.clone()))
            .collect(),
        ..Provisioned::default()
    }
}

fn refused(major: Major) -> Result<()> {
    let spec = |policy: Value| json!({"users": {"app": ["nosuperuser", "nocreatedb", "noinherit", "nologin"]}, "removalPolicy": policy});
    let mut world = World::start(major, spec(json!({})))?;
    let made = "CREATE ROLE app LOGIN SUPERUSER CREATEDB CREATEROLE";
    world.superuser("postgres")?.run(made)?;
    world.converge()?;
    let found = attributes(&world, "app")?;
    ensure!(found == "f f t f t", "{found}");
    world.set_spec(spec(json!({"flags": "revoke"})));
    world.converge()?;
    let found = attributes(&world, "app")?;
    ensure!(found == "f f t f f", "{found}");
    ensure!(world.sync()?.is_quiet());
    Ok(())
}

fn memberships(major: Major) -> Result<()> {
    let spec = |flags: &[&str]| json!({"users": {"app": flags}, "userOptions": {"app": {"memberOf": ["void", "shut", "plain"]}}, "removalPolicy": {"flags": "revoke"}});
    let mut world = World::start(major, spec(&[]))?;
    let superuser = world.superuser("postgres")?;
    superuser.run("CREATE ROLE app LOGIN")?;
    for group in ["void", "shut", "plain"] {
        superuser.run(&format!(
            "CREATE ROLE {group}; CREATE TABLE public.of_{group}(a int); GRANT SELECT ON public.of_{group} TO {group}"
        ))?;
    }
    let counts_itself = major >= Major::Seventeen;
    if counts_itself {
        superuser.run("GRANT void TO app WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")?;
        superuser.run("GRANT shut TO app WITH INHERIT FALSE")?;
    }
    let reads = |world: &World| -> Result<Vec<&str>> {
        let app = world.login("app", "postgres")?;
        let may = |group: &&str| {
            app.run(&format!("SELECT count(*) FROM public.of_{group}"))
                .is_ok()
        };
        Ok(["void", "shut", "plain"].into_iter().filter(may).collect())
    };
    world.provisioned = Some(given(&["app"], &["LOGIN", "NOINHERIT"]));
    world.converge()?;
    let expected: &[&str] = if counts_itself {
        &["void", "plain"]
    } else {
        &["void", "shut", "plain"]
    };
    ensure!(reads(&world)? == expected, "{:?}", reads(&world)?);
    for (flags, expected) in [
        (&["inherit"] as &[&str], &["void", "shut", "plain"] as &[&str]),
        (&["noinherit"], &[]),
        // Taken back, with what it did to the memberships.
        (&[], &["void", "shut", "plain"]),
    ] {
        world.set_spec(spec(flags));
        world.converge()?;
        ensure!(reads(&world)? == expected, "{flags:?}: {:?}", reads(&world)?);
        let app = world.login("app", "postgres")?;
        for group in ["void", "shut", "plain"] {
            app.run(&format!("SET ROLE {group}"))?;
        }
        ensure!(world.sync()?.is_quiet(), "after {flags:?}");
    }
    Ok(())
}

fn superusers(major: Major) -> Result<()> {
    let mut world = World::start(major, json!({}))?;
    world.config.teams_api.enable_teams_api = true;
    world.config.teams_api.enable_team_superuser = true;
    let members = || said(Source::Known(Some(&["jane"])));
    world.sources = members();
    world.converge()?;
    let is = |world: &World| Ok::<_, anyhow::Error>(attributes(world, "jane")?.starts_with('t'));
    ensure!(is(&world)?, "jane was never a superuser");
    world.config.teams_api.enable_team_superuser = false;
    world.converge()?;
    ensure!(is(&world)?, "taken back unasked");
    world.config.teams_api.enable_team_member_deprecation = true;
    world.sources = said(Source::Unknown("503".to_owned()));
    world.converge()?;
    ensure!(is(&world)?, "taken back while nobody answers");
    world.sources = members();
    world.converge()?;
    ensure!(!is(&world)?, "jane is still a superuser");
    ensure!(attributes(&world, "jane")?.ends_with('t'), "and cannot log in");
    Ok(())
}

fn owner_roles(major: Major) -> Result<()> {
    let spec = json!({"users": {"app": [], "other": []}, "databases": {"shop": "app"},
        "preparedDatabases": {"bar": {"defaultUsers": true}}});
    let mut world = World::start(major, spec)?;
    world.config.users.additional_owner_roles = vec!["auditors".to_owned()];
    // The circle: the owner's role was granted to the role that it shall be a member of.
    world.superuser("postgres")?.run(
        "CREATE ROLE auditors; CREATE ROLE app LOGIN; GRANT app TO auditors; \
        CREATE TABLE public.audit(a int); GRANT SELECT ON public.audit TO auditors",
    )?;
    world.converge()?;
    for (user, may) in [
        ("app", true),
        ("other", false),
        ("bar_owner_user", true),
        ("bar_reader_user", false),
        ("bar_writer_user", false),
    ] {
        let client = world.login(user, "postgres")?;
        let found = client.run("SELECT count(*) FROM public.audit");
        ensure!(found.is_ok() == may, "{user}: {found:?}");
    }
    ensure!(world.sync()?.is_quiet());
    Ok(())
}

fn late_users(major: Major) -> Result<()> {
    let spec = |users: bool| json!({"preparedDatabases": {"bar": {"defaultUsers": users, "schemas": {"data": {"defaultUsers": users}}}}});
    let mut world = World::start(major, spec(false))?;
    world.converge()?;
    let make = |role: &str, table: &str| format!("SET ROLE {role}; CREATE TABLE data.{table}(a int)");
    world.superuser("bar")?.run(&make("bar_data_owner", "early"))?;
    world.set_spec(spec(true));
    world.converge()?;
    for (user, table) in [("bar_owner_user", "of_owner"), ("bar_data_owner_user", "of_data")] {
        world.login(user, "bar")?.run(&make(user, table))?;
    }
    for (user, tables) in [
        ("bar_reader_user", &["early", "of_owner"] as &[&str]),
        ("bar_writer_user", &["early", "of_owner"]),
        ("bar_data_reader_user", &["early", "of_owner", "of_data"]),
        ("bar_data_writer_user", &["early", "of_owner", "of_data"]),
    ] {
        let client = world.login(user, "bar")?;
        let may = |what: &str| -> Vec<&str> {
            let all = ["early", "of_owner", "of_data"].into_iter();
            all.filter(|table| client.run(&what.replace("{}", table)).is_ok())
                .collect()
        };
        let reads = may("SELECT count(*) FROM data.{}");
        ensure!(reads == tables, "{user} reads {reads:?}");
        let writes = may("INSERT INTO data.{} VALUES (1)");
        let expected: &[&str] = if user.contains("writer") { tables } else { &[] };
        ensure!(writes == expected, "{user} writes {writes:?}");
    }
    Ok(())
}
