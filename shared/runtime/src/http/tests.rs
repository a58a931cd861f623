//! Callers that are silent, slow or many, on a real port.

use std::net::SocketAddr;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;

const REQUEST: &[u8] = b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
const SOON: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

fn bounds() -> Bounds {
    Bounds {
        connections: 3,
        head: LONG,
        answer: LONG,
    }
}

async fn served(bounds: Bounds) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route(
            "/soon",
            get(async || {
                sleep(SOON).await;
                "late\n"
            }),
        )
        .route("/never", get(std::future::pending::<&str>));
    let ends = CancellationToken::new();
    let task = tokio::spawn(serve(listener, router, bounds, ends.clone().cancelled_owned()));
    (address, ends, task)
}

async fn call(address: SocketAddr, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    stream
}

/// All that comes until the connection ends, however it does.
async fn heard(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(LONG / 2, stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn whoever_asks_is_answered_though_others_hold_all_connections() {
    let (address, ..) = served(bounds()).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(call(address, b"GET /livez HTTP/1.1\r\n").await);
    }
    let mut asks = call(address, REQUEST).await;
    assert!(heard(&mut asks).await.ends_with("ok\n"));
    // Three were left when the last one came: itself, and the two youngest.
    for oldest in &mut held[..3] {
        assert_eq!(heard(oldest).await, "");
    }
    let mut youngest = held.pop().unwrap();
    youngest
        .write_all(b"host: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(heard(&mut youngest).await.ends_with("ok\n"));
}

#[tokio::test]
async fn a_silent_connection_ends() {
    let bounds = Bounds {
        head: SOON,
        ..bounds()
    };
    let (address, ..) = served(bounds).await;
    for begun in [&b""[..], b"GET /livez HTTP/1.1\r\nhost: "] {
        let since = Instant::now();
        let mut silent = call(address, begun).await;
        assert!(!heard(&mut silent).await.contains("200 OK"));
        assert!(since.elapsed() >= SOON, "{:?}", since.elapsed());
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_one_too() {
    let bounds = Bounds {
        answer: SOON,
        ..bounds()
    };
    let (address, ..) = served(bounds).await;
    let mut asks = call(
        address,
        b"GET /never HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    )
    .await;
    let answer = heard(&mut asks).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

#[tokio::test]
async fn at_the_end_a_request_gets_its_answer_and_an_idle_connection_none() {
    let (address, ends, task) = served(bounds()).await;
    let mut idle = call(address, b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let mut asks = call(address, b"GET /soon HTTP/1.1\r\nhost: a\r\n\r\n").await;
    sleep(SOON / 3).await;
    ends.cancel();
    assert!(heard(&mut asks).await.ends_with("late\n"));
    heard(&mut idle).await;
    timeout(LONG / 2, task).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
