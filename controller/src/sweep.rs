//! What is left of clusters that were deleted while no controller ran, without finalizer and without owner references: found by the labels of
//! what they own, reported, and on request removed. Lives here: what counts as left over. Must not: what is removed, and what stays (planner).
//!
//! Somebody's data hangs on it, so that a StatefulSet counts only when we applied it ourselves, when the API server says that there is no
//! object of its name (and knows the kind), and when no consent to the deletion would have been asked for: what was consented to went with
//! the object. What was left because the kind itself was removed is only told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kube::api::DynamicObject;
use kube::{Api, ResourceExt};
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::plan::Mode;
use serde_json::{Value, json};

use crate::cache::Manifest;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::departure::{self, Departure};
use crate::error::TurnError;
use crate::kinds::Watched;
use crate::memory::jittered;
use crate::queue::Lane;

pub mod state;

/// Between two looks, however short `repair_period` is.
const SHORTEST: Duration = Duration::from_secs(1);

/// Looks for leftovers, for ever: after the first lists, before which everything looks like one, then every `repair_period` and when the
/// configuration changes. Only where no other operator can have made them.
pub async fn sweep(context: &Context) {
    let mut settings = context.config.clone();
    let mut told = BTreeMap::new();
    loop {
        let config = Arc::clone(&settings.borrow_and_update());
        let left = look(context, &config).await;
        context
            .metrics
            .leftovers
            .set(i64::try_from(left.len()).unwrap_or(i64::MAX));
        for (cluster, found) in &left {
            deal_with(context, cluster, found, &config, told.get(cluster) == Some(found));
        }
        told = left;
        let pause = jittered(config.general.repair_period.max(SHORTEST), 0.1);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = settings.changed() => if changed.is_err() { return },
        }
    }
}

/// What is left of one cluster.
#[derive(Debug, Clone, PartialEq)]
struct LeftOver {
    /// In place of the object that nobody has seen: without an identity, which every other object would differ from.
    stand_in: Value,
    /// Somebody deleted the object, as opposed to its kind.
    deleted: bool,
}

async fn look(context: &Context, config: &OperatorConfig) -> BTreeMap<ClusterRef, LeftOver> {
    let mut left = BTreeMap::new();
    for cluster in context.cache.owned.having(Watched::StatefulSet) {
        let manifests = &context.cache.manifests;
        if manifests.get(&cluster).is_some() || manifests.departed(&cluster).is_some() {
            continue;
        }
        match left_over(context, &cluster, config).await {
            Ok(None) => {}
            Ok(Some(found)) => {
                left.insert(cluster, found);
            }
            Err(error) => tracing::warn!(%cluster, %error, "cannot tell whether this was left over"),
        }
    }
    left
}

async fn left_over(
    context: &Context,
    cluster: &ClusterRef,
    config: &OperatorConfig,
) -> Result<Option<LeftOver>, TurnError> {
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
    let Some(found) = found.filter(is_ours) else {
        return Ok(None);
    };
    // Not older than its object, as far as anybody can tell.
    let stand_in = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": cluster.name, "namespace": cluster.namespace,
            "creationTimestamp": found.metadata.creation_timestamp},
    });
    let deleted = match departure::of_absent(context, cluster, &stand_in).await? {
        Departure::None => return Ok(None),
        Departure::Deleted => true,
        Departure::WithItsKind => false,
    };
    Ok(Some(LeftOver { stand_in, deleted }))
}

fn deal_with(
    context: &Context,
    cluster: &ClusterRef,
    found: &LeftOver,
    config: &OperatorConfig,
    was_told: bool,
) {
    let kubernetes = &config.kubernetes;
    let is_gated =
        kubernetes.delete_annotation_date_key.is_some() || kubernetes.delete_annotation_name_key.is_some();
    let view = pgherd_planner::observed::ClusterView::default();
    if !found.deleted {
        if !was_told {
            tracing::warn!(
                %cluster,
                "left over from before the kind postgresql was removed: give it its object back, or remove it by hand"
            );
        }
        return;
    }
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
    if let Ok(stand_in) = serde_json::from_value::<DynamicObject>(found.stand_in.clone()) {
        let manifests = &context.cache.manifests;
        manifests.note_left_over(cluster, Manifest::of(&stand_in));
        context.queue.wake(cluster, Lane::Edit);
    }
}
