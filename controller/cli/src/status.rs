//! How clusters do, as their status says. Must not: judge; the controller did.

use std::fmt::Write;

use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use pgherd_controller::error::said;
use pgherd_controller::kinds;
use pgherd_model::api::status::{PostgresqlStatus, StatusMember};
use pgherd_model::names::annotations::MODE;
use serde_json::{Value, json};

use crate::Verdict;
use crate::args::ListFormat;
use crate::args::online::StatusArgs;
use crate::error::CliError;
use crate::online::Server;
use crate::printer::{BAD, DOUBTFUL, GOOD, Printer, QUIET, TITLE, plain};

/// One cluster.
struct Shown {
    namespace: String,
    name: String,
    mode: Option<String>,
    status: PostgresqlStatus,
    /// As stored.
    raw: Value,
}

pub(crate) async fn status(args: &StatusArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let server = Server::reach(&args.reach).await?;
    let shown = read(&server, args).await?;
    let answer = match args.format {
        ListFormat::Text if shown.is_empty() => format!("{QUIET}no clusters{QUIET:#}\n"),
        ListFormat::Text => shown.iter().map(Shown::text).collect(),
        ListFormat::Json => format!(
            "{:#}\n",
            json!({
                "format": 1,
                "clusters": shown.iter().map(Shown::json).collect::<Vec<_>>(),
            })
        ),
    };
    printer.answer(&answer)?;
    let all_ready = shown.iter().all(|shown| shown.ready() == "True");
    Ok(if all_ready {
        Verdict::Fine
    } else {
        Verdict::Refused
    })
}

async fn read(server: &Server, args: &StatusArgs) -> Result<Vec<Shown>, CliError> {
    let failed = |error: &kube::Error| CliError::Kubernetes {
        what: "list postgresqls".to_owned(),
        said: said(error),
    };
    let api: Api<DynamicObject> = if args.which.all_namespaces {
        Api::all_with(server.client.clone(), &kinds::postgresql())
    } else {
        server.clusters(&server.namespace)
    };
    let listed = api
        .list(&ListParams::default())
        .await
        .map_err(|error| failed(&error))?;
    let all: Vec<Shown> = listed.items.iter().map(Shown::of).collect();
    if args.which.clusters.is_empty() {
        return Ok(all);
    }
    let named = |name: &String| all.iter().any(|shown| shown.name == *name);
    if let Some(missing) = args.which.clusters.iter().find(|name| !named(name)) {
        return Err(CliError::NoSuchCluster {
            cluster: server.named(missing).to_string(),
        });
    }
    Ok(all
        .into_iter()
        .filter(|shown| args.which.clusters.contains(&shown.name))
        .collect())
}

impl Shown {
    fn of(object: &DynamicObject) -> Self {
        let raw = object.data.get("status").cloned().unwrap_or_default();
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            mode: object.annotations().get(MODE).cloned(),
            status: serde_json::from_value(raw.clone()).unwrap_or_default(),
            raw,
        }
    }

    fn ready(&self) -> &str {
        let mut conditions = self.status.conditions.iter();
        conditions
            .find(|it| it.type_ == "Ready")
            .map_or("Unknown", |it| it.status.as_str())
    }

    fn text(&self) -> String {
        let status = &self.status;
        let (style, ready) = match self.ready() {
            "True" => (GOOD, "ready"),
            "False" => (BAD, "not ready"),
            _ => (DOUBTFUL, "not known"),
        };
        let title = plain(&format!("{}/{}", self.namespace, self.name));
        let word = status.postgres_cluster_status.as_str();
        let mode = self
            .mode
            .as_ref()
            .map(|mode| format!(", mode {}", plain(mode)))
            .unwrap_or_default();
        let mut text = format!("{TITLE}{title}{TITLE:#}  {style}{ready}{style:#}  {word}{mode}\n");
        let unready = status
            .conditions
            .iter()
            .find(|it| it.type_ == "Ready" && it.status != "True");
        // Writing into a string cannot fail.
        if let Some(condition) = unready.filter(|condition| !condition.message.is_empty()) {
            let _ = writeln!(text, "  {}", plain(&condition.message));
        }
        for member in &status.members {
            let _ = writeln!(text, "  {}", plain(&line(member)));
        }
        for step in status.plan.iter().flat_map(|plan| &plan.steps) {
            let _ = writeln!(text, "  {DOUBTFUL}next:{DOUBTFUL:#} {}", plain(step));
        }
        for hold in &status.holds {
            let _ = writeln!(
                text,
                "  {DOUBTFUL}waits:{DOUBTFUL:#} {}: {}",
                plain(&hold.step),
                plain(&hold.reason)
            );
        }
        text
    }

    fn json(&self) -> Value {
        let mut status = self.raw.clone();
        if let Some(fields) = status.as_object_mut() {
            fields.remove("lastGoodSpec");
        }
        json!({
            "namespace": self.namespace,
            "name": self.name,
            "ready": self.ready(),
            "mode": self.mode,
            "status": status,
        })
    }
}

fn line(member: &StatusMember) -> String {
    let role = member.role.as_deref().unwrap_or("member");
    let state = member.state.as_deref().unwrap_or("not known");
    let mut line = format!("{}  {role}  {state}", member.name);
    if let Some(lag) = member.lag_bytes {
        let _ = write!(line, "  {lag} bytes behind");
    }
    if member.pending_restart == Some(true) {
        line.push_str("  waits for a restart");
    }
    if member.ready == Some(false) {
        line.push_str("  pod not ready");
    }
    line
}
