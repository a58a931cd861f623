//! Small changes of objects that exist. Must not: touch more than the one field each is about.

use std::collections::BTreeMap;

use json_patch::Patch as Operations;
use kube::api::{Patch, PatchParams};
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::observed::ObjectRef;
use pgherd_planner::plan::Precondition;
use serde_json::{Value, json};

use super::Scene;
use super::apply::{api, is_of_patroni, remember, require};
use crate::context::Context;
use crate::error::{TurnError, is_not_found};

/// JSON patch; the plan puts the test of the resourceVersion into it.
pub(super) async fn patch(
    context: &Context,
    scene: &Scene<'_>,
    target: &ObjectRef,
    operations: &Operations,
) -> Result<(), TurnError> {
    let outcome = send(context, scene, target, Patch::<Value>::Json(operations.clone())).await;
    if outcome.is_err() && is_of_patroni(target) {
        // It may be another one than was seen.
        context
            .memories
            .with(scene.cluster, |memory| memory.note_owners(target, None));
    }
    outcome
}

pub(super) async fn scale(
    context: &Context,
    scene: &Scene<'_>,
    target: &ObjectRef,
    replicas: i32,
    precondition: &Precondition,
) -> Result<(), TurnError> {
    merge(
        context,
        scene,
        target,
        json!({"spec": {"replicas": replicas}}),
        precondition,
    )
    .await
}

pub(super) async fn grow(
    context: &Context,
    scene: &Scene<'_>,
    target: &ObjectRef,
    size: &str,
    precondition: &Precondition,
) -> Result<(), TurnError> {
    let body = json!({"spec": {"resources": {"requests": {"storage": size}}}});
    merge(context, scene, target, body, precondition).await
}

/// By key; without a value it goes.
type Changes = BTreeMap<String, Option<String>>;

/// Sets labels and annotations of what is still there.
pub(super) async fn relabel(
    context: &Context,
    scene: &Scene<'_>,
    target: &ObjectRef,
    (labels, annotations): (&Changes, &Changes),
    precondition: &Precondition,
) -> Result<(), TurnError> {
    let body = json!({"metadata": {"labels": labels, "annotations": annotations}});
    match merge(context, scene, target, body, precondition).await {
        Err(TurnError::Kubernetes { answer, .. }) if is_not_found(&answer) => Ok(()),
        outcome => outcome,
    }
}

/// Merge patch under the step's precondition.
pub(super) async fn merge(
    context: &Context,
    scene: &Scene<'_>,
    target: &ObjectRef,
    mut body: Value,
    precondition: &Precondition,
) -> Result<(), TurnError> {
    require(&mut body, precondition);
    send(context, scene, target, Patch::Merge(body)).await
}

async fn send(
    context: &Context,
    scene: &Scene<'_>,
    target: &ObjectRef,
    patch: Patch<Value>,
) -> Result<(), TurnError> {
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let written = api(context, target)?
        .patch(&target.name, &params, &patch)
        .await
        .map_err(|error| TurnError::kubernetes("patch", target, error))?;
    remember(context, scene, target, written);
    Ok(())
}
