//! Members of teams who leave and come back. Who left is told from the database: whoever logs in, has no password, is a member of the role of all
//! people, and is wanted by nobody. Their roles are renamed, so that what they own stays (zalando-behaviour 4.11, role sync 7).

use pgherd_model::cluster::{Role, RoleOrigin};
use pgherd_model::names::roles::is_reserved;
use pgherd_model::units::sql::IDENTIFIER_LIMIT;

use super::Scene;
use crate::observed::{Observed, RoleView};
use crate::plan::provision::{Group, Wanted};
use crate::plan::{HoldReason, Matter, Verb};
use crate::sql::{RoleFlags, Statement, Subject};

/// So many may leave at once, whoever stays.
const FEW: usize = 2;

/// The name and the role under which somebody who is back was put away.
pub(super) fn put_away<'a>(scene: &Scene<'a>, role: &Role) -> Option<(String, &'a RoleView)> {
    let suffix = &scene.config.teams_api.role_deletion_suffix;
    if role.origin != RoleOrigin::Team || suffix.is_empty() {
        return None;
    }
    let name = format!("{}{suffix}", role.name);
    let found = scene.catalog.roles.get(&name).filter(|found| !found.login)?;
    Some((name, found))
}

/// Whether everybody who may know has said who is in which team, and what is found to be too much is taken back at all.
pub(super) fn are_heard(scene: &Scene<'_>, observed: &Observed) -> bool {
    let owner = &scene.cluster.identity.team;
    let answer = || observed.role_sources.tell_who_left(owner, scene.config);
    scene.config.teams_api.enable_team_member_deprecation && answer() == Ok(true)
}

/// Those who left, as long as every source was heard. Only such roles are taken for people as we make for them.
pub(super) fn who_left(scene: &Scene<'_>, observed: &Observed) -> Wanted {
    let mut wanted = Wanted::default();
    let (stay, left): (Vec<&str>, Vec<&str>) =
        people(scene).partition(|name| scene.cluster.role(name).is_some());
    let Some(first) = left
        .first()
        .filter(|_| scene.config.teams_api.enable_team_member_deprecation)
    else {
        return wanted;
    };
    let matter = Matter::People {
        first: (*first).to_owned(),
        others: left.len() - 1,
    };
    let owner = &scene.cluster.identity.team;
    match observed.role_sources.tell_who_left(owner, scene.config) {
        Ok(true) if left.len() > FEW && left.len() > stay.len() => {
            let group = &scene.config.teams_api.pam_role_name;
            let why = format!(
                "most people would lose their login at once; revoke {group} from those who have left"
            );
            wanted.hold(matter, HoldReason::Conflict(why));
        }
        Ok(true) => left.iter().for_each(|name| put_off(scene, name, &mut wanted)),
        Ok(false) => {}
        Err((source, why)) => wanted.hold(matter, HoldReason::Unheard { source, why }),
    }
    wanted
}

/// Whoever logs in without a password of ours, as a member of the role of all people. Robots and users of manifests have one.
fn people<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a str> {
    let settings = &scene.config.teams_api;
    let (group, suffix) = (&settings.pam_role_name, &settings.role_deletion_suffix);
    let is_away = move |name: &str| !suffix.is_empty() && name.ends_with(suffix.as_str());
    let is_person = move |name: &str, found: &RoleView| {
        found.login && found.passwordless && found.member_of.contains_key(group) && !is_away(name)
    };
    let config = scene.config;
    let roles = scene.catalog.roles.iter();
    roles
        .filter(move |(name, found)| is_person(name, found) && !is_reserved(name, config))
        .map(|(name, _)| name.as_str())
}

/// No login, no superuser, and another name.
fn put_off(scene: &Scene<'_>, name: &str, wanted: &mut Wanted) {
    let suffix = &scene.config.teams_api.role_deletion_suffix;
    let found = scene.catalog.roles.get(name);
    let mut statements = vec![Statement::RemoveFlags {
        role: name.to_owned(),
        flags: RoleFlags {
            login: true,
            // Who is back gets it again from a team that has it.
            superuser: found.is_some_and(|found| found.superuser),
            ..RoleFlags::default()
        },
    }];
    let away = format!("{name}{suffix}");
    if away.len() > IDENTIFIER_LIMIT || scene.catalog.roles.contains_key(&away) {
        let why = HoldReason::Conflict(format!("{away} cannot be its name, or is that of another role"));
        let matter = Matter::Object(Verb::Rename, Subject::Role(name.to_owned()));
        wanted.hold(matter, why);
    } else if !suffix.is_empty() {
        statements.push(Statement::RenameRole {
            role: name.to_owned(),
            name: away,
        });
    }
    wanted.groups.push(Group {
        reason: crate::plan::Reason::Left,
        ..Group::of(Subject::Role(name.to_owned()), statements)
    });
}
