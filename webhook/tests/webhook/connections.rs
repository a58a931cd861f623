//! How connections live and end.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use pgherd_runtime::config_watch::ConfigState;
use pgherd_webhook::limits::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::harness::{SERVICE, Webhook, bytes, creation, limits, manifest, review};

const VALIDATE: &str = "/validate/postgresql";

fn body() -> String {
    review(&creation(&manifest("acid-orders"))).to_string()
}

fn head(length: usize) -> String {
    format!(
        "POST {VALIDATE} HTTP/1.1\r\nhost: {SERVICE}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// Reads to the end; says how long that took, and what came.
async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> (Duration, String) {
    let (start, mut seen) = (Instant::now(), Vec::new());
    // A peer that closes without TLS's farewell is an error here, and an end all the same.
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut seen))
        .await
        .expect("the webhook closes");
    (start.elapsed(), String::from_utf8_lossy(&seen).into_owned())
}

#[tokio::test]
async fn client_that_never_shakes_hands_is_cut_off() {
    let webhook = Webhook::start().await;
    let mut stream = TcpStream::connect(webhook.address).await.unwrap();
    let (took, _) = read_to_end(&mut stream).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    let failures = webhook.metric("pgherd_handshake_failures_total{reason=\"timeout\"}");
    assert_eq!(failures.as_deref(), Some("1"));
}

#[tokio::test]
async fn client_that_sends_its_header_slowly_is_cut_off() {
    let webhook = Webhook::start().await;
    let mut stream = webhook.stream().await.unwrap();
    stream
        .write_all(b"POST /validate/postgresql HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let (took, seen) = read_to_end(&mut stream).await;
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    assert_eq!(seen, "");
}

#[tokio::test]
async fn client_that_sends_its_body_slowly_is_answered_and_cut_off() {
    let webhook = Webhook::start().await;
    let mut stream = webhook.stream().await.unwrap();
    stream.write_all(head(100_000).as_bytes()).await.unwrap();
    stream.write_all(b"{").await.unwrap();
    let (took, seen) = read_to_end(&mut stream).await;
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    assert!(seen.starts_with("HTTP/1.1 408 "), "{seen}");
}

#[tokio::test]
async fn idle_connection_is_kept_longer_than_a_slow_header() {
    let webhook = Webhook::start().await;
    let mut client = webhook.connect().await;
    for _ in 0..3 {
        assert_eq!(
            client.ask(VALIDATE, creation(&manifest("acid-orders"))).await["allowed"],
            true
        );
        sleep(Duration::from_millis(900)).await;
    }
    assert_eq!(webhook.metric("pgherd_connections").as_deref(), Some("1"));
    sleep(Duration::from_millis(1_800)).await;
    assert_eq!(
        webhook.metric("pgherd_connections").as_deref(),
        Some("0"),
        "idle for too long"
    );
}

#[tokio::test]
async fn old_connection_is_closed_with_an_answer() {
    let limits = Limits {
        connection_age: Duration::from_millis(100),
        ..limits()
    };
    let webhook = Webhook::start_with(limits, ConfigState::defaults()).await;
    let mut client = webhook.connect().await;
    let response = client.send(VALIDATE, "application/json", body()).await.unwrap();
    assert!(response.headers().get("connection").is_none());
    bytes(response).await;
    sleep(Duration::from_millis(150)).await;
    let response = client.send(VALIDATE, "application/json", body()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["connection"], "close");
}

#[tokio::test]
async fn idle_connections_end_soon_after_shutdown_begins_and_new_ones_are_served() {
    let limits = Limits {
        shutdown_delay: Duration::from_secs(20),
        ..limits()
    };
    let webhook = Webhook::start_with(limits, ConfigState::defaults()).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = webhook.connect().await;
        client.ask(VALIDATE, creation(&manifest("acid-orders"))).await;
        clients.push(client);
    }
    assert_eq!(webhook.metric("pgherd_connections").as_deref(), Some("5"));
    webhook.shutdown.begin();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(webhook.metric("pgherd_connections").as_deref(), Some("0"));
    let answer = webhook.ask(VALIDATE, creation(&manifest("acid-orders"))).await;
    assert_eq!(answer["allowed"], true);
}

#[tokio::test]
async fn who_has_just_picked_a_connection_that_closes_is_asked_to_try_again() {
    let webhook = Webhook::start().await;
    let body = body();
    let mut stream = webhook.stream().await.unwrap();
    stream.write_all(head(body.len()).as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = vec![0; 8192];
    let length = stream.read(&mut answer).await.unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200 "));
    webhook.shutdown.begin();
    // The connection is being closed when the client sends again.
    sleep(Duration::from_millis(400)).await;
    stream.write_all(head(body.len()).as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let (_, seen) = read_to_end(&mut stream).await;
    let seen = seen.to_lowercase();
    assert!(
        seen.starts_with("http/1.1 503 ") && seen.contains("retry-after: 0\r\n"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn drain_answers_what_is_in_flight_and_what_still_comes() {
    let limits = Limits {
        read_timeout: Duration::from_secs(5),
        ..limits()
    };
    let webhook = Webhook::start_with(limits, ConfigState::defaults()).await;
    let mut in_flight = webhook.stream().await.unwrap();
    let body = body();
    in_flight.write_all(head(body.len()).as_bytes()).await.unwrap();
    let mut idle = webhook.stream().await.unwrap();
    sleep(Duration::from_millis(100)).await;

    webhook.shutdown.begin();
    let mut late = webhook.connect().await;
    let response = late
        .send(VALIDATE, "application/json", body.clone())
        .await
        .unwrap();
    assert_eq!(
        response.status(),
        StatusCode::OK,
        "endpoints change late: new connections still count"
    );
    assert_eq!(response.headers()["connection"], "close");

    sleep(Duration::from_millis(500)).await;
    assert!(
        TcpStream::connect(webhook.address).await.is_err(),
        "the port is closed after the delay"
    );
    assert!(!webhook.task.is_finished(), "one request is in flight");
    in_flight.write_all(body.as_bytes()).await.unwrap();
    let (_, seen) = read_to_end(&mut in_flight).await;
    assert!(
        seen.starts_with("HTTP/1.1 200 ") && seen.contains("\"allowed\":true"),
        "{seen}"
    );
    let (took, _) = read_to_end(&mut idle).await;
    assert!(took < Duration::from_millis(300), "idle connections end at once");
    timeout(Duration::from_secs(2), webhook.task)
        .await
        .expect("drained")
        .unwrap()
        .unwrap();
}
