//! Name, team and ownership.

use super::super::{Hit, Subject};
use crate::names::{annotations::CONTROLLER, dns};

/// With the operator's switch for it, a name starts with its team.
pub(in super::super) fn name_starts_with_team(subject: &Subject<'_>) -> Vec<Hit> {
    let team = subject.spec.team_id.as_deref().unwrap_or_default();
    let name = subject.object.metadata.name.as_deref().unwrap_or_default();
    let wanted = subject.config.general.enable_team_id_clustername_prefix && !team.is_empty();
    if !wanted || dns::without_team(name, team).is_some() {
        return Vec::new();
    }
    let message = format!(
        "{name:?} must be {:?} and something more: the operator wants the team in front",
        format!("{team}-")
    );
    vec![Hit::new("metadata.name", message)]
}

/// A team is needed where names or members depend on it.
pub(in super::super) fn team_is_there(subject: &Subject<'_>) -> Vec<Hit> {
    let config = subject.config;
    let needed = config.general.enable_team_id_clustername_prefix || config.teams_api.enable_teams_api;
    if !needed || subject.spec.team_id.as_ref().is_some_and(|team| !team.is_empty()) {
        return Vec::new();
    }
    let why = if config.general.enable_team_id_clustername_prefix {
        "names start with it"
    } else {
        "members are looked up by it"
    };
    vec![Hit::new(
        "spec.teamId",
        format!("is empty; name the owning team: {why}"),
    )]
}

pub(in super::super) fn team_changes(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let (before, after) = (old.spec.team_id.as_deref(), new.spec.team_id.as_deref());
    if before == after {
        return Vec::new();
    }
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    vec![Hit::new(
        "spec.teamId",
        format!("{before:?} becomes {after:?}: objects are relabelled, pods roll, members change"),
    )]
}

pub(in super::super) fn controller_changes(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let id = |subject: &Subject<'_>| {
        let annotations = subject.object.metadata.annotations.as_ref();
        annotations
            .and_then(|annotations| annotations.get(CONTROLLER))
            .cloned()
            .unwrap_or_default()
    };
    let (before, after) = (id(old), id(new));
    if before == after {
        return Vec::new();
    }
    let message = format!("{before:?} becomes {after:?}: another operator takes over, or none");
    vec![Hit::new(format!("metadata.annotations[{CONTROLLER}]"), message)]
}
