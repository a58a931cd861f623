//! The HTTP interface of Zalando's operator (zalando-behaviour 4.19), on `api_port`: same paths, same names, no authentication, and therefore no
//! secret. Lives here: paths, and the port that follows the configuration. Must not: what an answer is made of (`answers`, `config`).
//!
//! ```text
//! /status/  /readyz/  /config/  /databases/  /clusters/[TEAM/]  /clusters/NAMESPACE/NAME/[logs|history]/
//! /workers/NUMBER/logs|queue|status  /workers/all/queue|status
//! ```

use std::net::Ipv6Addr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pgherd_runtime::http::{self, Bounds};
use pgherd_runtime::listen::{ListenError, listen};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::context::Context;

mod answers;
mod config;

/// A port that is taken is tried again after so long.
const RETRY: Duration = Duration::from_secs(30);

/// What only the process's arguments tell.
#[derive(Debug, Clone)]
pub struct Identity {
    pub namespace: String,
    pub config_map: String,
    pub no_database_access: bool,
    pub no_teams_api: bool,
    pub json_logging: bool,
    /// How many clusters have a turn at the same time.
    pub workers: usize,
}

/// What the answers are made of.
#[derive(Debug, Clone)]
struct Desk {
    context: Context,
    identity: Identity,
}

/// Serves until it is dropped. That the port cannot be had is worth a warning, not an end: nothing of the clusters depends on it.
pub async fn serve(context: Context, identity: Identity) {
    let mut settings = context.config.clone();
    let router = router(context, identity);
    let mut told = None;
    loop {
        let port = settings.borrow_and_update().logging_rest_api.api_port;
        let stop = CancellationToken::new();
        let moved = async {
            let _ = settings
                .wait_for(|config| config.logging_rest_api.api_port != port)
                .await;
            stop.cancel();
        };
        let served = one(port, router.clone(), stop.clone());
        // Of one port it is said once, however often it is tried.
        tokio::select! {
            served = served => {
                if let Err(error) = served
                    && told.replace(port) != Some(port)
                {
                    tracing::warn!(%error, "no answers on api_port; trying again until there are");
                }
                tokio::time::sleep(RETRY).await;
            }
            () = moved => {}
        }
    }
}

async fn one(port: u16, router: Router, stop: CancellationToken) -> Result<(), ListenError> {
    let listener = listen((Ipv6Addr::UNSPECIFIED, port).into(), "api_port").await?;
    http::serve(listener, router, Bounds::default(), stop.cancelled_owned()).await;
    Ok(())
}

fn router(context: Context, identity: Identity) -> Router {
    Router::new().fallback(get(answer).with_state(Desk { context, identity }))
}

/// What goes on, as text: for the admin port.
pub fn debug(context: Context) -> Router {
    Router::new().route("/debug/tasks", get(tasks).with_state(context))
}

async fn tasks(State(context): State<Context>) -> String {
    answers::tasks(&context)
}

async fn answer(State(desk): State<Desk>, uri: Uri) -> Response {
    let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let (code, body) = match find(&desk, &parts) {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": error })),
    };
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (code, kind, format!("{body}\n")).into_response()
}

fn find(desk: &Desk, parts: &[&str]) -> Result<Value, &'static str> {
    let (context, identity) = (&desk.context, &desk.identity);
    match parts {
        ["status"] => Ok(answers::status(context, identity.workers)),
        ["readyz"] => Ok(Value::from("OK")),
        ["config"] => Ok(config::answer(&context.config(), identity)),
        ["databases"] => Ok(answers::databases(context)),
        ["clusters"] => Ok(answers::by_team(context)),
        ["clusters", team] => answers::of_team(context, team),
        ["clusters", namespace, name] => answers::cluster(context, namespace, name),
        ["clusters", namespace, name, "logs"] => answers::lines(context, namespace, name),
        ["clusters", namespace, name, "history"] => answers::history(context, namespace, name),
        ["workers", "all", "queue"] => Ok(answers::queues(context, identity.workers)),
        ["workers", "all", "status"] => Ok(answers::workers(context, identity.workers)),
        ["workers", number, what] => {
            let number: usize = number.parse().map_err(|_| "page not found")?;
            if number >= identity.workers {
                return Err("could not find worker");
            }
            match *what {
                "queue" => Ok(answers::queue(context, number)),
                "status" => Ok(answers::worker(context, number)),
                "logs" => Ok(answers::worker_lines(context, number)),
                _ => Err("page not found"),
            }
        }
        _ => Err("page not found"),
    }
}

#[cfg(test)]
mod tests;
