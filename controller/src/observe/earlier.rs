//! What an earlier cluster of the same name has left of Patroni's state, and whether anything else of it is there. Asked for only where the sweep
//! has seen such state, and until there is a StatefulSet: a new cluster costs no request for it. Must not: decide what goes (planner).

use kube::api::{Api, DynamicObject, ListParams};
use pgherd_planner::build::uses_config_maps;
use pgherd_planner::observed::{EarlierLife, Observed, Source};

use super::{Question, leftovers, owners};
use crate::context::Context;
use crate::error::said;
use crate::kinds;

pub(super) async fn read(
    context: &Context,
    question: &Question<'_>,
    observed: &Observed,
) -> Option<Source<EarlierLife>> {
    let is_to_be_made = matches!(observed.stateful_set, Source::Known(None));
    if !is_to_be_made || !context.cache.earlier.has(question.cluster) {
        return None;
    }
    Some(match list(context, question).await {
        Ok(found) => Source::Known(found),
        Err(error) => Source::Unknown(said(&error)),
    })
}

/// Claims and pods by one list each, because somebody may have made them beforehand, without labels.
async fn list(context: &Context, question: &Question<'_>) -> Result<EarlierLife, kube::Error> {
    let resource = if uses_config_maps(question.config) {
        kinds::config_map()
    } else {
        kinds::endpoints()
    };
    let ours = leftovers::state_objects(question);
    let state = leftovers::list(context, question, &resource, &ours).await?;
    let state = state
        .into_iter()
        .map(|(object, metadata)| owners::state_object(object, metadata));
    Ok(EarlierLife {
        state: state.filter(|found| found.owner_references.is_empty()).collect(),
        claims: names(context, question, "PersistentVolumeClaim").await?,
        pods: names(context, question, "Pod").await?,
    })
}

/// Of all objects of a kind in the cluster's namespace.
async fn names(context: &Context, question: &Question<'_>, kind: &str) -> Result<Vec<String>, kube::Error> {
    let Some(resource) = kinds::resource_of(kind) else {
        return Ok(Vec::new());
    };
    let namespace = &question.cluster.namespace;
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), namespace, &resource);
    let listed = api.list_metadata(&ListParams::default()).await?;
    Ok(listed
        .items
        .into_iter()
        .filter_map(|object| object.metadata.name)
        .collect())
}
