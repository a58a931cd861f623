//! How much can be asked at the same time, and what it costs those who ask little.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use kube::Client;
use kube::client::Body;
use pgherd_runtime::config_watch::ConfigState;
use pgherd_webhook::limits::Limits;
use pgherd_webhook::lookup::Lookup;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;
use tower::service_fn;

use crate::harness::{SERVICE, Webhook, bytes, creation, limits, manifest, review};

const VALIDATE: &str = "/validate/postgresql";
const MIB: usize = 1 << 20;

fn body() -> String {
    review(&creation(&manifest("acid-orders"))).to_string()
}

async fn begin(webhook: &Webhook, length: usize, sent: usize) -> impl Sized + use<> {
    let mut stream = webhook.stream().await.unwrap();
    let head = format!(
        "POST {VALIDATE} HTTP/1.1\r\nhost: {SERVICE}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; sent]).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

#[tokio::test]
async fn slow_bodies_hold_no_turn() {
    let limits = Limits {
        max_reviews: 1,
        read_timeout: Duration::from_secs(5),
        ..limits()
    };
    let webhook = Webhook::start_with(limits, ConfigState::defaults()).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(begin(&webhook, 100_000, 50_000).await);
    }
    slow.push(begin(&webhook, 8 * MIB, 100_000).await);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(
        webhook.metric("pgherd_reviews_in_flight").as_deref(),
        Some("21"),
        "they are all being read"
    );
    let answer = webhook.ask(VALIDATE, creation(&manifest("acid-orders"))).await;
    assert_eq!(answer["allowed"], true);
}

#[tokio::test]
async fn reviews_beyond_the_limit_wait_and_are_then_refused() {
    let limits = Limits {
        max_reviews: 1,
        ..limits()
    };
    // A review that waits for its parent is being decided, and takes the only turn.
    let silent = service_fn(async |_: hyper::Request<Body>| {
        sleep(Duration::from_mins(1)).await;
        Ok::<_, std::io::Error>(hyper::Response::new(Body::empty()))
    });
    let lookup = Lookup::new(Client::new(silent, "shop"), Duration::from_millis(800));
    let webhook = Webhook::start_asking(lookup, limits, ConfigState::defaults()).await;
    let mut first = webhook.connect().await;
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "acid-orders"},
                       "spec": {"replicas": 2}});
    let waiting = tokio::spawn(async move { first.ask("/validate/scale", creation(&scale)).await });
    sleep(Duration::from_millis(100)).await;
    let mut client = webhook.connect().await;
    let response = client.send(VALIDATE, "application/json", body()).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let text = bytes(response).await;
    assert!(
        String::from_utf8_lossy(&text).contains("no room for this review"),
        "{text:?}"
    );
    assert_eq!(
        waiting.await.unwrap()["uid"],
        creation(&manifest("x"))["uid"],
        "made without its parent"
    );
    let answer = client.ask(VALIDATE, creation(&manifest("acid-orders"))).await;
    assert_eq!(answer["allowed"], true);
    assert_eq!(webhook.metric("pgherd_reviews_in_flight").as_deref(), Some("0"));
}

/// Memory that this process has taken at its most, in bytes.
fn peak_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

/// The process is the client, too: it sends one and the same body 64 times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_of_the_largest_bodies_stay_within_the_pods_memory() {
    let limits = Limits {
        queue_timeout: Duration::from_secs(3),
        read_timeout: Duration::from_mins(1),
        ..limits()
    };
    let webhook = Webhook::start_with(limits, ConfigState::defaults()).await;
    // Written as text, so that taking it apart is the webhook's work alone.
    let (mut notes, number) = (String::new(), 130_000);
    for note in 0..number {
        let _ = write!(notes, "\"note-{note}\":\"{}\",", "x".repeat(45));
    }
    let mut object = manifest("acid-orders");
    object["metadata"]["annotations"] = json!({"last": "NOTES"});
    let small = review(&creation(&object)).to_string();
    let mut large = small.replace("\"last\"", &format!("{notes}\"last\""));
    assert!(large.len() > 7 * MIB && large.len() < 8 * MIB, "{}", large.len());
    large.extend(std::iter::repeat_n(' ', 8 * MIB - large.len()));
    let large = Bytes::from(large);
    let mut asked = Vec::new();
    for _ in 0..64 {
        let (mut client, large) = (webhook.connect().await, large.clone());
        asked.push(tokio::spawn(async move {
            let response = client.send(VALIDATE, "application/json", large).await.unwrap();
            let status = response.status();
            bytes(response).await;
            status
        }));
    }
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.await.unwrap());
    }
    let fine = answers.iter().filter(|status| **status == StatusCode::OK).count();
    let refused = answers
        .iter()
        .filter(|status| **status == StatusCode::SERVICE_UNAVAILABLE)
        .count();
    assert!(fine > 0 && fine + refused == 64, "{answers:?}");
    let peak = peak_memory();
    assert!(peak < 256 * MIB, "{} MiB; the pod may have 256", peak / MIB);
}
