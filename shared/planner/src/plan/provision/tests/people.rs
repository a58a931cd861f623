//! Members of teams who leave and come back, and who is never taken for one.

use pgherd_model::cluster::RoleSources;
use pgherd_model::cluster::role::infrastructure::InfrastructureRoles;
use pgherd_model::cluster::role::team::TeamMap;
use pgherd_model::config::NamespacedName;

use super::leaving::{NOW, lines, person, set, settled_catalog, with};
use super::*;

/// Somebody whom we made as a member of a team.
fn member() -> RoleView {
    RoleView {
        passwordless: true,
        ..person(&["zalandos"])
    }
}

/// The teams API names them.
pub(super) fn people(names: &[&str]) -> RoleSources {
    RoleSources {
        teams: Source::Known(TeamMap::default()),
        members: [("demo".to_owned(), Source::Known(Some(set(names))))].into(),
        ..RoleSources::default()
    }
}

#[test]
fn a10_who_leaves_is_put_away_and_who_is_back_is_fetched() {
    let mut config = config();
    config.teams_api.enable_team_member_deprecation = true;
    let cluster = |names: &[&str]| shop().with_roles_of(&people(names), &config);
    let mut catalog = settled_catalog(&cluster(&["jane"]));
    catalog.roles.insert("joe".to_owned(), member());
    catalog.roles.insert(
        "clerk".to_owned(),
        RoleView {
            member_of: std::collections::BTreeMap::new(),
            ..member()
        },
    );
    let look = |names: &[&str], catalog: &Catalog, sources: RoleSources| {
        let observed = Observed {
            role_sources: sources,
            ..with(catalog.clone())
        };
        lines(&cluster(names), &config, &observed, NOW).0
    };
    let gone = [
        "ALTER ROLE \"joe\" NOLOGIN",
        "ALTER ROLE \"joe\" RENAME TO \"joe_deleted\"",
    ];
    assert_eq!(look(&["jane"], &catalog, people(&["jane"])), gone);
    // Silence is no answer.
    let silent = RoleSources {
        members: [("demo".to_owned(), Source::Unknown("500".to_owned()))].into(),
        ..people(&[])
    };
    assert_eq!(look(&["jane"], &catalog, silent), Vec::<String>::new());
    // Back again.
    let mut view = catalog.roles.remove("joe").unwrap();
    view.login = false;
    catalog.roles.insert("joe_deleted".to_owned(), view);
    let back = look(&["jane", "joe"], &catalog, people(&["jane", "joe"]));
    assert_eq!(back[0], "ALTER ROLE \"joe_deleted\" RENAME TO \"joe\"");
    assert_eq!(back[1], "ALTER ROLE \"joe\" LOGIN");
    assert!(
        !back.iter().any(|line| line.contains("GRANT \"zalandos\"")),
        "{back:?}"
    );
    // Unless the name is taken.
    catalog.roles.insert("joe".to_owned(), member());
    let taken = look(&["jane", "joe"], &catalog, people(&["jane", "joe"]));
    assert!(!taken.iter().any(|line| line.contains("RENAME")), "{taken:?}");
}

/// A catalog with `jane`, who is wanted, and these who are not.
fn with_leavers(config: &OperatorConfig, names: &[&str]) -> (Cluster, Catalog) {
    let cluster = shop().with_roles_of(&people(&["jane"]), config);
    let mut catalog = settled_catalog(&cluster);
    for name in names {
        catalog.roles.insert((*name).to_owned(), member());
    }
    (cluster, catalog)
}

fn deprecating() -> OperatorConfig {
    let mut config = config();
    config.teams_api.enable_team_member_deprecation = true;
    config
}

fn look(config: &OperatorConfig, catalog: &Catalog, sources: RoleSources) -> (Vec<String>, Vec<String>) {
    let cluster = shop().with_roles_of(&people(&["jane"]), config);
    let observed = Observed {
        role_sources: sources,
        ..with(catalog.clone())
    };
    let (lines, plan) = lines(&cluster, config, &observed, NOW);
    (
        lines,
        plan.holds.iter().map(|hold| hold.matter.to_string()).collect(),
    )
}

#[test]
fn whoever_has_a_password_is_nobody_of_a_team() {
    let config = deprecating();
    let (_, mut catalog) = with_leavers(&config, &[]);
    // A robot, a user that left the manifest, a person that an administrator made: all of them in the group.
    for name in ["robot", "old_user", "dba"] {
        catalog.roles.insert(name.to_owned(), person(&["zalandos"]));
    }
    // Nobody that logs in, and nobody of the group.
    let mut group = member();
    group.login = false;
    catalog.roles.insert("group".to_owned(), group);
    assert_eq!(
        look(&config, &catalog, people(&["jane"])),
        (Vec::new(), Vec::new())
    );
    // Held back, and wanted all the same.
    let mut owner = catalog.roles["owner"].clone();
    owner.passwordless = true;
    owner.member_of = member().member_of;
    catalog.roles.insert("owner".to_owned(), owner);
    assert_eq!(look(&config, &catalog, people(&["jane"])).0, Vec::<String>::new());
}

#[test]
fn an_answer_that_is_none_locks_nobody_out() {
    let mut config = deprecating();
    let (_, catalog) = with_leavers(&config, &["joe"]);
    assert_eq!(
        look(&config, &catalog, people(&["jane"])).0.len(),
        2,
        "he has left"
    );
    let nothing = Vec::<String>::new();
    let held = vec!["put role joe away".to_owned()];
    let no_such_team = RoleSources {
        members: [("demo".to_owned(), Source::Known(None))].into(),
        ..people(&[])
    };
    assert_eq!(
        look(&config, &catalog, no_such_team),
        (nothing.clone(), held.clone()),
        "404"
    );
    // Robots are not known: one of them may be defined there.
    config.kubernetes.infrastructure_roles_secret_name = Some(NamespacedName {
        namespace: "default".to_owned(),
        name: "robots".to_owned(),
    });
    let silent = RoleSources {
        infrastructure: vec![Source::Unknown("503".to_owned())],
        ..people(&["jane"])
    };
    let told = look(&config, &catalog, silent);
    assert_eq!(
        told,
        (
            nothing.clone(),
            vec!["roles of others".to_owned(), held[0].clone()]
        )
    );
    let heard = RoleSources {
        infrastructure: vec![Source::Known(InfrastructureRoles::default())],
        ..people(&["jane"])
    };
    assert_eq!(look(&config, &catalog, heard).0.len(), 2);
    // Nobody is asked.
    config.kubernetes.infrastructure_roles_secret_name = None;
    config.teams_api.enable_teams_api = false;
    assert_eq!(
        look(&config, &catalog, RoleSources::none()),
        (nothing, Vec::new()),
        "switched off"
    );
}

#[test]
fn most_people_do_not_leave_at_once() {
    let config = deprecating();
    let (_, catalog) = with_leavers(&config, &["joe", "jim"]);
    assert_eq!(look(&config, &catalog, people(&["jane"])).0.len(), 4);
    let (_, catalog) = with_leavers(&config, &["joe", "jim", "jill"]);
    let told = look(&config, &catalog, people(&["jane"]));
    assert_eq!(
        told,
        (Vec::new(), vec!["put role jill and 2 more away".to_owned()])
    );
}

/// Whose team lost that right does not bring it back.
#[test]
fn a_superuser_who_leaves_is_none_any_more() {
    let config = deprecating();
    let (_, mut catalog) = with_leavers(&config, &["joe"]);
    catalog.roles.get_mut("joe").unwrap().superuser = true;
    let (lines, _) = look(&config, &catalog, people(&["jane"]));
    assert!(
        lines[0].contains("NOSUPERUSER") && lines[0].contains("NOLOGIN"),
        "{lines:?}"
    );
}
