//! Paths, names and what must not be in an answer.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use pgherd_model::config::source;
use serde_json::json;
use tokio::sync::watch;
use tower::ServiceExt;

use super::*;
use crate::testing::{FakeApi, manifest};

fn identity() -> Identity {
    Identity {
        namespace: "ops".to_owned(),
        config_map: "ops/settings".to_owned(),
        no_database_access: false,
        no_teams_api: false,
        json_logging: false,
        workers: 2,
    }
}

async fn ask(context: &Context, path: &str) -> (StatusCode, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router(context.clone(), identity())
        .oneshot(request)
        .await
        .unwrap();
    let code = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (code, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn what_the_ui_and_scripts_ask_has_its_answer() {
    let api = FakeApi::default();
    let context = api.context();
    let cluster = api.submit(&context, &manifest());
    crate::reconcile::reconcile(&context, &cluster).await;
    assert_eq!(ask(&context, "/readyz/").await.1, "OK");
    assert_eq!(
        ask(&context, "/clusters/").await.1,
        json!({"acid": ["acid-demo"]})
    );
    assert_eq!(ask(&context, "/clusters/acid/").await.1, json!(["acid-demo"]));
    assert_eq!(
        ask(&context, "/databases/").await.1,
        json!({"acid-demo": ["app"]})
    );
    let status = ask(&context, "/status/").await.1;
    assert_eq!(
        (&status["Clusters"], &status["WorkerQueueSize"]),
        (&json!(1), &json!({"0": 0, "1": 0}))
    );
    assert_eq!(
        ask(&context, "/workers/all/status/").await.1,
        json!({"0": "idle", "1": "idle"})
    );
    let queue = ask(&context, "/workers/0/queue").await.1;
    assert_eq!(queue, json!({"Keys": [], "List": []}));
    let one = ask(&context, "/clusters/apps/acid-demo/").await.1;
    assert_eq!(one["StatefulSet"]["metadata"]["name"], "acid-demo");
    assert_eq!(one["MasterService"]["metadata"]["name"], "acid-demo");
    let lines = ask(&context, "/clusters/apps/acid-demo/logs/").await.1;
    assert_eq!(lines[0]["ClusterName"], "apps/acid-demo");
    assert_eq!(
        ask(&context, "/clusters/apps/acid-demo/history/").await.1,
        json!([])
    );
}

/// A container with a credential in every place where one may stand, whatever it is called.
fn planted() -> Value {
    json!({
        "name": "side", "image": "registry.example.org/side:1",
        "command": ["/side", "hunter2-command"], "args": ["--user", "hunter2-argument"],
        "env": [{"name": "DB_PASSWORD", "value": "hunter2-variable"}, {"name": "MODE", "value": "hunter2-plain"}],
        "livenessProbe": {"exec": {"command": ["sh", "hunter2-probe"]}},
        "lifecycle": {"preStop": {"httpGet": {"port": 1, "httpHeaders": [{"name": "A", "value": "hunter2-header"}]}}},
    })
}

#[tokio::test]
async fn a_clusters_answer_tells_no_credential_from_wherever_it_stands() {
    let api = FakeApi::default();
    let context = api.context();
    let mut object = manifest();
    let mut first = planted();
    first["name"] = json!("first");
    object["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/last-applied-configuration": "hunter2-copied"});
    let spec = &mut object["spec"];
    spec["clone"] = json!({
        "cluster": "old", "uid": "6a1b6a3c-3a0e-4c8f-9a44-0f2f6a1f3d52", "timestamp": "2024-01-01T00:00:00+00:00",
        "s3_access_key_id": "hunter2-id", "s3_secret_access_key": "hunter2-key",
    });
    spec["env"] =
        json!([{"name": "TOKEN", "value": "hunter2-token"}, {"name": "MODE", "value": "hunter2-mode"}]);
    spec["sidecars"] = json!([planted()]);
    spec["initContainers"] = json!([first]);
    spec["patroni"] = json!({"pg_hba": ["host all all all ldap ldapserver=h ldapbindpasswd=hunter2-line"]});
    spec["postgresql"]["parameters"] = json!({
        "archive_command": "send hunter2-archive", "primary_conninfo": "hunter2-conninfo", "max_connections": "90",
    });
    let cluster = api.submit(&context, &object);
    crate::reconcile::reconcile(&context, &cluster).await;
    let made = api
        .get("/apis/apps/v1/namespaces/apps/statefulsets/acid-demo")
        .unwrap()
        .to_string();
    for secret in ["variable", "plain", "argument", "mode", "archive", "key"] {
        assert!(made.contains(&format!("hunter2-{secret}")), "{secret} in {made}");
    }
    for path in ["", "logs/", "history/"] {
        let answer = ask(&context, &format!("/clusters/apps/acid-demo/{path}")).await.1;
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
    }
    let one = ask(&context, "/clusters/apps/acid-demo/").await.1;
    assert_eq!(one["Spec"]["postgresql"]["parameters"]["max_connections"], "90");
    assert_eq!(one["Spec"]["sidecars"][0]["image"], "registry.example.org/side:1");
    let containers = &one["StatefulSet"]["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers.as_array().unwrap().len(), 2, "{containers}");
    assert_eq!(containers[1]["args"], json!(["(hidden)", "(hidden)"]));
}

#[tokio::test]
async fn the_configuration_tells_no_credential() {
    let mut context = FakeApi::default().context();
    let object = json!({"configuration": {
        "sidecars": [planted()],
        "scalyr": {"scalyr_api_key": "hunter2-scalyr"},
        "teams_api": {"teams_api_url": "https://u:hunter2-url@teams.example.org"},
        "logical_backup": {"logical_backup_s3_access_key_id": "hunter2-id"},
    }});
    let config = source::from_object(&object, "ops").unwrap().0;
    assert_eq!(config.general.sidecars.len(), 1);
    let (_sender, settings) = watch::channel(Arc::new(config));
    context.config = settings;
    let answer = ask(&context, "/config/").await.1;
    assert!(!answer.to_string().contains("hunter2"), "{answer}");
    let sidecar = &answer["operator"]["SidecarContainers"][0];
    assert_eq!(sidecar["image"], "registry.example.org/side:1");
    assert_eq!(sidecar["env"][1], json!({"name": "MODE", "value": "(hidden)"}));
}

#[tokio::test]
async fn the_configuration_has_zalandos_names() {
    let context = FakeApi::default().context();
    let answer = ask(&context, "/config/").await.1;
    assert_eq!(answer["operator"]["WatchedNamespace"], "ops");
    assert_eq!(answer["operator"]["ResyncPeriod"], "30m0s");
    assert_eq!(answer["controller"]["CRDReadyWaitTimeout"], 30_000_000_000_u64);
    assert_eq!(answer["controller"]["ConfigMapName"], "ops/settings");
    let golden: Value = serde_json::from_str(include_str!("../../../tests/data/rest/names.json")).unwrap();
    for part in ["controller", "operator"] {
        let names = golden[part].as_array().unwrap().iter();
        let missing: Vec<&str> = names
            .filter_map(Value::as_str)
            .filter(|name| answer[part].get(name).is_none())
            .collect();
        assert!(missing.is_empty(), "{part} lacks {missing:?}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_an_error_in_its_form() {
    let context = FakeApi::default().context();
    for (path, error) in [
        ("/", "page not found"),
        ("/clusters/n/c/x/", "page not found"),
        ("/clusters/n/c/", "could not find cluster"),
        ("/clusters/team/", "could not find clusters for the team"),
        ("/workers/7/queue", "could not find worker"),
    ] {
        let answer = ask(&context, path).await;
        assert_eq!(
            answer,
            (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": error })),
            "{path}"
        );
    }
}

#[tokio::test]
async fn tasks_are_told_as_text() {
    let context = FakeApi::default().context();
    let _slot = context
        .activity
        .begin(&crate::cluster_ref::ClusterRef::new("n", "a"), "edit");
    let request = Request::get("/debug/tasks").body(Body::empty()).unwrap();
    let response = debug(context).oneshot(request).await.unwrap();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains("turn 0: n/a (edit)"), "{text}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_by_the_name_of_its_parameter() {
    let held = tokio::net::TcpListener::bind("[::]:0").await;
    let held = match held {
        Ok(held) => held,
        Err(_) => tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap(),
    };
    let port = held.local_addr().unwrap().port();
    let refused = one(port, Router::new(), CancellationToken::new())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("api_port"), "{refused}");
}
