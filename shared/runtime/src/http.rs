//! HTTP without TLS on a port that anybody in reach may call. Lives here: that nobody can take the port from the others, by silence, by slowness
//! or by number. Must not: what is answered.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

/// When the system refuses to accept (no file descriptors left, say), it gets a moment.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What callers get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Open at the same time. One more ends the oldest: whoever only holds connections is in nobody's way, least of all the kubelet's.
    pub connections: usize,
    /// From a connection's begin, or its last answer, to the end of a request's head.
    pub head: Duration,
    /// From there to the answer; also what is left to connections at the end.
    pub answer: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 64,
            head: Duration::from_secs(10),
            answer: Duration::from_secs(10),
        }
    }
}

/// Serves until `ends` is ready; connections may then finish what they are at.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, ends: impl Future<Output = ()>) {
    let mut hall = Hall {
        router,
        bounds,
        closing: CancellationToken::new(),
        open: JoinSet::new(),
        by_age: VecDeque::new(),
    };
    let mut ends = pin!(ends);
    loop {
        tokio::select! {
            () = &mut ends => break,
            Some(_) = hall.open.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => hall.admit(stream),
                Err(error) => {
                    warn!(%error, "cannot accept a connection; trying again");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    hall.close().await;
}

/// The open connections.
struct Hall {
    router: Router,
    bounds: Bounds,
    closing: CancellationToken,
    open: JoinSet<()>,
    by_age: VecDeque<AbortHandle>,
}

impl Hall {
    fn admit(&mut self, stream: TcpStream) {
        self.by_age.retain(|connection| !connection.is_finished());
        while self.by_age.len() >= self.bounds.connections
            && let Some(oldest) = self.by_age.pop_front()
        {
            debug!("too many connections: the oldest one ends");
            oldest.abort();
        }
        let attended = attend(stream, self.router.clone(), self.bounds, self.closing.clone());
        self.by_age.push_back(self.open.spawn(attended));
    }

    async fn close(mut self) {
        self.closing.cancel();
        let all = async { while self.open.join_next().await.is_some() {} };
        if timeout(self.bounds.answer, all).await.is_err() {
            debug!("connections that do not end are dropped");
        }
    }
}

async fn attend(stream: TcpStream, router: Router, bounds: Bounds, closing: CancellationToken) {
    let service = service_fn(|request| respond(router.clone(), bounds.answer, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let end = tokio::select! {
        end = connection.as_mut() => end,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = end {
        debug!(%error, "a connection broke or was silent for too long");
    }
}

async fn respond(
    router: Router,
    patience: Duration,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    match timeout(patience, router.oneshot(request.map(Body::new))).await {
        Ok(answer) => answer,
        Err(_) => Ok(StatusCode::SERVICE_UNAVAILABLE.into_response()),
    }
}

#[cfg(test)]
mod tests;
