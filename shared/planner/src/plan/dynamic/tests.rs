//! What a change of parameters costs.

use std::collections::BTreeMap;

use pgherd_model::{api, cluster::Cluster, config::source};
use serde_json::{Value, json};

use super::*;
use crate::observed::{PatroniView, Source};

/// The step for a manifest's parameters, when Patroni has others.
fn step(wanted: &Value, found: &Value) -> Option<Step> {
    step_with(wanted, &json!([]), found)
}

fn step_with(wanted: &Value, streams: &Value, found: &Value) -> Option<Step> {
    let object = api::decode(&json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-test", "namespace": "test"},
        "spec": {
            "teamId": "acid", "numberOfInstances": 2, "volume": {"size": "1Gi"},
            "postgresql": {"version": "17", "parameters": wanted},
            "streams": streams,
        },
    }))
    .unwrap();
    let config = source::from_config_map(&BTreeMap::new(), "default").unwrap().0;
    let cluster = Cluster::parse(&object, &config).unwrap();
    let view = PatroniView {
        config: json!({ "ttl": 30, "postgresql": { "parameters": found } }),
        ..PatroniView::default()
    };
    let observed = Observed {
        patroni: Source::Known(view),
        ..Observed::default()
    };
    let mut plan = Plan::default();
    ensure(&cluster, &observed, &config, &mut plan);
    plan.steps.pop()
}

fn line(wanted: &Value, found: &Value) -> String {
    step(wanted, found).map_or_else(String::new, |step| step.to_string())
}

#[test]
fn another_spelling_changes_nothing() {
    let wanted = json!({"max_connections": "100", "work_mem": "1GB", "log_lock_waits": "true", "wal_level": "hot_standby"});
    let found =
        json!({"max_connections": 100, "work_mem": "1024MB", "log_lock_waits": true, "wal_level": "replica"});
    assert_eq!(line(&wanted, &found), "");
}

#[test]
fn what_needs_no_restart_is_a_reload() {
    assert_eq!(
        line(
            &json!({"work_mem": "16MB", "search_path": "a"}),
            &json!({"work_mem": "4MB"})
        ),
        "patch patroni's configuration: search_path, work_mem \
         (differs at /postgresql/parameters/search_path, /postgresql/parameters/work_mem) [reload]"
    );
}

#[test]
fn what_needs_a_restart_is_named_first() {
    let wanted =
        json!({"a.b": "x", "cron.database_name": "x", "log_statement": "ddl", "max_connections": "200"});
    let step = step(&wanted, &json!({"max_connections": 100})).unwrap();
    assert_eq!(step.impact, Impact::PrimaryRestart);
    let path = |name| format!("/postgresql/parameters/{name}");
    assert_eq!(
        step.reason,
        Reason::Differs(vec![
            path("cron.database_name"),
            path("max_connections"),
            path("a.b"),
            path("log_statement")
        ])
    );
}

#[test]
fn patronis_own_default_is_what_was_there_before() {
    let impact = |wanted| step(&wanted, &json!({"work_mem": "4MB"})).map(|step| step.impact);
    assert_eq!(
        impact(json!({"max_connections": "100", "wal_level": "replica"})),
        Some(Impact::Reload)
    );
    assert_eq!(
        impact(json!({"max_connections": "101"})),
        Some(Impact::PrimaryRestart)
    );
}

#[test]
fn what_patroni_does_not_use_restarts_nothing() {
    let step = step(
        &json!({"port": "5433", "shared_buffers": "1GB"}),
        &json!({"a": "b"}),
    )
    .unwrap();
    assert_eq!(step.impact, Impact::Reload);
    let Action::PatchPatroni(patch) = &step.action else {
        panic!("{step}")
    };
    // A local parameter is none of Patroni's configuration.
    assert_eq!(*patch, json!({"postgresql": {"parameters": {"port": "5433"}}}));
}

#[test]
fn streams_raise_the_level_of_the_wal_whatever_the_manifest_says() {
    let streams =
        json!([{"applicationId": "shop", "database": "shop", "tables": {"orders": {"eventType": "order"}}}]);
    let line = |wanted: Value, found: Value| {
        step_with(&wanted, &streams, &found).map_or_else(String::new, |step| step.to_string())
    };
    let raised = "patch patroni's configuration: wal_level (differs at /postgresql/parameters/wal_level) [primary restart]";
    assert_eq!(line(json!({}), json!({"wal_level": "hot_standby"})), raised);
    assert_eq!(
        line(json!({"wal_level": "replica"}), json!({"wal_level": "replica"})),
        raised
    );
    assert_eq!(
        line(json!({"wal_level": "replica"}), json!({"wal_level": "logical"})),
        ""
    );
    assert_eq!(
        step(&json!({}), &json!({"wal_level": "logical"})),
        None,
        "without streams it stays"
    );
}
