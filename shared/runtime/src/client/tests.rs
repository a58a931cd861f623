//! The client's errors say what to do; its requests are counted and end in time.

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::watcher::{Event, watcher};
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
    client_with(listener, meter, READ_TIMEOUT)
}

/// A client that takes a connection for dead after so much silence.
fn client_with(listener: &TcpListener, meter: &Meter, silence: Duration) -> Client {
    let url = format!("http://{}", listener.local_addr().unwrap());
    build(
        Config::new(url.parse().unwrap()),
        &args(None),
        "test",
        meter,
        silence,
    )
    .unwrap()
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
        text.contains("pgherd_api_requests_total{verb=\"get\",resource=\"other\",code=\"0\"} 1"),
        "{text}"
    );
}

/// Lists nothing, and begins a watch of which nothing is ever heard.
fn list_and_fall_silent(listener: TcpListener) {
    let list = r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[]}"#;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut request).await {
                    let is_watch = String::from_utf8_lossy(&request[..read]).contains("watch=true");
                    let answer = if is_watch {
                        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned()
                    } else {
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{list}", list.len())
                    };
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
}

#[tokio::test]
async fn watch_that_falls_silent_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_with(&listener, &Meter::default(), Duration::from_millis(500));
    list_and_fall_silent(listener);
    let events = watcher(Api::<ConfigMap>::namespaced(client, "any"), watching());
    pin_mut!(events);
    assert!(matches!(events.next().await, Some(Ok(Event::Init))));
    assert!(matches!(events.next().await, Some(Ok(Event::InitDone))));
    let next = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    let next = next.expect("it waits for the dead");
    assert!(matches!(next, Some(Err(_))), "{next:?}");
}

#[test]
fn silence_is_noticed_within_a_minute_and_watches_end_before_it_is() {
    let margin = Duration::from_secs(5);
    assert!(WATCH_LIFE + margin < READ_TIMEOUT && READ_TIMEOUT < Duration::from_mins(1));
    assert_eq!(watching().timeout, Some(40));
}
