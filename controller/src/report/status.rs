//! Writes the status, when it changed.

use kube::api::{Patch, PatchParams};
use pgherd_model::api::API_VERSION;
use pgherd_model::api::status::PostgresqlStatus;
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::observed::ClusterView;
use serde_json::json;

use crate::cache::Manifest;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::{TurnError, is_not_found};

/// Server-side apply, so that what is no longer said goes. The uid keeps it off a successor of the same name. Without resourceVersion: the
/// status says which generation it speaks of.
pub(super) async fn write(
    context: &Context,
    cluster: &ClusterRef,
    view: &ClusterView,
    status: &PostgresqlStatus,
) -> Result<(), TurnError> {
    if *status == view.status {
        return Ok(());
    }
    let body = json!({
        "apiVersion": API_VERSION,
        "kind": "postgresql",
        "metadata": {"name": cluster.name, "namespace": cluster.namespace, "uid": view.uid},
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let api = context.postgresqls(&cluster.namespace);
    match api
        .patch_status(&cluster.name, &params, &Patch::Apply(body))
        .await
    {
        Ok(written) => {
            context.cache.manifests.echo(cluster, Manifest::of(&written));
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
        Err(error) => Err(TurnError::kubernetes(
            "write the status of",
            &format!("postgresql {cluster}"),
            error,
        )),
    }
}
