//! Who is trusted, and what happens to connections when certificates change.

use std::time::Duration;

use crate::harness::{Webhook, authority, creation, leaf, manifest};

const VALIDATE: &str = "/validate/postgresql";

#[tokio::test]
async fn client_with_another_authority_refuses_us() {
    let webhook = Webhook::start().await;
    let stranger = authority();
    let err = webhook.stream_trusting(stranger.certificate()).await.unwrap_err();
    assert!(
        err.to_string().contains("UnknownIssuer") || err.to_string().contains("BadSignature"),
        "{err}"
    );
    tokio::time::sleep(Duration::from_millis(100)).await;
    let refused = webhook.metric("pgherd_handshake_failures_total{reason=\"refused_by_client\"}");
    assert_eq!(refused.as_deref(), Some("1"));
}

#[tokio::test]
async fn new_certificate_serves_new_connections_while_open_ones_go_on() {
    let webhook = Webhook::start().await;
    let mut open = webhook.connect().await;
    assert_eq!(
        open.ask(VALIDATE, creation(&manifest("acid-a"))).await["allowed"],
        true
    );
    let next = authority();
    webhook.serving.swap(leaf(&next));
    assert_eq!(
        open.ask(VALIDATE, creation(&manifest("acid-a"))).await["allowed"],
        true,
        "the open one goes on"
    );
    assert!(
        webhook.stream().await.is_err(),
        "new ones get the new certificate"
    );
    assert!(webhook.stream_trusting(next.certificate()).await.is_ok());
}
