//! Finalizers of the `postgresql` object. Others' finalizers are left as they are.

use kube::api::{Patch, PatchParams};
use pgherd_model::names::operator::FIELD_MANAGER;
use serde_json::json;

use super::Scene;
use crate::context::Context;
use crate::error::{TurnError, is_not_found};

pub(super) async fn add(context: &Context, scene: &Scene<'_>, name: &str) -> Result<(), TurnError> {
    let mut finalizers = scene.view.finalizers.clone();
    if finalizers.iter().any(|present| present == name) {
        return Ok(());
    }
    finalizers.push(name.to_owned());
    replace(context, scene, &finalizers).await
}

/// An object that is gone has no finalizer to remove.
pub(super) async fn remove(context: &Context, scene: &Scene<'_>, name: &str) -> Result<(), TurnError> {
    let finalizers: Vec<String> = scene
        .view
        .finalizers
        .iter()
        .filter(|present| *present != name)
        .cloned()
        .collect();
    match replace(context, scene, &finalizers).await {
        Err(TurnError::Kubernetes { answer, .. }) if is_not_found(&answer) => Ok(()),
        other => other,
    }
}

/// Replaces the whole list, provided that nobody changed the object since it was read.
async fn replace(context: &Context, scene: &Scene<'_>, finalizers: &[String]) -> Result<(), TurnError> {
    let body =
        json!({"metadata": {"finalizers": finalizers, "resourceVersion": scene.view.resource_version}});
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let api = context.postgresqls(&scene.cluster.namespace);
    let written = api.patch(&scene.cluster.name, &params, &Patch::Merge(body)).await;
    let written = written.map_err(|error| {
        TurnError::kubernetes(
            "change finalizers of",
            &format!("postgresql {}", scene.cluster),
            error,
        )
    })?;
    context
        .cache
        .manifests
        .succeed(scene.cluster, &scene.view.resource_version, written);
    Ok(())
}
