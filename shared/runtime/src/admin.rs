//! The admin port: is the process alive, is it ready, what does it count.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::http::{self, Bounds};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::shutdown::Shutdown;

/// What the encoder of the metrics writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves the admin port until the process's work has drained: run it as a companion.
///
/// # Errors
///
/// Never: it is a task, and tasks have results.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) -> Result<(), Infallible> {
    serve_router(listener, router(readiness, metrics, shutdown.clone()), shutdown).await
}

/// As [`serve`], with routes of the program's own beside those of [`router`].
///
/// # Errors
///
/// Never: it is a task, and tasks have results.
pub async fn serve_router(
    listener: TcpListener,
    router: Router,
    shutdown: Shutdown,
) -> Result<(), Infallible> {
    http::serve(listener, router, Bounds::default(), shutdown.drained()).await;
    Ok(())
}

/// The routes of the admin port.
pub fn router(readiness: Readiness, metrics: Arc<Metrics>, shutdown: Shutdown) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state((readiness, shutdown)))
        .route("/metrics", get(scrape).with_state(metrics))
}

async fn ready(State((readiness, shutdown)): State<(Readiness, Shutdown)>) -> Response {
    let mut closed = readiness.closed();
    if shutdown.has_begun() {
        closed.push(("shutdown", "the process is shutting down".to_owned()));
    }
    if closed.is_empty() {
        return "ok\n".into_response();
    }
    let mut body = "not ready\n".to_owned();
    for (gate, reason) in closed {
        body.extend([gate, ": ", &reason, "\n"]);
    }
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(err) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("cannot render metrics: {err}\n"),
        )
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn ask(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn closed_gates_are_named_until_they_open() {
        let (readiness, shutdown) = (Readiness::new(), Shutdown::new());
        let gate = readiness.gate("config", "ConfigMap ops/settings is not there");
        let router = router(readiness, Arc::new(Metrics::new("test")), shutdown.clone());
        let (status, body) = ask(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            body.contains("config: ConfigMap ops/settings is not there"),
            "{body}"
        );
        gate.open();
        assert_eq!(ask(&router, "/readyz").await.0, StatusCode::OK);
        shutdown.begin();
        let (status, body) = ask(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("shutdown"), "{body}");
        assert_eq!(
            ask(&router, "/livez").await.0,
            StatusCode::OK,
            "alive until the end"
        );
    }

    #[tokio::test]
    async fn metrics_are_text() {
        let router = router(Readiness::new(), Arc::new(Metrics::new("test")), Shutdown::new());
        let (status, body) = ask(&router, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.ends_with("# EOF\n"), "{body}");
    }
}
