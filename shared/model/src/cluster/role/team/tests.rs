//! The vectors of zalando-behaviour A.11.

use serde_json::{Value, json};

use super::*;
use crate::cluster::tests::config_of;

fn object(spec: Value) -> PostgresTeamSpec {
    serde_json::from_value(spec).unwrap()
}

fn merged() -> TeamMap {
    TeamMap::merge(&[
        object(json!({
            "additionalSuperuserTeams": {"A": ["B", "24x7"], "B": ["A", "C", "24x7"]},
            "additionalTeams": {"A": ["C"], "B": []},
            "additionalMembers": {"24x7": ["optimusprime"], "B": ["drno"]},
        })),
        object(json!({
            "additionalSuperuserTeams": {"C": ["24x7"]},
            "additionalTeams": {"A": ["C"], "C": ["A", "B", "acid"]},
            "additionalMembers": {"acid": ["batman"]},
        })),
        object(json!({
            "additionalTeams": {"A": ["D"], "C": ["D"], "D": ["A", "B", "C"]},
            "additionalMembers": {"acid": ["batman"]},
        })),
    ])
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a11_objects_are_merged() {
    let teams = merged();
    let a = teams.get("A").unwrap();
    assert_eq!(
        (&a.superuser_teams, &a.additional_teams),
        (&set(&["B", "24x7"]), &set(&["C", "D"]))
    );
    let b = teams.get("B").unwrap();
    assert_eq!(
        (&b.superuser_teams, &b.members),
        (&set(&["A", "C", "24x7"]), &set(&["drno"]))
    );
    let c = teams.get("C").unwrap();
    assert_eq!(c.additional_teams, set(&["A", "B", "D", "acid"]));
    assert_eq!(teams.get("D").unwrap().additional_teams, set(&["A", "B", "C"]));
    assert_eq!(teams.get("24x7").unwrap().members, set(&["optimusprime"]));
    assert_eq!(teams.get("acid").unwrap().members, set(&["batman"]));
    assert_eq!(
        teams.teams().collect::<Vec<_>>(),
        ["24x7", "A", "B", "C", "D", "acid"]
    );
}

#[test]
fn a11_what_is_reached() {
    let teams = merged();
    assert_eq!(teams.additional_teams("A"), set(&["C", "D", "B", "acid"]));
    assert_eq!(teams.additional_teams("B"), set(&[]));
    assert_eq!(teams.superuser_teams("A"), set(&["B", "C", "24x7"]));
    assert_eq!(teams.superuser_teams("24x7"), set(&[]));
}

#[test]
fn superuser_teams_are_admitted_once_and_as_such() {
    let config = config_of(&[
        ("enable_postgres_team_crd", "true"),
        ("enable_postgres_team_crd_superusers", "true"),
        ("postgres_superuser_teams", "dba,C"),
    ]);
    let admitted = |owner: &str, config: &OperatorConfig| {
        admitted(owner, &merged(), config)
            .into_iter()
            .map(|team| (team.team, team.superusers))
            .collect::<Vec<_>>()
    };
    let of = |name: &str, superusers| (name.to_owned(), superusers);
    assert_eq!(
        admitted("A", &config),
        [
            of("24x7", true),
            of("B", true),
            of("C", true),
            of("dba", true),
            of("D", false),
            of("acid", false),
            of("A", false),
        ]
    );
    // A superuser team is not processed again as the owner.
    assert_eq!(
        admitted("C", &config)
            .iter()
            .filter(|(team, _)| team == "C")
            .count(),
        1
    );
    let plain = config_of(&[("enable_team_superuser", "true")]);
    assert_eq!(admitted("A", &plain), [of("A", true)]);
}
