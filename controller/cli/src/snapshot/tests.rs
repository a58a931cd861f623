//! The file of a cluster with a credential in every place where somebody may have put one.

use pgherd_controller::manifest::Meaning;
use pgherd_model::config::{Form, OperatorConfig};
use pgherd_planner::build::build;
use pgherd_planner::observed::{PatroniView, PodEnvironment, Source};
use pgherd_planner::redact::HIDDEN;
use serde_json::json;

use super::*;

/// As it is stored, `swordfish` being what must not be told.
fn manifest() -> Value {
    let container = json!({
        "name": "side", "image": "registry.example.org/side:1",
        "command": ["/side", "--token", "swordfish"], "args": ["--db-password=swordfish", "--level=debug"],
        "env": [{"name": "DB_PASSWORD", "value": "swordfish"}, {"name": "DB", "value": "postgres://u:swordfish@h/d"}],
    });
    let spec = json!({
        "teamId": "acid", "numberOfInstances": 1, "volume": {"size": "1Gi"},
        "clone": {"cluster": "old", "uid": "6a1b6a3c-3a0e-4c8f-9a44-0f2f6a1f3d52", "timestamp": "2024-01-01T00:00:00+00:00",
            "s3_access_key_id": "swordfish", "s3_secret_access_key": "swordfish"},
        "env": [{"name": "api_token", "value": "swordfish"}, {"name": "PLAIN", "value": "seen"}],
        "sidecars": [container],
        "postgresql": {"version": "17", "parameters": {
            "archive_command": "send --as swordfish %p", "password_encryption": "scram-sha-256", "max_connections": "90",
        }},
        "patroni": {"pg_hba": ["local all all trust", "host all all all ldap ldapserver=h ldapbindpasswd=swordfish"]},
    });
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-shop", "namespace": "shop", "uid": "u", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": spec.to_string(), "a": "b",
        }},
        "spec": spec,
        "status": {"PostgresClusterStatus": "Running", "lastGoodSpec": spec},
    })
}

/// A cluster that is as it shall be.
fn observed(manifest: &Value, config: &OperatorConfig) -> Observed {
    let variables = json!({"WAL_TOKEN": "swordfish", "PROXY": "http://u:swordfish@h", "REGION": "seen"});
    let environment = Source::Known(PodEnvironment {
        config_map: serde_json::from_value(variables).unwrap(),
        ..PodEnvironment::default()
    });
    let mut observed = Observed::default();
    observed.cluster.namespace = "shop".to_owned();
    observed.cluster.name = "acid-shop".to_owned();
    observed.cluster.uid = "u".to_owned();
    observed.cluster.annotations =
        serde_json::from_value(manifest["metadata"]["annotations"].clone()).unwrap();
    observed.cluster.status = serde_json::from_value(manifest["status"].clone()).unwrap();
    let meaning = Meaning::of(manifest, &observed.cluster.status, config);
    let desired = build(meaning.cluster().unwrap(), config, &environment);
    observed.stateful_set = Source::Known(desired.stateful_set.known().cloned());
    observed.patroni = Source::Known(PatroniView {
        config: json!({"postgresql": {
            "parameters": manifest["spec"]["postgresql"]["parameters"],
            "pg_hba": manifest["spec"]["patroni"]["pg_hba"],
        }}),
        ..PatroniView::default()
    });
    observed.pod_environment = environment;
    observed
}

#[test]
fn a_snapshot_tells_no_key_from_wherever_it_stands() {
    let (manifest, config) = (manifest(), OperatorConfig::default_for(Form::ConfigMap));
    let observed = observed(&manifest, &config);
    let printed = format!("{observed:?}");
    let text = Snapshot::of(manifest, observed).text();
    for text in [&text, &printed] {
        assert!(!text.contains("swordfish"), "{text}");
    }
    for open in ["seen", "Running", "lastGoodSpec", "--level=debug", HIDDEN] {
        assert!(text.contains(open), "{open} in {text}");
    }
}

#[test]
fn a_snapshot_that_was_read_back_is_as_what_it_was_made_of() {
    let (manifest, config) = (manifest(), OperatorConfig::default_for(Form::ConfigMap));
    let text = Snapshot::of(manifest.clone(), observed(&manifest, &config)).text();
    let back: Snapshot = serde_json::from_str(&text).unwrap();
    let plan = |manifest: &Value| {
        let meaning = Meaning::of(manifest, &back.observed.cluster.status, &config);
        let cluster = meaning.cluster().unwrap();
        let desired = build(cluster, &config, &back.observed.pod_environment);
        let now = jiff::Timestamp::UNIX_EPOCH;
        let plan = pgherd_planner::plan::plan(cluster, &desired, &back.observed, &config, now);
        format!("{plan:?}")
    };
    let touches = |plan: &str| plan.contains("containers/0/env") || plan.contains("patchPatroni");
    // Planned for by itself, and with the manifest as its owner has it.
    for manifest in [&back.manifest, &manifest] {
        let plan = plan(manifest);
        assert!(!touches(&plan) && !plan.contains("containers/1"), "{plan}");
    }
    let edits = [
        ("/spec/env/1/value", "other"),
        ("/spec/postgresql/parameters/max_connections", "80"),
        ("/spec/patroni/pg_hba/0", "local all all peer"),
    ];
    for (place, value) in edits {
        let mut edited = manifest.clone();
        *edited.pointer_mut(place).unwrap() = Value::from(value);
        let plan = plan(&edited);
        assert!(touches(&plan), "{place}: {plan}");
    }
}
