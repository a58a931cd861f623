//! From an HTTP request to a review and back: room for its body, a turn to be decided, and an answer whatever happens.
//!
//! What keeps a review from being made is an error of HTTP, so that the `failurePolicy` of the webhook configuration decides; only a
//! review itself denies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::BodyExt;
use pgherd_model::validate::{self, Severity};
use pgherd_runtime::config_source::ConfigSource;
use pgherd_runtime::config_watch::ConfigState;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{error, info};

use crate::admit::{Grounds, admit, configuration_change};
use crate::budget::{Arrival, Budget, Full};
use crate::fleet;
use crate::impact::ConfigurationChange;
use crate::limits::{BODY_LIMIT, Limits};
use crate::lookup::{Lookup, Related};
use crate::metrics::{Operation, Outcome, WebhookMetrics};
use crate::review::{Question, Verdict, denial};
use crate::route::Route;

/// What all requests share.
#[derive(Debug)]
pub struct App {
    /// The operator's configuration.
    pub config: watch::Receiver<ConfigState>,
    /// Where it comes from.
    pub source: ConfigSource,
    /// The operator's own namespace.
    pub operator_namespace: String,
    /// Where to look for what a review needs beside its object.
    pub lookup: Lookup,
    /// Bounds.
    pub limits: Limits,
    /// Counters.
    pub metrics: WebhookMetrics,
    budget: Budget,
}

/// Why there is no review. Its text is for whoever reads the API server's log.
#[derive(Debug)]
struct Failure {
    code: StatusCode,
    outcome: Outcome,
    text: String,
}

impl App {
    /// An app with as much room as its limits say.
    pub fn new(
        config: watch::Receiver<ConfigState>,
        source: ConfigSource,
        operator_namespace: String,
        lookup: Lookup,
        limits: Limits,
        metrics: WebhookMetrics,
    ) -> Arc<Self> {
        let budget = Budget::new(&limits);
        Arc::new(Self {
            config,
            source,
            operator_namespace,
            lookup,
            limits,
            metrics,
            budget,
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
    let mut operation = Operation::Unknown;
    let outcome = review(&app, route, request, &mut operation).await;
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
            (failure.outcome, failure.into_response())
        }
    };
    app.metrics
        .count_review(route, operation, outcome, start.elapsed());
    response
}

async fn review(
    app: &App,
    route: Route,
    request: Request,
    operation: &mut Operation,
) -> Result<(Outcome, Vec<u8>), Failure> {
    let (parts, body) = request.into_parts();
    is_json(&parts.headers)?;
    let (body, _arrival) = read(body, app).await?;
    let _turn = app
        .budget
        .turn(body.len())
        .await
        .map_err(|full| Failure::full(full, app))?;
    let question = Question::read(&body)
        .map_err(|err| Failure::new(StatusCode::BAD_REQUEST, Outcome::Malformed, err.to_string()))?;
    drop(body);
    *operation = Operation::of(&question.operation);
    let related = app.lookup.related(route, &question).await;
    let (mut verdict, change) = decide(app, route, &question, &related)?;
    if let (Some(change), Some(client)) = (change, app.lookup.client()) {
        verdict
            .warnings
            .insert(0, Box::pin(fleet::line(client.clone(), change)).await);
    }
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

/// Reads a body, with the room that it takes. Waiting for its client costs nobody else a turn.
async fn read(body: Body, app: &App) -> Result<(Vec<u8>, Arrival<'_>), Failure> {
    let announced = body
        .size_hint()
        .exact()
        .and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > BODY_LIMIT) {
        return Err(oversized());
    }
    let mut arrival = app
        .budget
        .arrival(announced)
        .await
        .map_err(|full| Failure::full(full, app))?;
    let Ok(read) = timeout(app.limits.read_timeout, collect(body, &mut arrival, app)).await else {
        let text = format!("the body took longer than {:?}", app.limits.read_timeout);
        return Err(Failure::new(StatusCode::REQUEST_TIMEOUT, Outcome::Slow, text));
    };
    Ok((read?, arrival))
}

async fn collect(mut body: Body, arrival: &mut Arrival<'_>, app: &App) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|err| {
            let text = format!("cannot read the body: {err}");
            Failure::new(StatusCode::BAD_REQUEST, Outcome::Malformed, text)
        })?;
        let Some(part) = frame.data_ref() else { continue };
        let length = bytes.len() + part.len();
        if length > BODY_LIMIT {
            return Err(oversized());
        }
        arrival
            .grow(length)
            .await
            .map_err(|full| Failure::full(full, app))?;
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}

fn oversized() -> Failure {
    let text = format!("the body is larger than {BODY_LIMIT} bytes");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, Outcome::Oversized, text)
}

/// Decides with the configuration in force. A panic is a bug of ours, not a fault of the object. What is accepted and changes that
/// configuration comes with the change.
fn decide(
    app: &App,
    route: Route,
    question: &Question,
    related: &Related,
) -> Result<(Verdict, Option<ConfigurationChange>), Failure> {
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
        related,
    };
    guarded(route, question, || {
        let verdict = admit(route, question, &grounds);
        let is_accepted = verdict.violations.is_empty();
        let change = is_accepted.then(|| configuration_change(route, question, &grounds));
        (verdict, change.flatten())
    })
}

fn guarded<T>(route: Route, question: &Question, decide: impl FnOnce() -> T) -> Result<T, Failure> {
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
    for rule in verdict.warnings.iter().filter_map(|warning| warned_by(warning)) {
        app.metrics.count_violation(rule, Severity::Warn);
    }
    if verdict.violations.is_empty() {
        return if verdict.patch.is_some() {
            Outcome::Patched
        } else {
            Outcome::Allowed
        };
    }
    for violation in &verdict.violations {
        app.metrics.count_violation(violation.rule, Severity::Deny);
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

impl IntoResponse for Failure {
    /// What will pass is worth another try: API servers make it, within the call's timeout.
    fn into_response(self) -> Response {
        if self.code == StatusCode::SERVICE_UNAVAILABLE {
            return (self.code, [(RETRY_AFTER, "1")], self.text).into_response();
        }
        (self.code, self.text).into_response()
    }
}

/// The rule that a warning names at its end, if it is of a rule.
fn warned_by(warning: &str) -> Option<&'static str> {
    let (_, last) = warning.strip_suffix(')')?.rsplit_once('(')?;
    validate::rule(last).map(|rule| rule.id)
}

impl Failure {
    fn full(Full: Full, app: &App) -> Self {
        let text = format!("no room for this review within {:?}", app.limits.queue_timeout);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Outcome::Overloaded, text)
    }

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
        let failure =
            guarded::<Verdict>(Route::ValidatePostgresql, &question, || panic!("sums are off")).unwrap_err();
        assert_eq!(failure.code, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!failure.text.contains("sums"), "{}", failure.text);
    }
}
