//! What is left of clusters that were deleted while no controller ran, without finalizer and without owner references: found by the labels of
//! what they own, reported, and on request removed. Lives here: what counts as left over. Must not: what is removed, and what stays (planner).
//!
//! Somebody's data hangs on it, so that a StatefulSet counts only when we applied it ourselves, when the API server says that there is no
//! object of its name (and knows the kind), and when no consent to the deletion would have been asked for: what was consented to went with
//! the object.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::api::DynamicObject;
use kube::{Api, ResourceExt};
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::plan::Mode;
use serde_json::json;

use crate::cache::Manifest;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::TurnError;
use crate::kinds::Watched;
use crate::manifest::is_gone;
use crate::memory::jittered;
use crate::queue::Lane;

/// Between two looks, however short `repair_period` is.
const SHORTEST: Duration = Duration::from_secs(1);

/// Looks for leftovers, for ever: after the first lists, before which everything looks like one, then every `repair_period` and when the
/// configuration changes. Only where no other operator can have made them.
pub async fn sweep(context: &Context) {
    let mut settings = context.config.clone();
    let mut told = BTreeSet::new();
    loop {
        let config = Arc::clone(&settings.borrow_and_update());
        let left = look(context, &config).await;
        context
            .metrics
            .leftovers
            .set(i64::try_from(left.len()).unwrap_or(i64::MAX));
        for cluster in &left {
            deal_with(context, cluster, &config, told.contains(cluster));
        }
        told = left;
        let pause = jittered(config.general.repair_period.max(SHORTEST), 0.1);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = settings.changed() => if changed.is_err() { return },
        }
    }
}

async fn look(context: &Context, config: &OperatorConfig) -> BTreeSet<ClusterRef> {
    let mut left = BTreeSet::new();
    for cluster in context.cache.owned.having(Watched::StatefulSet) {
        let manifests = &context.cache.manifests;
        if manifests.get(&cluster).is_some() || manifests.departed(&cluster).is_some() {
            continue;
        }
        match is_left_over(context, &cluster, config).await {
            Ok(false) => {}
            Ok(true) => {
                left.insert(cluster);
            }
            Err(error) => tracing::warn!(%cluster, %error, "cannot tell whether this was left over"),
        }
    }
    left
}

async fn is_left_over(
    context: &Context,
    cluster: &ClusterRef,
    config: &OperatorConfig,
) -> Result<bool, TurnError> {
    let names = Names::of(&cluster.namespace, &cluster.name, config);
    let resource = Watched::StatefulSet.resource();
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &cluster.namespace, &resource);
    let found = api.get_opt(names.stateful_set()).await;
    let found =
        found.map_err(|error| TurnError::kubernetes("read", &format!("StatefulSet {cluster}"), error))?;
    let is_ours = |object: &DynamicObject| {
        let mut managers = object.managed_fields().iter();
        managers.any(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER))
            && object.owner_references().is_empty()
            && object.metadata.deletion_timestamp.is_none()
    };
    Ok(found.as_ref().is_some_and(is_ours) && is_gone(context, cluster, "").await?)
}

fn deal_with(context: &Context, cluster: &ClusterRef, config: &OperatorConfig, was_told: bool) {
    let kubernetes = &config.kubernetes;
    let is_gated =
        kubernetes.delete_annotation_date_key.is_some() || kubernetes.delete_annotation_name_key.is_some();
    let view = pgherd_planner::observed::ClusterView::default();
    if !config.fleet.sweep_leftovers || is_gated || Mode::of(&view, config) != Mode::Live {
        if !was_told {
            tracing::warn!(
                %cluster,
                "left over from a cluster whose object is gone: remove it by hand, set sweep_leftovers, or give it its object back"
            );
        }
        return;
    }
    tracing::warn!(%cluster, "left over from a cluster whose object is gone; removing it");
    if let Some(manifest) = stand_in(cluster) {
        context.cache.manifests.note_left_over(cluster, manifest);
        context.queue.wake(cluster, Lane::Edit);
    }
}

/// In place of the object that nobody has seen: without an identity, which every other object would differ from.
fn stand_in(cluster: &ClusterRef) -> Option<Manifest> {
    let object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": cluster.name, "namespace": cluster.namespace},
    });
    let object: DynamicObject = serde_json::from_value(object).ok()?;
    Some(Manifest::of(&object))
}
