//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;
use tracing::debug;

use super::Hall;
use super::pace::{End, Pace, Paced, paced};

/// Idle for so long, a connection is not one that its client is about to pick.
const QUIET: Duration = Duration::from_millis(250);
/// What is read of a request before anybody asks for it.
const READ_AHEAD: usize = 64 << 10;

/// Serves one connection.
pub(super) async fn attend(hall: &Hall, stream: TcpStream, peer: SocketAddr) {
    let Some(stream) = handshake(hall, stream, peer).await else {
        return;
    };
    let (pace, born) = (Pace::new(&hall.app.limits), Instant::now());
    let service = service_fn(|request| respond(hall, &pace, born, request));
    let io = TokioIo::new(Paced::new(stream, pace.clone()));
    // hyper's own header timeout would also run while the connection is idle; `pace` tells these apart.
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(READ_AHEAD)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let end = tokio::select! {
        end = paced(connection.as_mut(), &pace) => end,
        () = dismissed(hall, &pace) => {
            pace.dismiss();
            connection.as_mut().graceful_shutdown();
            paced(connection.as_mut(), &pace).await
        }
    };
    match end {
        End::Closed => {}
        End::Broken(reason) => debug!(%peer, %reason, "connection broke"),
        End::Slow => debug!(%peer, "connection closed: nothing came in time"),
    }
}

/// Waits until the connection is to be closed, after the request in progress if there is one. Those that lie idle are closed soon after
/// shutdown begins, not at its end: whoever is in a hurry (a pod deleted by force) leaves us two seconds, and a client that picks a dead
/// connection has lost its call. Not at once either: clients pick those that they used last, maybe at this moment.
async fn dismissed(hall: &Hall, pace: &Pace) {
    let quiet = async {
        hall.shutdown.begun().await;
        while pace.idle_for().is_none_or(|idle| idle < QUIET) {
            sleep(QUIET / 5).await;
        }
    };
    tokio::select! {
        () = quiet => {}
        () = hall.closing.cancelled() => {}
    }
}

async fn handshake(hall: &Hall, stream: TcpStream, peer: SocketAddr) -> Option<TlsStream<TcpStream>> {
    let reason = match timeout(hall.app.limits.handshake_timeout, hall.tls.accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(err)) => {
            let reason = reason(&err);
            debug!(%peer, %err, reason, "handshake failed");
            reason
        }
        Err(_) => {
            debug!(%peer, "handshake timed out");
            "timeout"
        }
    };
    hall.app.metrics.count_handshake_failure(reason);
    None
}

/// Few words, for a metric's label.
fn reason(err: &io::Error) -> &'static str {
    let tls = err
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::AlertReceived(_)) => "refused_by_client",
        Some(rustls::Error::NoApplicationProtocol | rustls::Error::PeerIncompatible(_)) => "incompatible",
        Some(rustls::Error::InvalidMessage(_)) => "not_tls",
        Some(_) => "tls",
        None => "closed",
    }
}

async fn respond(
    hall: &Hall,
    pace: &Pace,
    born: Instant,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    pace.begin();
    let mut response = hall.router.clone().oneshot(request.map(Body::new)).await?;
    if hall.shutdown.has_begun() || born.elapsed() > hall.app.limits.connection_age {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    pace.rest();
    Ok(response)
}
