//! What is left of a cluster that has neither an object nor a StatefulSet: pods that nobody owns, claims, secrets, services, budgets. Lives here:
//! what counts as that. Must not: remove it, because nothing says that anybody wanted it to go.

use kube::api::{Api, DynamicObject, ObjectMeta};
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;
use pgherd_planner::plan::goes_along;

use super::members::{is_free, is_managed, judged, stand_in};
use super::{Form, LeftOver};
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::TurnError;
use crate::kinds;

/// So many are named, and no more are looked at.
const NAMED: usize = 5;

/// Kind and name of what would go with the cluster, by what the watches say. What the configuration keeps is kept on purpose.
pub(super) fn candidates(
    context: &Context,
    cluster: &ClusterRef,
    names: &Names,
    config: &OperatorConfig,
) -> Vec<(String, String)> {
    let pods = context.cache.pods.of(cluster).into_iter();
    let pods = pods.map(|pod| ("Pod".to_owned(), pod.name));
    let owned = context.cache.owned.keys(cluster).into_iter();
    let owned = owned.map(|key| (key.kind.resource().kind, key.name));
    let goes = |(kind, name): &(String, String)| goes_along(names, config, kind, name);
    pods.chain(owned).filter(goes).collect()
}

pub(super) async fn find(
    context: &Context,
    cluster: &ClusterRef,
    candidates: &[(String, String)],
) -> Result<Option<LeftOver>, TurnError> {
    let mut found = Vec::new();
    let mut first = None;
    for (kind, name) in candidates {
        let Some(resource) = kinds::resource_of(kind) else {
            continue;
        };
        let client = context.client.clone();
        let api: Api<DynamicObject> = Api::namespaced_with(client, &cluster.namespace, &resource);
        let object = api.get_metadata_opt(name).await;
        let object =
            object.map_err(|error| TurnError::kubernetes("read", &format!("{kind} {name}"), error))?;
        // Kubernetes itself makes pods and claims.
        let is_made_by_us = |metadata: &ObjectMeta| {
            matches!(kind.as_str(), "Pod" | "PersistentVolumeClaim") || is_managed(metadata)
        };
        let Some(metadata) = object
            .map(|object| object.metadata)
            .filter(|metadata| is_free(metadata) && is_made_by_us(metadata))
        else {
            continue;
        };
        found.push(format!("{kind} {name}"));
        first.get_or_insert(metadata);
        if found.len() == NAMED {
            break;
        }
    }
    match first {
        Some(metadata) => {
            judged(
                context,
                cluster,
                stand_in(cluster, &metadata),
                Form::Strays(found),
            )
            .await
        }
        None => Ok(None),
    }
}
