//! Writes the status, when it changed.

use kube::api::{Patch, PatchParams};
use pgherd_model::api::status::PostgresqlStatus;
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::observed::ClusterView;
use serde_json::json;

use super::activity::compare;
use crate::cache::Manifest;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::{TurnError, is_not_found};

/// Puts the whole status in place of the present one, so that what is no longer said goes. Not by server-side apply: where the last field
/// of an object goes, that leaves a null, which the CRD's schema refuses. The test of the uid keeps it off a successor of the same name.
/// Without resourceVersion: the status says which generation it speaks of.
pub(super) async fn write(
    context: &Context,
    cluster: &ClusterRef,
    view: &ClusterView,
    status: &PostgresqlStatus,
) -> Result<(), TurnError> {
    if *status == view.status {
        return Ok(());
    }
    if tracing::enabled!(tracing::Level::DEBUG) {
        let value = |status| serde_json::to_value(status).unwrap_or_default();
        let mut paths = Vec::new();
        compare("status", &value(&view.status), &value(status), &mut paths);
        tracing::debug!(?paths, "status differs");
    }
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": view.uid},
        {"op": "add", "path": "/status", "value": status},
    ]);
    let unwritable =
        |error| TurnError::kubernetes("write the status of", &format!("postgresql {cluster}"), error);
    let operations =
        serde_json::from_value(operations).map_err(|error| unwritable(kube::Error::SerdeError(error)))?;
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::<()>::Json(operations);
    let api = context.postgresqls(&cluster.namespace);
    match api.patch_status(&cluster.name, &params, &patch).await {
        Ok(written) => {
            context.cache.manifests.echo(cluster, Manifest::of(written));
            let (from, to) = (
                view.status.postgres_cluster_status,
                status.postgres_cluster_status,
            );
            if from != to {
                tracing::info!(from = from.as_str(), to = to.as_str(), "status changed");
            }
            Ok(())
        }
        // It is gone, and so is the need to say anything about it.
        Err(error) if is_not_found(&error) => Ok(()),
        Err(error) => Err(unwritable(error)),
    }
}
