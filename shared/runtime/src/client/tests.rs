//! The client's errors say what to do; its requests are counted and end in time.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::metrics::Metrics;

fn args(kubeconfig: Option<PathBuf>) -> ClientArgs {
    ClientArgs {
        kubeconfig,
        out_of_cluster: false,
        context: None,
        connect_patience: Duration::ZERO,
        request_timeout: Duration::from_millis(300),
    }
}

fn client_for(listener: &TcpListener, meter: &Meter) -> Client {
    let url = format!("http://{}", listener.local_addr().unwrap());
    build(Config::new(url.parse().unwrap()), &args(None), "test", meter).unwrap()
}

/// Answers every connection with the same bytes.
fn answer_with(listener: TcpListener, answer: &'static str) {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                drop(stream);
            });
        }
    });
}

#[tokio::test]
async fn kubeconfig_that_is_not_there_is_named() {
    let path = PathBuf::from("no/such/kubeconfig");
    let err = connect(&args(Some(path)), "test", &Meter::default())
        .await
        .err()
        .unwrap();
    let text = err.to_string();
    assert!(matches!(err, ClientError::Kubeconfig { .. }), "{text}");
    assert!(
        text.contains("no/such/kubeconfig") && text.contains("--kubeconfig"),
        "{text}"
    );
}

#[tokio::test]
async fn api_server_that_is_away_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_for(&listener, &Meter::default());
    let server = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let err = answers(&client, server.clone(), Duration::ZERO)
        .await
        .unwrap_err();
    assert!(matches!(err, ClientError::Away { .. }), "{err}");
    assert!(err.to_string().contains(&server), "{err}");
}

#[tokio::test]
async fn api_server_that_refuses_is_told_apart_from_one_that_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_for(&listener, &Meter::default());
    let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"who are you","reason":"Unauthorized","code":401}"#;
    let answer = format!(
        "HTTP/1.1 401 x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    answer_with(listener, answer.leak());
    let err = answers(&client, "there".to_owned(), Duration::ZERO)
        .await
        .unwrap_err();
    assert!(
        matches!(&err, ClientError::Refused { reason, .. } if reason == "who are you"),
        "{err}"
    );
}

#[tokio::test]
async fn silent_server_is_not_waited_for_and_the_request_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut metrics = Metrics::new("test");
    let meter = Meter::registered(metrics.registry());
    let client = client_for(&listener, &meter);
    answer_with(listener, "");
    let start = Instant::now();
    let err = client.apiserver_version().await.unwrap_err();
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "waited {:?} for {err}",
        start.elapsed()
    );
    let text = metrics.render().unwrap();
    assert!(
        text.contains("pgherd_api_requests_total{verb=\"get\",code=\"0\"} 1"),
        "{text}"
    );
}
