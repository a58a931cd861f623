//! What is answered.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;
use pgherd_model::config::Form;
use pgherd_runtime::config_watch::ConfigState;
use serde_json::{Value, json};

use crate::harness::{Webhook, bytes, creation, limits, manifest, review};

const MUTATE: &str = "/mutate/postgresql";
const VALIDATE: &str = "/validate/postgresql";

fn patch_of(response: &Value) -> Value {
    let patch = BASE64.decode(response["patch"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&patch).unwrap()
}

#[tokio::test]
async fn five_violations_are_answered_at_once_with_their_fields() {
    let webhook = Webhook::start().await;
    let mut broken = manifest("acid-orders");
    broken["spec"]["users"] = json!({"Orders-Owner": [], "reporting": ["login", "nologin"]});
    broken["spec"]["databases"] = json!({"9orders": "reporting"});
    broken["spec"]["maintenanceWindows"] = json!(["Sat:23:00-02:00"]);
    broken["spec"]["sidecars"] = json!([{"name": "postgres", "image": "example/exporter:1"}]);
    let response = webhook.ask(VALIDATE, creation(&broken)).await;
    assert_eq!(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(response["allowed"], false);
    let status = &response["status"];
    assert_eq!(
        (&status["code"], &status["reason"]),
        (&json!(422), &json!("Invalid"))
    );
    let causes = status["details"]["causes"].as_array().unwrap();
    let fields: Vec<_> = causes
        .iter()
        .map(|cause| cause["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields.len(), 5, "{causes:#?}");
    for field in [
        "spec.users",
        "spec.databases",
        "spec.maintenanceWindows",
        "spec.sidecars",
    ] {
        assert!(
            fields.iter().any(|found| found.starts_with(field)),
            "{field} is not among {fields:?}"
        );
    }
    let message = status["message"].as_str().unwrap();
    assert!(
        message.starts_with("5 problems\n") && fields.iter().all(|field| message.contains(field)),
        "{message}"
    );
    assert!(
        response["auditAnnotations"]["rules"]
            .as_str()
            .unwrap()
            .contains("PGV-")
    );
    let denied =
        "pgherd_reviews_total{kind=\"postgresql\",verb=\"validate\",operation=\"create\",verdict=\"denied\"}";
    assert_eq!(webhook.metric(denied).as_deref(), Some("1"));
}

#[tokio::test]
async fn good_manifest_is_allowed_without_a_word() {
    let webhook = Webhook::start().await;
    let response = webhook.ask(VALIDATE, creation(&manifest("acid-orders"))).await;
    assert_eq!(
        response,
        json!({"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "allowed": true})
    );
}

#[tokio::test]
async fn what_is_decided_once_is_added_by_patch() {
    let webhook = Webhook::start().await;
    let mut bare = manifest("shop-orders");
    bare["spec"] = json!({"postgresql": {}, "volume": {"size": "1Gi"}});
    let response = webhook.ask(MUTATE, creation(&bare)).await;
    assert_eq!(
        (&response["allowed"], &response["patchType"]),
        (&json!(true), &json!("JSONPatch"))
    );
    let patch: json_patch::Patch = serde_json::from_value(patch_of(&response)).unwrap();
    json_patch::patch(&mut bare, &patch).unwrap();
    assert_eq!(bare["spec"]["teamId"], "shop");
    assert_eq!(bare["spec"]["numberOfInstances"], 2);
    assert!(bare["spec"]["postgresql"]["version"].is_string());
    let again = webhook.ask(MUTATE, creation(&bare)).await;
    assert_eq!(again.get("patch"), None, "nothing to add the second time");
}

#[tokio::test]
async fn live_configuration_counts() {
    let webhook = Webhook::start().await;
    let mut bare = manifest("shop-orders");
    bare["spec"].as_object_mut().unwrap().remove("numberOfInstances");
    webhook.config.send_modify(|state| {
        let mut config = (*state.config).clone();
        config.general.min_instances = 3;
        state.config = config.into();
    });
    let patch = patch_of(&webhook.ask(MUTATE, creation(&bare)).await);
    assert_eq!(
        patch,
        json!([{"op": "add", "path": "/spec/numberOfInstances", "value": 3}])
    );
}

#[tokio::test]
async fn odd_object_is_a_denial_with_its_uid_and_not_an_http_error() {
    let webhook = Webhook::start().await;
    for object in [
        json!(7),
        json!({"spec": []}),
        json!({"metadata": "x", "spec": {"users": 3}}),
    ] {
        let mut request = creation(&object);
        request["name"] = json!("x");
        let response = webhook.ask(VALIDATE, request.clone()).await;
        assert_eq!(response["uid"], request["uid"]);
        assert_eq!(response["allowed"], false, "{object}");
        let response = webhook.ask(MUTATE, request.clone()).await;
        assert_eq!(
            (&response["uid"], &response["allowed"]),
            (&request["uid"], &json!(true)),
            "{object}"
        );
    }
}

#[tokio::test]
async fn operators_own_config_map_is_checked_by_its_name() {
    let webhook = Webhook::start().await;
    let map = json!({"metadata": {"name": "pgherd"}, "data": {"workers": "many", "resync_period": "soon"}});
    let mut request = creation(&map);
    request["kind"] = json!({"group": "", "version": "v1", "kind": "ConfigMap"});
    request["namespace"] = json!("ops");
    let response = webhook.ask("/validate/configmap", request.clone()).await;
    assert_eq!(response["allowed"], false);
    assert_eq!(
        response["status"]["details"]["causes"].as_array().unwrap().len(),
        2
    );
    request["name"] = json!("somebody-elses");
    assert_eq!(webhook.ask("/validate/configmap", request).await["allowed"], true);
}

#[tokio::test]
async fn garbage_is_an_http_error_and_the_connection_lives_on() {
    let webhook = Webhook::start().await;
    let mut client = webhook.connect().await;
    for garbage in ["", "{", "[]", "\u{0}\u{1}", r#"{"apiVersion":"v1","kind":"Pod"}"#] {
        let response = client.send(VALIDATE, "application/json", garbage).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{garbage:?}");
        bytes(response).await;
    }
    let no_uid = review(&json!({"uid": ""})).to_string();
    let response = client.send(VALIDATE, "application/json", no_uid).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    bytes(response).await;
    let response = client.ask(VALIDATE, creation(&manifest("acid-orders"))).await;
    assert_eq!(response["allowed"], true);
}

#[tokio::test]
async fn wrong_content_type_path_and_method_are_refused() {
    let webhook = Webhook::start().await;
    let body = review(&creation(&manifest("acid-orders"))).to_string();
    let mut client = webhook.connect().await;
    let response = client.send(VALIDATE, "text/yaml", body.clone()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    bytes(response).await;
    let mut client = webhook.connect().await;
    let response = client
        .send("/validate/pods", "application/json", body)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn oversized_body_is_refused_and_a_large_one_is_not() {
    let webhook = Webhook::start_with(
        pgherd_webhook::limits::Limits {
            read_timeout: Duration::from_secs(20),
            ..limits()
        },
        ConfigState::defaults(),
    )
    .await;
    let mut large = manifest("acid-orders");
    large["metadata"]["annotations"] = json!({"note": "x".repeat(5 << 20)});
    let response = webhook.ask(VALIDATE, creation(&large)).await;
    assert_eq!(response["allowed"], true);
    let oversized = vec![b' '; (8 << 20) + 1];
    let response = webhook
        .connect()
        .await
        .send(VALIDATE, "application/json", oversized)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn nothing_is_decided_before_the_configuration_is_known() {
    let webhook = Webhook::start_with(limits(), ConfigState::unread(Form::ConfigMap)).await;
    let mut client = webhook.connect().await;
    let body = review(&creation(&manifest("acid-orders"))).to_string();
    let response = client.send(MUTATE, "application/json", body).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let text = bytes(response).await;
    assert!(
        String::from_utf8_lossy(&text).contains("ConfigMap ops/pgherd is not read yet"),
        "{text:?}"
    );
    webhook.config.send_replace(ConfigState::defaults());
    assert_eq!(
        client.ask(MUTATE, creation(&manifest("acid-orders"))).await["allowed"],
        true
    );
}
