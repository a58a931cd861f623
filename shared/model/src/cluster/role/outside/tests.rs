//! The vectors of zalando-behaviour A.9 and A.10 that need more than a manifest.

use serde_json::{Value, json};

use super::*;
use crate::cluster::tests::{config_of, parse_with};

fn given(name: &str) -> GivenRole {
    let key = super::super::SecretKey {
        namespace: "operator".to_owned(),
        name: "infrastructure".to_owned(),
        key: name.to_owned(),
        inside: None,
    };
    GivenRole {
        name: name.to_owned(),
        login: true,
        password: Some(key),
        ..GivenRole::default()
    }
}

fn infrastructure(names: &[&str]) -> RoleSources {
    let roles = names.iter().map(|name| given(name)).collect();
    let known = InfrastructureRoles {
        roles,
        ..InfrastructureRoles::default()
    };
    RoleSources {
        infrastructure: vec![Source::Known(known)],
        ..RoleSources::none()
    }
}

fn team(members: &[(&str, &[&str])]) -> RoleSources {
    let answer = |names: &[&str]| Source::Known(Some(names.iter().map(|name| (*name).to_owned()).collect()));
    RoleSources {
        members: members
            .iter()
            .map(|(team, names)| ((*team).to_owned(), answer(names)))
            .collect(),
        ..RoleSources::none()
    }
}

fn cluster(spec: Value, sources: &RoleSources, parameters: &[(&str, &str)]) -> Cluster {
    let config = config_of(parameters);
    parse_with(spec, &config).with_roles_of(sources, &config)
}

#[test]
fn a9_an_infrastructure_role_counts_more_than_a_manifest_user() {
    let found = cluster(
        json!({"users": {"app": ["createdb"]}}),
        &infrastructure(&["app"]),
        &[],
    );
    let role = found.role("app").unwrap();
    assert_eq!(role.origin, RoleOrigin::Infrastructure);
    assert!(role.flags.is_empty() && role.given.is_some());
    assert!(
        found.findings.iter().any(
            |finding| finding.path == "spec.users.app" && finding.message.contains("infrastructure role")
        )
    );
}

#[test]
fn a9_reserved_names_are_left_out_and_stronger_roles_stay() {
    let sources = infrastructure(&["postgres", "admin", "bar_owner", "pooler"]);
    let found = cluster(
        json!({"preparedDatabases": {"bar": {}}, "enableConnectionPooler": true}),
        &sources,
        &[],
    );
    assert_eq!(found.role("postgres").unwrap().origin, RoleOrigin::System);
    assert!(found.role("admin").is_none());
    assert_eq!(found.role("bar_owner").unwrap().origin, RoleOrigin::Prepared);
    assert_eq!(found.role("pooler").unwrap().origin, RoleOrigin::Pooler);
    let said: Vec<&str> = found
        .findings
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    for name in ["postgres", "admin", "bar_owner", "pooler"] {
        assert!(
            said.iter().any(|text| text.contains(&format!("{name:?}"))),
            "{name}: {said:?}"
        );
    }
}

#[test]
fn a10_members_are_people() {
    let found = cluster(
        json!({"teamId": "acid"}),
        &team(&[("acid", &["jane", "admin", "standby"])]),
        &[],
    );
    let jane = found.role("jane").unwrap();
    assert!(jane.login && jane.flags.is_empty() && jane.secret.is_none());
    assert_eq!(jane.member_of, ["zalandos", "admin"]);
    assert_eq!(jane.parameters["log_statement"], "all");
    assert!(found.role("admin").is_none());
    assert_eq!(found.role("standby").unwrap().origin, RoleOrigin::System);
}

#[test]
fn a10_superusers_of_teams() {
    let sources = team(&[("dba", &["root", "jane"]), ("acid", &["jane", "joe"])]);
    let found = cluster(
        json!({"teamId": "acid", "users": {"root": []}}),
        &sources,
        &[("postgres_superuser_teams", "dba")],
    );
    let root = found.role("root").unwrap();
    assert_eq!(
        (root.origin, root.flags[&RoleFlag::Superuser]),
        (RoleOrigin::Team, true)
    );
    assert_eq!(root.member_of, ["zalandos"]);
    // In both teams: the rights of both.
    let jane = found.role("jane").unwrap();
    assert!(jane.flags[&RoleFlag::Superuser] && jane.member_of == ["zalandos", "admin"]);
    assert!(found.role("joe").unwrap().flags.is_empty());
    let found = cluster(
        json!({"teamId": "acid"}),
        &team(&[("acid", &["joe"])]),
        &[("enable_team_superuser", "true")],
    );
    assert!(found.role("joe").unwrap().flags[&RoleFlag::Superuser]);
}

#[test]
fn a10_silence_is_a_gap_and_an_unknown_team_is_not() {
    let config = config_of(&[]);
    let silent = RoleSources {
        members: [("acid".to_owned(), Source::Unknown("500".to_owned()))].into(),
        ..RoleSources::none()
    };
    assert_eq!(
        silent.team_gaps("acid", &config),
        [("members of team acid".to_owned(), "500".to_owned())]
    );
    let nobody = RoleSources {
        members: [("acid".to_owned(), Source::Known(None))].into(),
        ..RoleSources::none()
    };
    assert!(nobody.team_gaps("acid", &config).is_empty());
    assert_eq!(RoleSources::none().team_gaps("acid", &config)[0].1, "not asked");
    let off = config_of(&[("enable_teams_api", "false")]);
    assert!(RoleSources::default().team_gaps("acid", &off).is_empty());
}

#[test]
fn of_two_robots_with_one_name_the_later_counts_and_that_is_told() {
    let robot = |login: bool| GivenRole {
        name: "robot".to_owned(),
        login,
        ..GivenRole::default()
    };
    let said = |second: GivenRole| {
        let heard = InfrastructureRoles {
            roles: vec![robot(true), second],
            findings: Vec::new(),
        };
        let sources = RoleSources {
            infrastructure: vec![Source::Known(heard)],
            ..RoleSources::none()
        };
        cluster(
            json!({"teamId": "acid"}),
            &sources,
            &[("enable_teams_api", "false")],
        )
    };
    let alike = said(robot(true));
    assert!(alike.findings.is_empty(), "{:?}", alike.findings);
    let found = said(robot(false));
    assert!(!found.role("robot").unwrap().login);
    assert_eq!(found.findings.len(), 1);
    assert!(found.findings[0].message.contains("\"robot\" is defined twice"));
}
