//! What is left of clusters whose object is gone, without finalizer and without owner references: deleted while no controller ran, or by one
//! that ended in the middle of it. Found by the labels of what they own, reported, and on request removed. Lives here: what follows from
//! what is found. Must not: what counts (below), what is removed, and what stays (planner).
//!
//! Somebody's data hangs on it, so that only what has a StatefulSet is ever removed, and that counts only when we applied it ourselves, when
//! the API server says that there is no object of its name (and knows the kind), and when no consent to the deletion would have been asked
//! for: what was consented to went with the object. A deletion that had begun was consented to; its mark says so, and it is finished without
//! anybody's asking. What was left because the kind itself was removed is only told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;
use pgherd_planner::observed::ClusterView;
use pgherd_planner::plan::Mode;
use serde_json::Value;

use crate::cache::Manifest;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::TurnError;
use crate::memory::jittered;
use crate::queue::Lane;
use crate::watch::Namespaces;
use crate::whole::Whole;

mod members;
pub mod state;
mod strays;

/// Between two looks, however short `repair_period` is.
const SHORTEST: Duration = Duration::from_secs(1);

/// Whose leftovers these can be.
#[derive(Debug, Clone, Copy)]
pub struct Reach<'a> {
    pub controller_id: Option<&'a str>,
    pub namespaces: &'a Namespaces,
}

impl Reach<'_> {
    /// Only the object says whose a cluster is: without it, it could be another operator's, unless it says so itself.
    pub fn is_alone(&self) -> bool {
        self.controller_id.is_none() && !matches!(self.namespaces, Namespaces::Selected { .. })
    }
}

/// Looks for leftovers, for ever: after the first lists, before which everything looks like one, then every `repair_period` and when the
/// configuration changes. Where another operator can have made them, only for deletions that this one has begun.
pub async fn sweep(context: &Context, reach: Reach<'_>) {
    let mut settings = context.config.clone();
    let mut told = BTreeMap::new();
    loop {
        let config = Arc::clone(&settings.borrow_and_update());
        let left = look(context, reach, &config).await;
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
    form: Form,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// Its deletion was allowed, and has begun.
    Begun,
    /// A StatefulSet, and what else belongs to it.
    Members,
    /// Other things, of which some are named.
    Strays(Vec<String>),
}

async fn look(
    context: &Context,
    reach: Reach<'_>,
    config: &OperatorConfig,
) -> BTreeMap<ClusterRef, LeftOver> {
    let mut left = BTreeMap::new();
    let owners = context.cache.owned.clusters().into_iter();
    let all: BTreeSet<ClusterRef> = owners.chain(context.cache.pods.clusters()).collect();
    for cluster in all {
        let manifests = &context.cache.manifests;
        if manifests.get(&cluster).is_some() || manifests.departed(&cluster).is_some() {
            continue;
        }
        match left_over(context, &cluster, reach, config).await {
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
    reach: Reach<'_>,
    config: &OperatorConfig,
) -> Result<Option<LeftOver>, TurnError> {
    let names = Names::of(&cluster.namespace, &cluster.name, config);
    if !reach.is_alone() {
        if !members::seems_begun(context, cluster, &names) {
            return Ok(None);
        }
        let found = members::find(context, cluster, &names, reach).await?.flatten();
        return Ok(found.filter(|found| found.form == Form::Begun));
    }
    let candidates = strays::candidates(context, cluster, &names, config);
    if candidates.is_empty() {
        return Ok(None);
    }
    match members::find(context, cluster, &names, reach).await? {
        Some(found) => Ok(found),
        None => strays::find(context, cluster, &candidates).await,
    }
}

/// Says it once, and removes what may be removed.
fn deal_with(
    context: &Context,
    cluster: &ClusterRef,
    found: &LeftOver,
    config: &OperatorConfig,
    was_told: bool,
) {
    let Err(why) = may_go(found, config) else {
        tracing::warn!(%cluster, "left over from a cluster whose object is gone; removing it");
        if let Some(stand_in) = Whole::of(&found.stand_in) {
            let manifests = &context.cache.manifests;
            manifests.note_left_over(cluster, Manifest::of(stand_in));
            context.queue.wake(cluster, Lane::Edit);
        }
        return;
    };
    if was_told {
        return;
    }
    if let Form::Strays(names) = &found.form {
        tracing::warn!(%cluster, found = names.join(", "), "{why}");
    } else {
        tracing::warn!(%cluster, "{why}");
    }
}

/// Or what is to be done about it.
fn may_go(found: &LeftOver, config: &OperatorConfig) -> Result<(), &'static str> {
    let kubernetes = &config.kubernetes;
    let is_gated =
        kubernetes.delete_annotation_date_key.is_some() || kubernetes.delete_annotation_name_key.is_some();
    let is_live = Mode::of(&ClusterView::default(), config) == Mode::Live;
    match found.form {
        _ if !found.deleted => Err(
            "left over from before the kind postgresql was removed: give it its object back, or remove it by hand",
        ),
        Form::Begun if is_live => Ok(()),
        Form::Begun => Err("left over from a deletion that has begun: it is finished in mode live"),
        Form::Members if config.fleet.sweep_leftovers && !is_gated && is_live => Ok(()),
        Form::Members => Err(
            "left over from a cluster whose object is gone: remove it by hand, set sweep_leftovers, or give it its object back",
        ),
        Form::Strays(_) => Err(
            "left over from a cluster whose object is gone, and not removed by anybody: remove it by hand, or take off its label with the cluster's name",
        ),
    }
}
