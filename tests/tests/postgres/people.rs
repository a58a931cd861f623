//! Members of teams on a real server: who leaves is put away and fetched back, and nobody else is, whatever is answered.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use pgherd_model::cluster::RoleSources;
use pgherd_planner::observed::Source;
use pgherd_tests::postgres::Major;
use serde_json::json;

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[(
    "people: only who was made as a member of a team is put away, and only by an answer",
    leave_and_come_back,
)];

/// What the teams API says of the one team.
pub(crate) fn said(answer: Source<Option<&[&str]>>) -> RoleSources {
    let answer = match answer {
        Source::Known(names) => {
            Source::Known(names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()))
        }
        Source::Unknown(why) => Source::Unknown(why),
    };
    RoleSources {
        members: BTreeMap::from([("acid".to_owned(), answer)]),
        ..RoleSources::none()
    }
}

/// Who of the group can log in, by name.
fn logins(world: &World) -> Result<String> {
    world.superuser("postgres")?.run(
        "SELECT string_agg(m.rolname, ' ' ORDER BY m.rolname) FROM pg_auth_members a
         JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid
         WHERE g.rolname = 'zalandos' AND m.rolcanlogin",
    )
}

fn leave_and_come_back(major: Major) -> Result<()> {
    let spec = json!({"users": {"app": []}, "userOptions": {"app": {"memberOf": ["zalandos"]}}});
    let mut world = World::start(major, spec)?;
    world.config.teams_api.enable_teams_api = true;
    world.config.teams_api.enable_team_member_deprecation = true;
    let superuser = world.superuser("postgres")?;
    superuser.run("CREATE ROLE dba LOGIN PASSWORD 'x' IN ROLE zalandos")?;
    superuser.run("CREATE ROLE robot LOGIN PASSWORD 'x' IN ROLE zalandos")?;
    world.sources = said(Source::Known(Some(&["jane", "joe"])));
    world.converge()?;
    let all = "app dba jane joe robot";
    ensure!(logins(&world)? == all, "{}", logins(&world)?);

    for silence in [
        said(Source::Known(None)),
        said(Source::Unknown("503".to_owned())),
        RoleSources::none(),
    ] {
        world.sources = silence;
        let round = world.sync()?;
        ensure!(round.is_quiet(), "{:?}", round.steps);
    }
    world.config.teams_api.enable_teams_api = false;
    ensure!(world.sync()?.is_quiet(), "the teams API is switched off");
    ensure!(logins(&world)? == all, "{}", logins(&world)?);

    world.config.teams_api.enable_teams_api = true;
    superuser.run("ALTER ROLE joe SUPERUSER; SET ROLE joe; CREATE TABLE kept (id int); RESET ROLE")?;
    world.sources = said(Source::Known(Some(&["jane"])));
    world.converge()?;
    ensure!(logins(&world)? == "app dba jane robot", "{}", logins(&world)?);
    let owner = superuser.run("SELECT tableowner FROM pg_tables WHERE tablename = 'kept'")?;
    ensure!(owner == "joe_deleted", "{owner}");

    world.sources = said(Source::Known(Some(&["jane", "joe"])));
    world.converge()?;
    ensure!(logins(&world)? == all, "{}", logins(&world)?);
    let is_super = superuser.run("SELECT rolsuper FROM pg_roles WHERE rolname = 'joe'")?;
    ensure!(is_super == "f", "who is back is no superuser by himself");
    Ok(())
}
