//! Reviews that look beyond their own object: scale, deletion, teams.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use pgherd_runtime::config_watch::ConfigState;
use pgherd_webhook::lookup::Lookup;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::service_fn;

use crate::harness::{Webhook, creation, limits, manifest};

type Asked = Arc<Mutex<Vec<String>>>;

/// An API server that answers every question with `answer`, after `delay`.
fn api(answer: Value, delay: Duration) -> (Lookup, Asked) {
    let asked = Asked::default();
    let noted = Arc::clone(&asked);
    let service = service_fn(move |request: Request<Body>| {
        noted.lock().unwrap().push(request.uri().path().to_owned());
        let body = Body::from(answer.to_string().into_bytes());
        let code = answer["code"]
            .as_u64()
            .and_then(|code| StatusCode::from_u16(u16::try_from(code).unwrap()).ok());
        async move {
            sleep(delay).await;
            let response = Response::builder().status(code.unwrap_or(StatusCode::OK));
            Ok::<_, std::io::Error>(response.body(body).unwrap())
        }
    });
    let lookup = Lookup::new(Client::new(service, "shop"), Duration::from_secs(1));
    (lookup, asked)
}

fn scaling(replicas: i64) -> Value {
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale",
                       "metadata": {"name": "acid-orders", "namespace": "shop"}, "spec": {"replicas": replicas}});
    let mut request = creation(&scale);
    request["kind"] = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
    request["resource"] = json!({"group": "acid.zalan.do", "version": "v1", "resource": "postgresqls"});
    request["subResource"] = json!("scale");
    request["operation"] = json!("UPDATE");
    request["oldObject"] = scale;
    request["oldObject"]["spec"]["replicas"] = json!(2);
    request
}

async fn limited(min: i32, max: i32, lookup: Lookup) -> Webhook {
    let webhook = Webhook::start_asking(lookup, limits(), ConfigState::defaults()).await;
    webhook.config.send_modify(|state| {
        let mut config = (*state.config).clone();
        config.general.min_instances = min;
        config.general.max_instances = max;
        state.config = config.into();
    });
    webhook
}

#[tokio::test]
async fn scale_is_reviewed_with_its_parent() {
    let (lookup, asked) = api(manifest("acid-orders"), Duration::ZERO);
    let webhook = limited(-1, 3, lookup).await;
    let answer = webhook.ask("/validate/scale", scaling(3)).await;
    assert_eq!(answer["allowed"], true);
    assert_eq!(
        *asked.lock().unwrap(),
        ["/apis/acid.zalan.do/v1/namespaces/shop/postgresqls/acid-orders"]
    );
}

#[tokio::test]
async fn scale_that_the_operator_would_clamp_is_told_so() {
    let (lookup, _) = api(manifest("acid-orders"), Duration::ZERO);
    let webhook = limited(-1, 3, lookup).await;
    let answer = webhook.ask("/validate/scale", scaling(7)).await;
    let said = format!("{}{}", answer["warnings"], answer["status"]["message"]);
    assert!(said.contains('7') && said.contains('3'), "{answer}");
}

#[tokio::test]
async fn team_is_reviewed_with_the_others_of_its_namespace() {
    let team = |name: &str, spec: Value| {
        json!({"apiVersion": "acid.zalan.do/v1", "kind": "PostgresTeam",
                                                "metadata": {"name": name, "namespace": "shop"}, "spec": spec})
    };
    let others = json!({"apiVersion": "acid.zalan.do/v1", "kind": "PostgresTeamList", "metadata": {},
                        "items": [team("other", json!({"additionalTeams": {"b": ["a"]}}))]});
    let (lookup, asked) = api(others, Duration::ZERO);
    let webhook = Webhook::start_asking(lookup, limits(), ConfigState::defaults()).await;
    let mut request = creation(&team("mine", json!({"additionalTeams": {"a": ["b"]}})));
    request["kind"] = json!({"group": "acid.zalan.do", "version": "v1", "kind": "PostgresTeam"});
    let answer = webhook.ask("/validate/postgresteam", request).await;
    let said = format!("{}{}", answer["warnings"], answer["status"]["message"]);
    assert!(said.contains("PGT-"), "a circle through another object: {answer}");
    assert_eq!(
        *asked.lock().unwrap(),
        ["/apis/acid.zalan.do/v1/namespaces/shop/postgresteams"]
    );
}

#[tokio::test]
async fn who_deletes_is_told_what_is_missing_and_not_refused() {
    let webhook = Webhook::start().await;
    webhook.config.send_modify(|state| {
        let mut config = (*state.config).clone();
        config.kubernetes.delete_annotation_name_key = Some("delete-name".to_owned());
        state.config = config.into();
    });
    let mut request = creation(&manifest("acid-orders"));
    request["operation"] = json!("DELETE");
    request["oldObject"] = request["object"].take();
    let answer = webhook.ask("/validate/delete", request).await;
    assert_eq!(answer["allowed"], true);
    assert!(answer["warnings"].to_string().contains("delete-name"), "{answer}");
}

#[tokio::test]
async fn scale_is_reviewed_without_a_parent_that_does_not_come_in_time() {
    let (lookup, _) = api(manifest("acid-orders"), Duration::from_secs(30));
    let webhook = limited(-1, 3, lookup).await;
    let start = Instant::now();
    let answer = webhook.ask("/validate/scale", scaling(3)).await;
    assert_eq!(answer["allowed"], true);
    let took = start.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_millis(1_800),
        "{took:?}: the API server waits for 2 s"
    );
}

#[tokio::test]
async fn scale_is_reviewed_without_a_parent_that_is_refused() {
    let forbidden = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403});
    let (lookup, asked) = api(forbidden, Duration::ZERO);
    let webhook = limited(-1, 3, lookup).await;
    assert_eq!(webhook.ask("/validate/scale", scaling(3)).await["allowed"], true);
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn clusters_are_reviewed_without_asking_anybody() {
    let (lookup, asked) = api(manifest("acid-orders"), Duration::ZERO);
    let webhook = Webhook::start_asking(lookup, limits(), ConfigState::defaults()).await;
    for path in ["/mutate/postgresql", "/validate/postgresql", "/validate/delete"] {
        let mut request = creation(&manifest("acid-orders"));
        if path == "/validate/delete" {
            request["operation"] = json!("DELETE");
            request["oldObject"] = request["object"].take();
        }
        assert_eq!(webhook.ask(path, request).await["allowed"], true, "{path}");
    }
    assert_eq!(*asked.lock().unwrap(), [""; 0]);
}
