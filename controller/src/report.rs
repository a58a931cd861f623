//! Tells the world: status on every path, events, metrics. The only writer of both after a turn. Must not: judge (`planner::assess` does).

use pgherd_model::api::status::PostgresqlStatus;
use pgherd_planner::assess::Outcome;
use pgherd_planner::observed::ClusterView;
use pgherd_planner::plan::Step;

use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::TurnError;

mod activity;
mod event;
mod status;

/// What is told about one turn.
#[derive(Debug)]
pub struct Report<'a> {
    pub cluster: &'a ClusterRef,
    /// The manifest's metadata and its status before the turn.
    pub view: &'a ClusterView,
    /// The status after it; none for a cluster that is gone.
    pub status: Option<PostgresqlStatus>,
    pub done: &'a [&'a Step],
    pub outcome: &'a Outcome,
    /// What is wrong with the manifest or worth knowing: event reason and text, in a stable order.
    pub remarks: Vec<(String, String)>,
}

/// Events first: a status may wake people who then look for them. A status that cannot be written is an error of the turn; an event is not.
/// Without the lease nothing is said: what the next holder says is later. When merely stopping, what was done is still told.
pub async fn report(context: &Context, report: Report<'_>) -> Result<(), TurnError> {
    if !context.authority.leads() {
        tracing::info!("lease lost; not reporting");
        return Ok(());
    }
    activity::note(context, &report);
    event::of_turn(context, &report).await;
    match &report.status {
        Some(status) => status::write(context, report.cluster, report.view, status).await,
        None => Ok(()),
    }
}
