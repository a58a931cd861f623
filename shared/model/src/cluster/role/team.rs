//! Teams: who belongs to which, and which teams a cluster lets in (zalando-behaviour 1.3, 4.11 item 6, A.10, A.11). Lives here: PostgresTeam
//! objects merged, and what follows from them. Must not: asking the teams API.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::api::team::PostgresTeamSpec;
use crate::config::OperatorConfig;

/// All PostgresTeam objects together, by team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamMap(BTreeMap<String, Team>);

/// What PostgresTeam objects say of one team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Team {
    /// Teams whose members are superusers in its clusters.
    pub superuser_teams: BTreeSet<String>,
    /// Teams whose members are let into its clusters.
    pub additional_teams: BTreeSet<String>,
    /// Users who belong to it beside those that the teams API names.
    pub members: BTreeSet<String>,
}

/// A team whose members get roles in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AdmittedTeam {
    /// Its name.
    pub team: String,
    /// Its members become superusers.
    pub superusers: bool,
}

impl TeamMap {
    /// Merges objects; the order does not matter. A team that is only spoken of is one without anything.
    pub fn merge<'a>(objects: impl IntoIterator<Item = &'a PostgresTeamSpec>) -> Self {
        let mut teams: BTreeMap<String, Team> = BTreeMap::new();
        for object in objects {
            for (team, others) in &object.additional_superuser_teams {
                let entry = teams.entry(team.clone()).or_default();
                entry.superuser_teams.extend(others.iter().cloned());
                for other in others {
                    mention(&mut teams, other);
                }
            }
            for (team, others) in &object.additional_teams {
                let entry = teams.entry(team.clone()).or_default();
                entry.additional_teams.extend(others.iter().cloned());
                for other in others {
                    mention(&mut teams, other);
                }
            }
            for (team, members) in &object.additional_members {
                let entry = teams.entry(team.clone()).or_default();
                entry.members.extend(members.iter().cloned());
            }
        }
        Self(teams)
    }

    /// What is said of a team.
    pub fn get(&self, team: &str) -> Option<&Team> {
        self.0.get(team)
    }

    /// Every team that is spoken of.
    pub fn teams(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Teams that are let in with `team`, and those that are let in with them, and so on; never itself.
    pub fn additional_teams(&self, team: &str) -> BTreeSet<String> {
        self.reached(team, |team| &team.additional_teams)
    }

    /// Teams that are superusers where `team` is, and so on; never itself.
    pub fn superuser_teams(&self, team: &str) -> BTreeSet<String> {
        self.reached(team, |team| &team.superuser_teams)
    }

    fn reached(&self, start: &str, next: impl Fn(&Team) -> &BTreeSet<String>) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![start.to_owned()];
        while let Some(team) = open.pop() {
            for other in self.0.get(&team).into_iter().flat_map(&next) {
                if other != start && reached.insert(other.clone()) {
                    open.push(other.clone());
                }
            }
        }
        reached
    }
}

fn mention(teams: &mut BTreeMap<String, Team>, team: &str) {
    if !teams.contains_key(team) {
        teams.insert(team.to_owned(), Team::default());
    }
}

/// The teams whose members get roles in the clusters of `owner`: superuser teams first, the owning team last, each once.
pub fn admitted(owner: &str, teams: &TeamMap, config: &OperatorConfig) -> Vec<AdmittedTeam> {
    let settings = &config.teams_api;
    let mut superusers = BTreeSet::new();
    if settings.enable_postgres_team_crd && settings.enable_postgres_team_crd_superusers {
        superusers = teams.superuser_teams(owner);
    }
    superusers.extend(settings.postgres_superuser_teams.iter().cloned());
    let mut others = BTreeSet::new();
    if settings.enable_postgres_team_crd {
        others = teams.additional_teams(owner);
    }
    others.remove(owner);
    let of = |superusers: bool| move |team: String| AdmittedTeam { team, superusers };
    let mut admitted: Vec<AdmittedTeam> = superusers.iter().cloned().map(of(true)).collect();
    admitted.extend(others.difference(&superusers).cloned().map(of(false)));
    if !owner.is_empty() && !superusers.contains(owner) {
        admitted.push(AdmittedTeam {
            team: owner.to_owned(),
            superusers: settings.enable_team_superuser,
        });
    }
    admitted
}

#[cfg(test)]
mod tests;
