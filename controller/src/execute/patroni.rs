//! What Patroni is asked to do: its dynamic configuration, a planned switchover, a restart of Postgres.

use std::net::IpAddr;

use kube::api::{Patch, PatchParams};
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::observed::ObjectRef;
use pgherd_planner::plan::Precondition;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::apply::{api, require};
use super::{Scene, handover};
use crate::context::Context;
use crate::error::TurnError;
use crate::patroni::members::members;
use crate::patroni::wire::REQUEST;

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

/// Empties what Patroni keeps of the request, as it does itself when one is over. Not noted in the cache: no watch covers the object.
pub(super) async fn take_back(
    context: &Context,
    target: &ObjectRef,
    precondition: &Precondition,
) -> Result<(), TurnError> {
    let gone: Map<String, Value> = REQUEST
        .map(|key| (key.to_owned(), Value::Null))
        .into_iter()
        .collect();
    let mut body = json!({"metadata": {"annotations": gone}});
    require(&mut body, precondition);
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    api(context, target)?
        .patch(&target.name, &params, &Patch::Merge(body))
        .await
        .map_err(|error| TurnError::kubernetes("patch", target, error))?;
    Ok(())
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
