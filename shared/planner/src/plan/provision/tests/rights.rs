//! What is refused or counts for less than it should, schemas of others, what is there already, and extensions that are newer.

use super::leaving::{NOW, lines, set, settled_catalog, with};
use super::people::people;
use super::*;
use crate::observed::catalog::{ExtensionView, ObjectsView};
use crate::sql::{ObjectClass, Privilege};
use pgherd_model::api::status::{Provisioned, ProvisionedRole};
use pgherd_model::cluster::RoleSources;

fn said(cluster: &Cluster, config: &OperatorConfig, catalog: &Catalog) -> Vec<String> {
    lines(cluster, config, &with(catalog.clone()), NOW).0
}

#[test]
fn what_is_refused_goes_and_nothing_else_does() {
    let under = |policy: &str| {
        let spec = json!({"users": {"app": ["nosuperuser", "noinherit", "nologin"]}, "removalPolicy": {"flags": policy}});
        let cluster = cluster(&spec);
        let mut catalog = settled_catalog(&cluster);
        let app = catalog.roles.get_mut("app").unwrap();
        (app.superuser, app.createdb, app.inherit, app.login) = (true, true, true, true);
        said(&cluster, &config(), &catalog)
    };
    assert_eq!(under("keep"), ["ALTER ROLE \"app\" NOSUPERUSER NOINHERIT"]);
    assert_eq!(
        under("revoke"),
        ["ALTER ROLE \"app\" NOSUPERUSER NOLOGIN NOINHERIT"]
    );
}

/// What is said of a membership of `app` in `staff` that counts like this, to a role with these flags.
fn of_membership(version: u32, flags: &[&str], (inherit, set): (bool, bool)) -> Vec<String> {
    let spec = json!({"users": {"app": flags, "staff": []}, "userOptions": {"app": {"memberOf": ["staff"]}}});
    let cluster = cluster(&spec);
    let mut catalog = settled_catalog(&cluster);
    catalog.version = version;
    let app = catalog.roles.get_mut("app").unwrap();
    let membership = Membership {
        inherit,
        set,
        grantors: ["dba".to_owned(), "postgres".to_owned()].into(),
        ..Membership::default()
    };
    app.member_of.insert("staff".to_owned(), membership);
    said(&cluster, &config(), &catalog)
}

#[test]
fn a_membership_counts_where_it_was_asked_for_or_is_good_for_nothing() {
    const GRANT: &str = "GRANT \"staff\" TO \"app\" WITH ";
    let of = |flags: &[&str], counts| {
        let lines = of_membership(17, flags, counts);
        assert!(
            of_membership(15, flags, counts).is_empty(),
            "before 16 there are no such options"
        );
        let short = lines
            .iter()
            .map(|line| line.strip_prefix(GRANT).unwrap_or(line).to_owned());
        short.collect::<Vec<String>>()
    };
    assert!(of(&[], (true, true)).is_empty());
    // Somebody decided so.
    assert!(of(&[], (false, true)).is_empty() && of(&[], (true, false)).is_empty());
    assert_eq!(of(&[], (false, false)), ["INHERIT true, SET true"]);
    assert_eq!(of(&["inherit"], (false, true)), ["INHERIT true"]);
    assert!(of(&["noinherit"], (false, true)).is_empty());
    assert_eq!(
        of(&["noinherit"], (true, true)),
        [
            "INHERIT false GRANTED BY \"dba\"",
            "INHERIT false GRANTED BY \"postgres\""
        ]
    );
}

#[test]
fn a_superuser_of_a_team_that_has_none_is_none_once_all_were_heard() {
    let mut config = config();
    config.teams_api.enable_teams_api = true;
    config.teams_api.enable_team_superuser = false;
    let cluster = cluster_under(&json!({}), &config).with_roles_of(&people(&["jane"]), &config);
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.get_mut("jane").unwrap().superuser = true;
    let told = |config: &OperatorConfig, sources| {
        let observed = Observed {
            role_sources: sources,
            ..with(catalog.clone())
        };
        lines(&cluster, config, &observed, NOW).0
    };
    assert!(told(&config, people(&["jane"])).is_empty());
    config.teams_api.enable_team_member_deprecation = true;
    assert!(told(&config, RoleSources::none()).is_empty());
    assert_eq!(
        told(&config, people(&["jane"])),
        ["ALTER ROLE \"jane\" NOSUPERUSER"]
    );
}

#[test]
fn in_a_schema_of_another_its_owner_role_may_make_things() {
    let cluster = cluster(&json!({"preparedDatabases": {"bar": {"schemas": {"public": {}}}}}));
    let mut catalog = settled_catalog(&cluster);
    let content = catalog
        .databases
        .get_mut("bar")
        .unwrap()
        .content
        .as_mut()
        .unwrap();
    content
        .schemas
        .insert("public".to_owned(), "pg_database_owner".to_owned());
    assert_eq!(
        said(&cluster, &config(), &catalog),
        ["GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"bar_public_owner\""]
    );
}

#[test]
fn what_is_there_is_opened_only_where_it_is_asked_for() {
    let under = |asked: bool| {
        let cluster = cluster(&json!({"preparedDatabases": {"bar": {"grantExisting": asked}}}));
        let mut catalog = settled_catalog(&cluster);
        let content = catalog
            .databases
            .get_mut("bar")
            .unwrap()
            .content
            .as_mut()
            .unwrap();
        let view = |objects, names: Vec<String>| ObjectsView {
            schema: "data".to_owned(),
            objects,
            grants: [("bar_reader".to_owned(), Privilege::Select)].into(),
            names: names.into_iter().collect(),
        };
        let many = (0..201).map(|number| format!("t{number}")).collect();
        content.objects = vec![
            view(ObjectClass::Tables, many),
            view(ObjectClass::Sequences, vec!["q".to_owned()]),
        ];
        lines(&cluster, &config(), &with(catalog), NOW)
    };
    assert!(under(false).0.is_empty());
    let (lines, plan) = under(true);
    // Writers of the database, readers and writers of the schema, for each fifty tables.
    assert_eq!(lines.len(), 3 * 5 + 3, "{lines:?}");
    assert_eq!(
        lines[17],
        "GRANT USAGE, UPDATE ON SEQUENCE \"data\".\"q\" TO \"bar_data_writer\""
    );
    assert!(
        lines[0].starts_with("GRANT INSERT, UPDATE, DELETE ON TABLE \"data\".\"t"),
        "{lines:?}"
    );
    // One that goes meanwhile keeps none beyond its fifty waiting.
    let subjects = plan.steps.iter().filter_map(|step| match &step.action {
        Action::RunSql { subject, needs, .. } if needs.is_empty() => Some(subject),
        _ => None,
    });
    let subjects: std::collections::BTreeSet<_> = subjects.collect();
    assert_eq!((subjects.len(), plan.steps.len()), (6, 6));
}

#[test]
fn an_extension_that_is_newer_stays_and_is_told_of() {
    let mut config = config();
    config.provisioning.enable_extension_updates = true;
    let cluster = cluster_under(
        &json!({"preparedDatabases": {"bar": {"extensions": {"hstore": "data"}}}}),
        &config,
    );
    let of = |updatable| {
        let mut catalog = settled_catalog(&cluster);
        let content = catalog
            .databases
            .get_mut("bar")
            .unwrap()
            .content
            .as_mut()
            .unwrap();
        let view = ExtensionView {
            schema: "data".to_owned(),
            version: "1.6".to_owned(),
            available: Some("1.5".to_owned()),
            relocatable: true,
            updatable,
        };
        content.extensions.insert("hstore".to_owned(), view);
        lines(&cluster, &config, &with(catalog), NOW)
    };
    let (lines, plan) = of(false);
    assert!(lines.is_empty() && plan.holds[0].to_string().contains("1.6"));
    assert_eq!(of(true).0, ["ALTER EXTENSION \"hstore\" UPDATE"]);
}

#[test]
fn a_refusal_to_inherit_that_has_gone_is_taken_back() {
    let spec = json!({"users": {"app": [], "staff": []}, "userOptions": {"app": {"memberOf": ["staff"]}}, "removalPolicy": {"flags": "revoke"}});
    let cluster = cluster(&spec);
    let mut catalog = settled_catalog(&cluster);
    let app = catalog.roles.get_mut("app").unwrap();
    app.inherit = false;
    app.member_of.get_mut("staff").unwrap().inherit = false;
    let mut observed = with(catalog);
    let given = ProvisionedRole {
        flags: set(&["LOGIN", "NOINHERIT"]),
        ..ProvisionedRole::default()
    };
    observed.cluster.status.provisioned = Some(Provisioned {
        roles: [("app".to_owned(), given)].into(),
        ..Provisioned::default()
    });
    let (lines, _) = lines(&cluster, &config(), &observed, NOW);
    assert_eq!(
        lines,
        [
            "ALTER ROLE \"app\" INHERIT",
            "GRANT \"staff\" TO \"app\" WITH INHERIT true"
        ]
    );
}
