//! What Patroni is asked to do: its dynamic configuration, a planned switchover, a restart of Postgres.

use std::net::IpAddr;

use serde_json::Value;
use tokio::time::Instant;

use super::{Scene, handover};
use crate::context::Context;
use crate::error::TurnError;
use crate::patroni::members::members;

/// Merges into the configuration through the first member that takes it. Idempotent.
pub(super) async fn patch(context: &Context, scene: &Scene<'_>, patch: &Value) -> Result<(), TurnError> {
    let mut result = Err(TurnError::NoMember("no pod runs"));
    for (_, address) in members(scene.pods) {
        result = context
            .patroni
            .patch_config(address, patch)
            .await
            .map_err(TurnError::from);
        if result.is_ok() {
            context
                .memories
                .with(scene.cluster, |memory| memory.patroni_changed(Instant::now()));
            break;
        }
    }
    result
}

/// Asks the leader to hand over. One that does not lead any more refuses: somebody was faster.
pub(super) async fn switch_over(
    context: &Context,
    scene: &Scene<'_>,
    leader: &str,
    candidate: &str,
) -> Result<(), TurnError> {
    let at = address(scene, leader)?;
    tokio::select! {
        answer = context.patroni.switch_over(at, leader, candidate) => Ok(answer?),
        never = handover::guide(context, scene, at, leader, candidate) => match never {},
    }
}

/// Restarts Postgres in one member, unless it waits for nothing any more.
pub(super) async fn restart(context: &Context, scene: &Scene<'_>, member: &str) -> Result<(), TurnError> {
    Ok(context.patroni.restart_pending(address(scene, member)?).await?)
}

fn address(scene: &Scene<'_>, member: &str) -> Result<IpAddr, TurnError> {
    let mut running = members(scene.pods).into_iter();
    let found = running.find(|(name, _)| *name == member);
    found
        .map(|(_, address)| address)
        .ok_or(TurnError::NoMember("the member's pod does not run"))
}
