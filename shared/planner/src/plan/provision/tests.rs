//! Statements for a small manifest: from nothing, and when all is there.

use pgherd_model::{
    api::postgresql::Postgresql,
    config::{Form, OperatorConfig},
};
use serde_json::{Value, json};

use super::*;
use crate::observed::catalog::{ContentView, Membership};
use crate::observed::{DatabaseView, RoleView, Source};

fn config() -> OperatorConfig {
    OperatorConfig::default_for(Form::ConfigMap)
}

mod edited;
mod held;
mod leaving;
mod outsiders;
mod owners;
mod people;
mod rights;

fn cluster(spec: &Value) -> Cluster {
    cluster_under(spec, &config())
}

pub(crate) fn cluster_under(spec: &Value, config: &OperatorConfig) -> Cluster {
    let mut manifest = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "demo", "namespace": "default", "uid": "u" },
        "spec": { "teamId": "demo", "numberOfInstances": 2, "postgresql": { "version": "17" }, "volume": { "size": "1Gi" } },
    });
    for (key, value) in spec.as_object().unwrap() {
        manifest["spec"][key] = value.clone();
    }
    let manifest: Postgresql = serde_json::from_value(manifest).unwrap();
    Cluster::parse(&manifest, config).unwrap()
}

/// A new cluster: the image has made its own roles.
fn fresh() -> Catalog {
    let mut catalog = Catalog::default();
    for name in ["postgres", "standby", "admin"] {
        let role = RoleView {
            login: true,
            inherit: true,
            password_matches: Some(true),
            ..RoleView::default()
        };
        catalog.roles.insert(name.to_owned(), role);
    }
    catalog
}

fn plan(cluster: &Cluster, catalog: Catalog) -> Plan {
    let observed = Observed {
        catalog: Source::Known(catalog),
        ..Observed::default()
    };
    let mut plan = Plan::default();
    provision(cluster, &config(), &observed, Timestamp::UNIX_EPOCH, &mut plan);
    plan
}

fn statements(plan: &Plan) -> Vec<String> {
    let lines = plan.steps.iter().flat_map(|step| match &step.action {
        Action::RunSql { statements, .. } => statements.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    });
    lines.collect()
}

fn shop() -> Cluster {
    cluster(&json!({ "users": { "owner": ["createdb"], "reader": [] }, "databases": { "shop": "owner" } }))
}

#[test]
fn roles_come_before_memberships_and_databases() {
    let lines = statements(&plan(&shop(), fresh()));
    let expected = [
        "CREATE ROLE owner",
        "GRANT owner TO admin",
        "CREATE ROLE reader",
        "GRANT reader TO admin",
        "CREATE DATABASE shop",
    ];
    let unquoted: Vec<String> = lines.iter().map(|line| line.replace('"', "")).collect();
    assert_eq!(unquoted.len(), expected.len(), "{lines:#?}");
    for (line, start) in unquoted.iter().zip(expected) {
        assert!(line.starts_with(start), "{line} does not start with {start}");
    }
    assert!(lines[0].contains("CREATEDB") && lines[2].contains("NOCREATEDB"));
}

/// What the statements of the first plan leave behind.
fn converged() -> Catalog {
    let mut catalog = fresh();
    for name in ["owner", "reader"] {
        let role = RoleView {
            login: true,
            inherit: true,
            createdb: name == "owner",
            password_matches: Some(true),
            ..RoleView::default()
        };
        catalog.roles.insert(name.to_owned(), role);
        let admin = Membership {
            admin: true,
            ..Membership::plain()
        };
        let administrator = catalog.roles.get_mut("admin").unwrap();
        administrator.member_of.insert(name.to_owned(), admin);
    }
    catalog.databases.insert(
        "shop".to_owned(),
        DatabaseView {
            owner: "owner".to_owned(),
            ..DatabaseView::default()
        },
    );
    catalog
}

#[test]
fn nothing_is_said_twice() {
    assert_eq!(statements(&plan(&shop(), converged())), Vec::<String>::new());
}

#[test]
fn changed_password_is_set_and_only_that() {
    let mut catalog = converged();
    catalog.roles.get_mut("reader").unwrap().password_matches = Some(false);
    let lines = statements(&plan(&shop(), catalog));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("PASSWORD …"));
}

#[test]
fn additional_rights_of_a_role_stay() {
    let mut catalog = converged();
    let reader = catalog.roles.get_mut("reader").unwrap();
    reader.createrole = true;
    reader.settings.insert("work_mem".to_owned(), "64MB".to_owned());
    assert!(statements(&plan(&shop(), catalog)).is_empty());
}

#[test]
fn owner_that_nobody_defines_is_held_not_skipped() {
    let plan = plan(&cluster(&json!({ "databases": { "shop": "nobody" } })), fresh());
    assert!(statements(&plan).is_empty());
    assert_eq!(
        plan.holds[0].reason,
        HoldReason::Lacking("role nobody".to_owned())
    );
}

#[test]
fn foreign_owner_is_corrected() {
    let mut catalog = converged();
    catalog.databases.get_mut("shop").unwrap().owner = "postgres".to_owned();
    let lines = statements(&plan(&shop(), catalog));
    assert!(
        lines.len() == 1 && lines[0].starts_with("ALTER DATABASE"),
        "{lines:?}"
    );
}

#[test]
fn silent_catalog_is_asked_again_soon() {
    let mut plan = Plan::default();
    provision(
        &shop(),
        &config(),
        &Observed::default(),
        Timestamp::UNIX_EPOCH,
        &mut plan,
    );
    assert!(plan.steps.is_empty() && plan.wake_after == Some(ASK_AGAIN));
}

#[test]
fn clusters_without_database_access_are_left_alone() {
    let standby = cluster(&json!({ "standby": { "standby_host": "elsewhere" }, "users": { "owner": [] } }));
    assert!(plan(&standby, fresh()).is_empty());
    let stopped = cluster(&json!({ "numberOfInstances": 0, "users": { "owner": [] } }));
    assert!(plan(&stopped, fresh()).is_empty());
}

#[test]
fn prepared_database_is_filled_once_it_exists() {
    let prepared =
        cluster(&json!({ "preparedDatabases": { "foo": { "extensions": { "pgcrypto": "public" } } } }));
    let mut catalog = fresh();
    let first = plan(&prepared, catalog.clone());
    assert_eq!(first.wake_after, Some(LOOK_INSIDE));
    let content = ContentView {
        schemas: [("public".to_owned(), "postgres".to_owned())].into(),
        ..ContentView::default()
    };
    catalog.databases.insert(
        "foo".to_owned(),
        DatabaseView {
            owner: "foo_owner".to_owned(),
            content: Some(content),
            ..DatabaseView::default()
        },
    );
    let lines = statements(&plan(&prepared, catalog)).join("\n").replace('"', "");
    for line in [
        "CREATE SCHEMA data AUTHORIZATION foo_data_owner",
        "CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA public",
        "GRANT USAGE ON SCHEMA data TO foo_reader",
        "ALTER DEFAULT PRIVILEGES FOR ROLE foo_owner GRANT SELECT ON TABLES TO foo_reader",
        "ALTER DEFAULT PRIVILEGES FOR ROLE foo_data_owner IN SCHEMA data GRANT INSERT, UPDATE, DELETE ON TABLES TO foo_writer",
        "ALTER DEFAULT PRIVILEGES FOR ROLE foo_owner IN SCHEMA data GRANT SELECT ON TABLES TO foo_data_reader",
    ] {
        assert!(lines.contains(line), "missing: {line}\n{lines}");
    }
}
