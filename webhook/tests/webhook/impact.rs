//! What an accepted change will do, in the answer to its review.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use pgherd_runtime::config_watch::ConfigState;
use pgherd_webhook::lookup::Lookup;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::service_fn;

use crate::harness::{Webhook, creation, limits, manifest};

fn update(old: &Value, new: &Value) -> Value {
    let mut request = creation(new);
    request["operation"] = json!("UPDATE");
    request["oldObject"] = old.clone();
    request
}

#[tokio::test]
async fn an_image_change_says_what_rolls() {
    let webhook = Webhook::start().await;
    let old = manifest("acid-orders");
    let mut new = old.clone();
    new["spec"]["dockerImage"] = json!("registry.example/spilo:2");
    for dry_run in [false, true] {
        let mut request = update(&old, &new);
        request["dryRun"] = json!(dry_run);
        let answer = webhook.ask("/validate/postgresql", request).await;
        assert_eq!(answer["allowed"], true);
        assert_eq!(
            answer["warnings"][0],
            "rolls 2 pods: replicas first, then 1 switchover (image)"
        );
    }
    let answer = webhook.ask("/validate/postgresql", creation(&new)).await;
    assert!(!answer["warnings"].to_string().contains("rolls"), "{answer}");
    new["spec"]["numberOfInstances"] = json!(-1);
    let answer = webhook.ask("/validate/postgresql", update(&old, &new)).await;
    assert_eq!(answer["allowed"], false);
    assert!(!answer["warnings"].to_string().contains("rolls"), "{answer}");
}

type Asked = Arc<Mutex<Vec<String>>>;

/// An API server with 70 clusters on two pages, the second one after `delay`.
fn fleet(delay: Duration) -> (Lookup, Asked) {
    let asked = Asked::default();
    let noted = Arc::clone(&asked);
    let service = service_fn(move |request: Request<Body>| {
        let uri = request.uri().to_string();
        noted.lock().unwrap().push(uri.clone());
        let is_second = uri.contains("continue=more");
        let clusters = if is_second { 50..70 } else { 0..50 };
        let item = |number: i32| {
            let mut cluster = manifest(&format!("acid-{number}"));
            if number % 7 == 0 {
                cluster["spec"]["dockerImage"] = json!("registry.example/own:1");
            }
            cluster
        };
        let list = json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresqlList",
            "metadata": {"resourceVersion": "1", "continue": if is_second { "" } else { "more" }},
            "items": clusters.map(item).collect::<Vec<Value>>(),
        });
        async move {
            if is_second {
                sleep(delay).await;
            }
            Ok::<_, std::io::Error>(Response::new(Body::from(list.to_string().into_bytes())))
        }
    });
    let lookup = Lookup::new(Client::new(service, "ops"), Duration::from_secs(1));
    (lookup, asked)
}

fn configuration(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "ops"},
        "data": {"docker_image": image, "watched_namespace": "*"},
    })
}

fn reconfiguration(name: &str, image: &str) -> Value {
    let mut request = update(
        &configuration(name, "registry.example/spilo:1"),
        &configuration(name, image),
    );
    request["namespace"] = json!("ops");
    request
}

#[tokio::test]
async fn a_configuration_says_how_many_clusters_it_rolls() {
    let (lookup, asked) = fleet(Duration::ZERO);
    let webhook = Webhook::start_asking(lookup, limits(), ConfigState::defaults()).await;
    let ask = async |request| webhook.ask("/validate/configmap", request).await["warnings"].clone();
    let told = ask(reconfiguration("pgherd", "registry.example/spilo:2")).await;
    assert_eq!(told[0], "rolls 60 clusters, leaves 10 alone");
    assert_eq!(asked.lock().unwrap().len(), 2);
    let first = asked.lock().unwrap()[0].clone();
    assert!(
        first.starts_with("/apis/acid.zalan.do/v1/postgresqls?") && first.contains("limit=50"),
        "{first}"
    );
    ask(reconfiguration("another", "registry.example/spilo:2")).await;
    ask(reconfiguration("pgherd", "registry.example/spilo:1")).await;
    assert_eq!(
        asked.lock().unwrap().len(),
        2,
        "another ConfigMap, and one that changes nothing"
    );
}

#[tokio::test]
async fn a_slow_list_is_not_waited_for() {
    let (lookup, _) = fleet(Duration::from_secs(30));
    let webhook = Webhook::start_asking(lookup, limits(), ConfigState::defaults()).await;
    let start = Instant::now();
    let request = reconfiguration("pgherd", "registry.example/spilo:2");
    let answer = webhook.ask("/validate/configmap", request).await;
    assert!(
        start.elapsed() < Duration::from_millis(1_900),
        "{:?}: the API server waits for 2 s",
        start.elapsed()
    );
    assert_eq!(answer["allowed"], true);
    assert_eq!(
        answer["warnings"][0],
        "of 50 clusters counted in time: rolls 42 clusters, leaves 8 alone"
    );
}
