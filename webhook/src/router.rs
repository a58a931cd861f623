//! From an HTTP request to a review and back: one slot per review, bounded bodies, and an answer whatever happens.
//!
//! What keeps a review from being made is an error of HTTP, so that the `failurePolicy` of the webhook configuration decides; only a
//! review itself denies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use pgherd_runtime::config_watch::{ConfigSource, ConfigState};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};
use tracing::{error, info};

use crate::admit::{Grounds, Route, admit};
use crate::denial;
use crate::limits::{BODY_LIMIT, Limits};
use crate::metrics::{Outcome, WebhookMetrics};
use crate::review::{Question, Verdict};

/// What all requests share.
#[derive(Debug)]
pub struct App {
    /// The operator's configuration.
    pub config: watch::Receiver<ConfigState>,
    /// Where it comes from.
    pub source: ConfigSource,
    /// The operator's own namespace.
    pub operator_namespace: String,
    /// Bounds.
    pub limits: Limits,
    /// Counters.
    pub metrics: WebhookMetrics,
    slots: Semaphore,
}

/// Why there is no review. Its text is for whoever reads the API server's log.
#[derive(Debug)]
struct Failure {
    code: StatusCode,
    outcome: Outcome,
    text: String,
}

impl App {
    /// An app with as many slots as its limits say.
    pub fn new(
        config: watch::Receiver<ConfigState>,
        source: ConfigSource,
        operator_namespace: String,
        limits: Limits,
        metrics: WebhookMetrics,
    ) -> Arc<Self> {
        let slots = Semaphore::new(limits.max_reviews);
        Arc::new(Self {
            config,
            source,
            operator_namespace,
            limits,
            metrics,
            slots,
        })
    }
}

/// All routes.
pub fn router(app: &Arc<App>) -> Router {
    Route::ALL.into_iter().fold(Router::new(), |router, route| {
        router.route(route.path(), post(answer).with_state((Arc::clone(app), route)))
    })
}

async fn answer(State((app, route)): State<(Arc<App>, Route)>, request: Request) -> Response {
    let start = Instant::now();
    let in_flight = app.metrics.in_flight();
    let outcome = review(&app, route, request).await;
    drop(in_flight);
    let (outcome, response) = match outcome {
        Ok((outcome, body)) => (
            outcome,
            ([(CONTENT_TYPE, "application/json")], body).into_response(),
        ),
        Err(failure) => {
            if failure.outcome != Outcome::Panicked {
                info!(route = route.path(), reason = %failure.text, "no review");
            }
            (failure.outcome, (failure.code, failure.text).into_response())
        }
    };
    app.metrics.count_review(route, outcome, start.elapsed());
    response
}

async fn review(app: &App, route: Route, request: Request) -> Result<(Outcome, Vec<u8>), Failure> {
    let (parts, body) = request.into_parts();
    is_json(&parts.headers)?;
    let Ok(Ok(_slot)) = timeout(app.limits.queue_timeout, app.slots.acquire()).await else {
        let text = format!("more than {} reviews at the same time", app.limits.max_reviews);
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Outcome::Overloaded,
            text,
        ));
    };
    let body = read(body, app).await?;
    let question = Question::read(&body)
        .map_err(|err| Failure::new(StatusCode::BAD_REQUEST, Outcome::Malformed, err.to_string()))?;
    let verdict = decide(app, route, &question)?;
    let outcome = report(app, route, &question, &verdict);
    let answer = verdict
        .answer(&question)
        .map_err(|err| Failure::bug(err.to_string()))?;
    Ok((outcome, answer))
}

fn is_json(headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if given
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    {
        return Ok(());
    }
    let text = format!("content type is {given:?}, expected application/json");
    Err(Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Outcome::Malformed,
        text,
    ))
}

async fn read(body: Body, app: &App) -> Result<Bytes, Failure> {
    let Ok(read) = timeout(app.limits.read_timeout, Limited::new(body, BODY_LIMIT).collect()).await else {
        let text = format!("the body took longer than {:?}", app.limits.read_timeout);
        return Err(Failure::new(StatusCode::REQUEST_TIMEOUT, Outcome::Slow, text));
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(err) if err.is::<LengthLimitError>() => {
            let text = format!("the body is larger than {BODY_LIMIT} bytes");
            Err(Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                Outcome::Oversized,
                text,
            ))
        }
        Err(err) => {
            let text = format!("cannot read the body: {err}");
            Err(Failure::new(StatusCode::BAD_REQUEST, Outcome::Malformed, text))
        }
    }
}

/// Decides with the configuration in force. A panic is a bug of ours, not a fault of the object.
fn decide(app: &App, route: Route, question: &Question) -> Result<Verdict, Failure> {
    let (config, is_loaded) = {
        let state = app.config.borrow();
        (Arc::clone(&state.config), state.is_loaded())
    };
    if !is_loaded {
        let text = format!("{} is not read yet", app.source);
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Outcome::Unready,
            text,
        ));
    }
    let grounds = Grounds {
        config: &config,
        source: &app.source,
        operator_namespace: &app.operator_namespace,
    };
    guarded(route, question, || admit(route, question, &grounds))
}

fn guarded(route: Route, question: &Question, decide: impl FnOnce() -> Verdict) -> Result<Verdict, Failure> {
    catch_unwind(AssertUnwindSafe(decide)).map_err(|_| {
        error!(
            route = route.path(), namespace = %question.namespace, name = %question.name,
            "panic in a review; please report this with the manifest"
        );
        Failure::bug("the review ended in a bug; please report this with the manifest".to_owned())
    })
}

/// One line for a denial, none for what is allowed.
fn report(app: &App, route: Route, question: &Question, verdict: &Verdict) -> Outcome {
    if verdict.violations.is_empty() {
        return if verdict.patch.is_some() {
            Outcome::Patched
        } else {
            Outcome::Allowed
        };
    }
    for violation in &verdict.violations {
        app.metrics.count_violation(violation.rule);
    }
    let fields: Vec<&str> = verdict
        .violations
        .iter()
        .map(|violation| violation.path.as_str())
        .collect();
    info!(
        route = route.path(),
        namespace = %question.namespace,
        name = %question.name,
        operation = %question.operation,
        user = %question.user,
        dry_run = question.is_dry_run,
        rules = %denial::rules(&verdict.violations),
        fields = %fields.join(","),
        "denied"
    );
    Outcome::Denied
}

impl Failure {
    fn new(code: StatusCode, outcome: Outcome, text: String) -> Self {
        Self { code, outcome, text }
    }

    fn bug(text: String) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Outcome::Panicked, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_is_an_error_for_the_failure_policy_to_judge() {
        let body = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"7"}}"#;
        let question = Question::read(body).unwrap();
        let failure = guarded(Route::ValidatePostgresql, &question, || panic!("sums are off")).unwrap_err();
        assert_eq!(failure.code, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!failure.text.contains("sums"), "{}", failure.text);
    }
}
