//! What others say of a cluster's roles: infrastructure secrets and teams. Lives here: the value, and how its roles join those of the manifest
//! (zalando-behaviour 4.11, A.9, A.10). Must not: asking anybody.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::infrastructure::{GivenRole, InfrastructureRoles, is_possible};
use super::team::{AdmittedTeam, TeamMap, admitted};
use super::{
    ROLE_SKIPPED, Role, RoleFlag, RoleOrigin, SecretPlace, as_stored, keep_strongest, without_login,
};
use crate::cluster::Cluster;
use crate::config::OperatorConfig;
use crate::finding::Finding;
use crate::names::{Names, roles};
use crate::source::Source;
use crate::units::name::is_dns_name;

/// How a source says that nobody asked it.
pub const NOT_ASKED: &str = "not asked";

/// What was heard of roles from outside of the manifest. A source that did not answer adds no role, and takes none away.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleSources {
    /// One per definition, in the order of [`OperatorConfig::infrastructure_role_secrets`].
    pub infrastructure: Vec<Source<InfrastructureRoles>>,
    /// All PostgresTeam objects together; known and empty where they are not heeded.
    pub teams: Source<TeamMap>,
    /// What the teams API says of each admitted team; `Known(None)`: it knows no such team. Empty where it is not asked.
    pub members: BTreeMap<String, Source<Option<BTreeSet<String>>>>,
}

impl RoleSources {
    /// Nothing is configured that could say anything.
    pub fn none() -> Self {
        Self {
            teams: Source::Known(TeamMap::default()),
            ..Self::default()
        }
    }

    /// What did not answer: the source, and why.
    pub fn gaps(&self, owner: &str, config: &OperatorConfig) -> Vec<(String, String)> {
        let definitions = config.infrastructure_role_secrets();
        let mut gaps: Vec<(String, String)> = definitions
            .iter()
            .enumerate()
            .filter_map(|(index, definition)| {
                let why = match self.infrastructure.get(index) {
                    Some(source) => source.unknown()?,
                    None => NOT_ASKED,
                };
                let source = format!("infrastructure roles of {}", definition.secret_name);
                Some((source, why.to_owned()))
            })
            .collect();
        gaps.extend(self.team_gaps(owner, config));
        gaps
    }

    /// Why nobody can be taken for a former member of a team; `Ok(false)`: nobody is asked who is one.
    ///
    /// # Errors
    ///
    /// The source that did not answer, and why. A teams API that does not know a team has not said that nobody is in it, and whoever is silent
    /// about robots may define the one that looks like a person.
    pub fn tell_who_left(&self, owner: &str, config: &OperatorConfig) -> Result<bool, (String, String)> {
        let settings = &config.teams_api;
        if !settings.enable_teams_api && !settings.enable_postgres_team_crd {
            return Ok(false);
        }
        if let Some(gap) = self.gaps(owner, config).into_iter().next() {
            return Err(gap);
        }
        let none = TeamMap::default();
        let teams = self.teams.known().unwrap_or(&none);
        let unknown = admitted(owner, teams, config)
            .into_iter()
            .find(|team| matches!(self.members.get(&team.team), Some(Source::Known(None))));
        match unknown.filter(|_| settings.enable_teams_api) {
            Some(AdmittedTeam { team, .. }) => {
                let why = "the teams API knows no such team".to_owned();
                Err((format!("members of team {team}"), why))
            }
            None => Ok(true),
        }
    }

    /// What did not answer of the teams. As long as there is something, nobody is taken for a former member.
    pub fn team_gaps(&self, owner: &str, config: &OperatorConfig) -> Vec<(String, String)> {
        let teams = match &self.teams {
            Source::Known(teams) => teams,
            Source::Unknown(_) if !config.teams_api.enable_postgres_team_crd => &TeamMap::default(),
            Source::Unknown(why) => return vec![("PostgresTeam objects".to_owned(), why.clone())],
        };
        if !config.teams_api.enable_teams_api {
            return Vec::new();
        }
        let silent = |team: AdmittedTeam| {
            let why = match self.members.get(&team.team) {
                Some(Source::Known(_)) => return None,
                Some(Source::Unknown(why)) => why.clone(),
                None => NOT_ASKED.to_owned(),
            };
            Some((format!("members of team {}", team.team), why))
        };
        admitted(owner, teams, config)
            .into_iter()
            .filter_map(silent)
            .collect()
    }
}

impl Cluster {
    /// The same cluster with the roles of infrastructure and teams. What is left out because a stronger source defines it, or because it
    /// cannot be, is among the findings.
    #[must_use]
    pub fn with_roles_of(self, sources: &RoleSources, config: &OperatorConfig) -> Self {
        let names = Names::of(&self.identity.namespace, &self.identity.name, config);
        let mut findings = Vec::new();
        let mut outside = Vec::new();
        for source in sources.infrastructure.iter().filter_map(Source::known) {
            findings.extend(source.findings.iter().cloned());
            outside.extend(source.roles.iter().map(|role| of_infrastructure(role, &names)));
        }
        outside.extend(of_teams(&self.identity.team, sources, config, &mut findings));
        let taken = |role: &Role| {
            roles::is_reserved(&role.name, config)
                || (role.origin == RoleOrigin::Team
                    && config.teams_api.team_admin_role.as_deref() == Some(&role.name))
        };
        let (reserved, outside): (Vec<Role>, Vec<Role>) = outside.into_iter().partition(taken);
        for role in reserved {
            let message = format!(
                "{} {:?} is left out: the name is reserved",
                role.origin.word(),
                role.name
            );
            findings.push(Finding::new(ROLE_SKIPPED, "", message));
        }
        let roles = keep_strongest(self.roles.into_iter().chain(outside), &mut findings);
        let mut all = self.findings;
        all.extend(findings);
        all.sort();
        all.dedup();
        Self {
            roles,
            findings: all,
            ..self
        }
    }
}

fn of_infrastructure(given: &GivenRole, names: &Names) -> Role {
    let place = SecretPlace {
        namespace: names.namespace().to_owned(),
        name: names.secret(&given.name),
    };
    Role {
        login: given.login,
        flags: given.flags.clone(),
        member_of: given.member_of.clone(),
        parameters: as_stored(&given.parameters),
        secret: Some(place).filter(|place| given.password.is_some() && is_dns_name(&place.name)),
        given: given.password.clone(),
        ..without_login(&given.name, RoleOrigin::Infrastructure)
    }
}

/// One role per member, with the rights of all the teams that it is in.
fn of_teams(
    owner: &str,
    sources: &RoleSources,
    config: &OperatorConfig,
    findings: &mut Vec<Finding>,
) -> Vec<Role> {
    let settings = &config.teams_api;
    let none = TeamMap::default();
    let heeded = sources
        .teams
        .known()
        .filter(|_| settings.enable_postgres_team_crd);
    let teams = heeded.unwrap_or(&none);
    let mut members: BTreeMap<String, Role> = BTreeMap::new();
    for team in admitted(owner, teams, config) {
        let answer = sources.members.get(&team.team).and_then(Source::known);
        let asked = answer.into_iter().flatten().flatten();
        let added = teams.get(&team.team).into_iter().flat_map(|team| &team.members);
        for name in added.chain(asked.filter(|_| settings.enable_teams_api)) {
            if !is_possible(name) {
                let message = format!(
                    "team member {name:?} is left out: Postgres cannot have, or keeps for itself, a role of this name"
                );
                findings.push(Finding::new(ROLE_SKIPPED, "", message));
                continue;
            }
            let role = members
                .entry(name.clone())
                .or_insert_with(|| member(name, config));
            admit(role, &team, config);
        }
    }
    members.into_values().collect()
}

/// A person: logs in through PAM, so that there is no password.
fn member(name: &str, config: &OperatorConfig) -> Role {
    let settings = &config.teams_api;
    Role {
        login: true,
        member_of: Vec::from_iter(Some(settings.pam_role_name.clone()).filter(|role| !role.is_empty())),
        parameters: as_stored(&settings.team_api_role_configuration),
        ..without_login(name, RoleOrigin::Team)
    }
}

fn admit(role: &mut Role, team: &AdmittedTeam, config: &OperatorConfig) {
    if team.superusers {
        role.flags.insert(RoleFlag::Superuser, true);
        return;
    }
    let admin = config.teams_api.team_admin_role.as_ref();
    if let Some(admin) = admin.filter(|admin| !admin.is_empty() && !role.member_of.contains(admin)) {
        role.member_of.push(admin.clone());
    }
}

#[cfg(test)]
mod tests;
