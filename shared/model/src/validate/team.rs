//! `PostgresTeam` objects under review: what the controller, like Zalando's operator, puts up with and a user would want to know
//! (zalando-behaviour 1.3, 4.11). The objects of a namespace are one map together, so a circle can run through several of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Check, Example, Excuses, Found, Hit, Review, Rule,
    Severity::{Deny, Warn},
    When::Changed,
    policy::Policy,
    ratchet, unreadable,
};
use crate::{
    api::{
        self,
        team::{PostgresTeam, PostgresTeamSpec},
    },
    config::OperatorConfig,
};

/// A team object under review.
pub(super) struct Subject<'a> {
    spec: &'a PostgresTeamSpec,
    /// The other objects.
    others: &'a [PostgresTeamSpec],
    config: &'a OperatorConfig,
}

/// Team to what is listed under it.
type Lists = BTreeMap<String, Vec<String>>;

/// Reviews a `PostgresTeam` that is being stored, with the stored one on an update. `others` are the objects that its lists are read
/// together with, itself not needed; those that cannot be read are left out.
pub fn team(new: &Value, old: Option<&Value>, others: &[Value], config: &OperatorConfig) -> Review {
    if !new
        .pointer("/metadata/deletionTimestamp")
        .unwrap_or(&Value::Null)
        .is_null()
    {
        return Review::default();
    }
    let name = |object: &Value| object.pointer("/metadata/name").cloned();
    let others: Vec<PostgresTeamSpec> = others
        .iter()
        .filter(|other| name(other) != name(new))
        .filter_map(|other| Some(api::decode::<PostgresTeam>(other).ok()?.spec))
        .collect();
    let found = hits(new, &others, config);
    let excuses = match old {
        Some(old) => {
            let stored = ratchet::Broken::all(&hits(old, &others, config), old);
            ratchet::excused(&found, new, stored, old)
        }
        None => Excuses::default(),
    };
    Policy::of(config).settle(found, old.is_some(), &excuses)
}

pub(super) fn hits(object: &Value, others: &[PostgresTeamSpec], config: &OperatorConfig) -> Found {
    let team = match api::decode::<PostgresTeam>(object) {
        Ok(team) => team,
        Err(error) => {
            let rule = RULES.iter().find(|rule| matches!(rule.check, Check::Decode));
            let hit = Hit::new(error.path, unreadable::words(&error.message));
            return rule.map(|rule| (rule, hit)).into_iter().collect();
        }
    };
    let subject = Subject {
        spec: &team.spec,
        others,
        config,
    };
    let found = RULES.iter().flat_map(|rule| match rule.check {
        Check::Team(check) => check(&subject).into_iter().map(|hit| (rule, hit)).collect(),
        _ => Vec::new(),
    });
    found.collect()
}

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "PGT-001",
        paths: &["."],
        severity: Deny,
        when: Changed,
        demand: "Every field of a `PostgresTeam` has the type of the schema.",
        reason: "Such an object cannot be read at all.",
        accepts: Example::of("spec: {additionalMembers: {acid: [ann]}}"),
        rejects: Example::of("spec: {additionalMembers: [ann]}"),
        since: "0.1",
        fixed: true,
        check: Check::Decode,
    },
    Rule {
        id: "PGT-002",
        paths: &["spec.additionalTeams", "spec.additionalSuperuserTeams"],
        severity: Warn,
        when: Changed,
        demand: "A team is not listed under itself.",
        reason: "Its members are members already; such an entry does nothing.",
        accepts: Example::of("spec: {additionalTeams: {acid: [ops]}}"),
        rejects: Example::of("spec: {additionalTeams: {acid: [acid]}}"),
        since: "0.1",
        fixed: false,
        check: Check::Team(no_team_under_itself),
    },
    Rule {
        id: "PGT-003",
        paths: &["spec.additionalTeams", "spec.additionalSuperuserTeams"],
        severity: Warn,
        when: Changed,
        demand: "Teams do not contain each other in a circle, over all objects.",
        reason: "All teams of a circle get the members of all: one list would say it more plainly, if it is meant.",
        accepts: Example::of("spec: {additionalTeams: {acid: [ops], ops: [night]}}"),
        rejects: Example::of("spec: {additionalTeams: {acid: [ops], ops: [acid]}}"),
        since: "0.1",
        fixed: false,
        check: Check::Team(no_circles),
    },
    Rule {
        id: "PGT-004",
        paths: &["spec.additionalTeams", "spec.additionalSuperuserTeams", "spec.additionalMembers"],
        severity: Warn,
        when: Changed,
        demand: "Nobody is listed twice under a team.",
        reason: "The second entry does nothing; often another name was meant.",
        accepts: Example::of("spec: {additionalMembers: {acid: [ann, bob]}}"),
        rejects: Example::of("spec: {additionalMembers: {acid: [ann, ann]}}"),
        since: "0.1",
        fixed: false,
        check: Check::Team(nobody_twice),
    },
    Rule {
        id: "PGT-005",
        paths: &["spec.additionalTeams", "spec.additionalSuperuserTeams", "spec.additionalMembers"],
        severity: Warn,
        when: Changed,
        demand: "Teams and members have names.",
        reason: "An empty name is a slip of a template, mostly. A member without a name cannot become a role.",
        accepts: Example::of("spec: {additionalMembers: {acid: [ann]}}"),
        rejects: Example::of(r#"spec: {additionalMembers: {acid: [""]}}"#),
        since: "0.1",
        fixed: false,
        check: Check::Team(all_have_names),
    },
    Rule {
        id: "PGT-006",
        paths: &["spec", "spec.additionalSuperuserTeams"],
        severity: Warn,
        when: Changed,
        demand: "The operator reads what the object says (`enable_postgres_team_crd`, `enable_postgres_team_crd_superusers`).",
        reason: "With the switches off, the object does nothing, or names no superusers.",
        accepts: Example::of("spec: {additionalMembers: {acid: [ann]}}"),
        rejects: Example::of("spec: {additionalMembers: {acid: [ann]}}").under(&[("enable_postgres_team_crd", "false")]),
        since: "0.1",
        fixed: false,
        check: Check::Team(somebody_reads),
    },
    Rule {
        id: "PGT-007",
        paths: &["spec.additionalMembers"],
        severity: Warn,
        when: Changed,
        demand: "Members have names that are free: not the superuser, the replication role or a protected one.",
        reason: "Such a member is left out.",
        accepts: Example::of("spec: {additionalMembers: {acid: [ann]}}"),
        rejects: Example::of("spec: {additionalMembers: {acid: [postgres]}}"),
        since: "0.1",
        fixed: false,
        check: Check::Team(names_are_free),
    },
];

const TEAMS: &str = "spec.additionalTeams";
const SUPERUSERS: &str = "spec.additionalSuperuserTeams";
const MEMBERS: &str = "spec.additionalMembers";

fn lists(spec: &PostgresTeamSpec) -> [(&'static str, &Lists); 3] {
    [
        (SUPERUSERS, &spec.additional_superuser_teams),
        (TEAMS, &spec.additional_teams),
        (MEMBERS, &spec.additional_members),
    ]
}

/// The lists of teams, without that of members.
fn team_lists(spec: &PostgresTeamSpec) -> impl Iterator<Item = (&'static str, &Lists)> {
    lists(spec).into_iter().take(2)
}

/// Every entry of some lists: its path, the team that it stands under, and itself.
fn entries<'a>(
    lists: impl Iterator<Item = (&'static str, &'a Lists)>,
) -> impl Iterator<Item = (String, &'a str, &'a str)> {
    let of_team = |path: &'static str, team: &'a str, names: &'a [String]| {
        let entry = move |(index, name): (usize, &'a String)| {
            (format!("{path}.{team}[{index}]"), team, name.as_str())
        };
        names.iter().enumerate().map(entry)
    };
    lists.flat_map(move |(path, lists)| {
        lists
            .iter()
            .flat_map(move |(team, names)| of_team(path, team, names))
    })
}

fn no_team_under_itself(subject: &Subject<'_>) -> Vec<Hit> {
    let own = entries(team_lists(subject.spec)).filter(|(_, team, name)| team == name);
    own.map(|(path, team, _)| Hit::new(path, format!("{team:?} stands under itself: it does nothing")))
        .collect()
}

/// Circles that run through an entry of the object under review, each once.
fn no_circles(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (number, (path, lists)) in team_lists(subject.spec).enumerate() {
        let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let of_others = subject
            .others
            .iter()
            .filter_map(|other| team_lists(other).nth(number));
        let own = std::iter::once((path, lists));
        for (_, team, name) in entries(own.clone().chain(of_others)) {
            all.entry(team).or_default().insert(name);
        }
        let mut told: BTreeSet<&str> = BTreeSet::new();
        let mut patience = PATIENCE;
        for (path, team, name) in entries(own).filter(|(_, team, name)| team != name) {
            if told.contains(team) && told.contains(name) {
                continue;
            }
            if let Some(circle) = way(&all, name, team, &mut patience) {
                let message = format!("{team} → {}: each gets the members of all", circle.join(" → "));
                hits.push(Hit::new(path, message));
                told.extend(circle);
            }
        }
    }
    hits
}

/// So many teams are looked at in the search for circles: an object of a megabyte must not cost minutes.
const PATIENCE: usize = 100_000;

/// The shortest way from one team to another, both included.
fn way<'a>(
    all: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    from: &'a str,
    to: &str,
    patience: &mut usize,
) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, Option<&'a str>> = BTreeMap::from([(from, None)]);
    let mut next = std::collections::VecDeque::from([from]);
    while let Some(team) = next.pop_front() {
        if team == to {
            let steps = std::iter::successors(Some(team), |team| before.get(team).copied().flatten());
            let mut way: Vec<&str> = steps.collect();
            way.reverse();
            return Some(way);
        }
        for listed in all.get(team).into_iter().flatten().copied() {
            if !before.contains_key(listed) && *patience > 0 {
                *patience -= 1;
                before.insert(listed, Some(team));
                next.push_back(listed);
            }
        }
    }
    None
}

fn nobody_twice(subject: &Subject<'_>) -> Vec<Hit> {
    let mut seen = BTreeSet::new();
    let mut hits = Vec::new();
    for (path, _, name) in entries(lists(subject.spec).into_iter()) {
        let list = path
            .rsplit_once('[')
            .map_or(path.as_str(), |(list, _)| list)
            .to_owned();
        if !name.is_empty() && !seen.insert((list, name)) {
            hits.push(Hit::new(path, format!("{name:?} stands in the list already")));
        }
    }
    hits
}

fn all_have_names(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (path, lists) in lists(subject.spec) {
        let nameless = lists.keys().filter(|team| team.trim().is_empty());
        hits.extend(nameless.map(|team| Hit::new(path, format!("{team:?} is no name of a team"))));
    }
    let nameless = entries(lists(subject.spec).into_iter()).filter(|(_, _, name)| name.trim().is_empty());
    hits.extend(nameless.map(|(path, _, name)| Hit::new(path, format!("{name:?} is no name"))));
    hits
}

fn somebody_reads(subject: &Subject<'_>) -> Vec<Hit> {
    let switches = &subject.config.teams_api;
    if !switches.enable_postgres_team_crd {
        let message = "is not read: the operator's enable_postgres_team_crd is false";
        return vec![Hit::new("spec", message)];
    }
    if switches.enable_postgres_team_crd_superusers || subject.spec.additional_superuser_teams.is_empty() {
        return Vec::new();
    }
    let message = "is not read: the operator's enable_postgres_team_crd_superusers is false";
    vec![Hit::new(SUPERUSERS, message)]
}

fn names_are_free(subject: &Subject<'_>) -> Vec<Hit> {
    let (users, teams) = (&subject.config.users, &subject.config.teams_api);
    let is_taken = |name: &str| {
        name == users.super_username
            || name == users.replication_username
            || teams.protected_role_names.iter().any(|taken| taken == name)
    };
    let members = entries(std::iter::once((MEMBERS, &subject.spec.additional_members)));
    members
        .filter(|(_, _, name)| is_taken(name))
        .map(|(path, _, name)| Hit::new(path, format!("{name:?} is left out: the name is not free")))
        .collect()
}

#[cfg(test)]
mod tests;
