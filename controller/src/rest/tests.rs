//! Paths, names and what must not be in an answer.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::json;
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
    let mut object = manifest();
    object["spec"]["clone"] = json!({"cluster": "old", "s3_secret_access_key": "hunter2"});
    object["spec"]["env"] = json!([{"name": "TOKEN", "value": "hunter3"}]);
    let cluster = api.submit(&context, &object);
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
    assert!(!one.to_string().contains("hunter"), "{one}");
    let lines = ask(&context, "/clusters/apps/acid-demo/logs/").await.1;
    assert_eq!(lines[0]["ClusterName"], "apps/acid-demo");
    assert_eq!(
        ask(&context, "/clusters/apps/acid-demo/history/").await.1,
        json!([])
    );
}

#[tokio::test]
async fn the_configuration_has_zalandos_names_and_no_secret() {
    let context = FakeApi::default().context();
    let answer = ask(&context, "/config/").await.1;
    assert_eq!(answer["operator"]["WatchedNamespace"], "ops");
    assert_eq!(answer["operator"]["ResyncPeriod"], "30m0s");
    assert_eq!(answer["controller"]["CRDReadyWaitTimeout"], 30_000_000_000_u64);
    assert_eq!(answer["controller"]["ConfigMapName"], "ops/settings");
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
