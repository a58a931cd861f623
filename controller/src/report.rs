//! Tells the world: status on every path, events, metrics. The only writer of both after a turn. Must not: judge (`planner::assess` does).

use pgherd_model::api::status::{ClusterStatus, PostgresqlStatus};
use pgherd_planner::assess::Outcome;
use pgherd_planner::observed::ClusterView;
use pgherd_planner::plan::{Hold, Step};

use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::TurnError;

mod activity;
mod event;
mod status;

/// Words of a cluster that has not been made yet.
const UNMADE: [ClusterStatus; 2] = [ClusterStatus::Unknown, ClusterStatus::Creating];

/// What is told about one turn.
#[derive(Debug)]
pub struct Report<'a> {
    pub cluster: &'a ClusterRef,
    /// The manifest's metadata and its status before the turn.
    pub view: &'a ClusterView,
    /// The status after it; none for a cluster that is gone, or where the next turn is to tell it.
    pub status: Option<PostgresqlStatus>,
    pub done: &'a [&'a Step],
    pub outcome: &'a Outcome,
    /// What is wanted and not done.
    pub holds: &'a [Hold],
    /// What is wrong with the manifest or worth knowing: event reason and text, in a stable order.
    pub remarks: Vec<(String, String)>,
}

impl Report<'_> {
    /// The cluster is on its way, and nothing went wrong.
    fn is_of_creation(&self) -> bool {
        let after = self.status.as_ref().map(|status| status.postgres_cluster_status);
        let is_unmade = |word| UNMADE.contains(&word);
        is_unmade(self.view.status.postgres_cluster_status)
            && after.is_none_or(is_unmade)
            && self.view.deletion_timestamp.is_none()
    }
}

/// Events first: a status may wake people who then look for them. Only those of a cluster that is being made come in the background: a hundred
/// of them may be made at once, and what people wait for is that it runs. A status that cannot be written is an error of the turn; an event is not.
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
