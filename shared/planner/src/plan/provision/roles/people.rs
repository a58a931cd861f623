//! Members of teams who leave and come back. Who left is told from the database: whoever logs in, is a member of the role of all people, and is
//! wanted by nobody. Their roles are renamed, so that what they own stays (zalando-behaviour 4.11, role sync 7).

use pgherd_model::cluster::{Role, RoleOrigin};
use pgherd_model::names::roles::is_reserved;
use pgherd_model::units::sql::IDENTIFIER_LIMIT;

use super::Scene;
use crate::observed::{Observed, RoleView};
use crate::plan::HoldReason;
use crate::plan::provision::{Group, Wanted};
use crate::sql::{RoleFlags, Statement, Subject};

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

/// Those who left, as long as every source was heard.
pub(super) fn who_left(scene: &Scene<'_>, observed: &Observed) -> Wanted {
    let mut wanted = Wanted::default();
    let settings = &scene.config.teams_api;
    let owner = &scene.cluster.identity.team;
    let heard = observed.role_sources.team_gaps(owner, scene.config).is_empty();
    if !settings.enable_team_member_deprecation || !heard || settings.pam_role_name.is_empty() {
        return wanted;
    }
    let suffix = &settings.role_deletion_suffix;
    let is_away = |name: &str| !suffix.is_empty() && name.ends_with(suffix.as_str());
    for (name, found) in &scene.catalog.roles {
        let is_person = found.login && found.member_of.contains_key(&settings.pam_role_name);
        let is_wanted = scene.roles.iter().any(|role| role.name == *name);
        if !is_person || is_wanted || is_away(name) || is_reserved(name, scene.config) {
            continue;
        }
        let mut statements = vec![Statement::RemoveFlags {
            role: name.clone(),
            flags: RoleFlags {
                login: true,
                ..RoleFlags::default()
            },
        }];
        let away = format!("{name}{suffix}");
        if away.len() > IDENTIFIER_LIMIT || scene.catalog.roles.contains_key(&away) {
            let why = HoldReason::Conflict(format!("{away} cannot be its name, or is that of another role"));
            wanted.hold(format!("rename role {name}"), why);
        } else if !suffix.is_empty() {
            statements.push(Statement::RenameRole {
                role: name.clone(),
                name: away,
            });
        }
        wanted.groups.push(Group {
            reason: crate::plan::Reason::Left,
            ..Group::of(Subject::Role(name.clone()), statements)
        });
    }
    wanted
}
