//! Members without an object. Lives here: whether a StatefulSet is ours to speak of, and whether its deletion had begun. Must not: act on it.

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, ResourceExt};
use pgherd_model::names::Names;
use pgherd_model::names::annotations::DELETION;
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::plan::DeletionMark;
use serde_json::{Value, json};

use super::{Form, LeftOver, Reach};
use crate::cache::Key;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::departure::{self, Departure};
use crate::error::TurnError;
use crate::kinds::Watched;
use crate::watch::Namespaces;

/// By what is known of it, without asking.
pub(super) fn seems_begun(context: &Context, cluster: &ClusterRef, names: &Names) -> bool {
    let key = Key {
        kind: Watched::StatefulSet,
        name: names.stateful_set().to_owned(),
    };
    let known = context.cache.owned.content(cluster, &key);
    known.is_some_and(|set| set["metadata"]["annotations"][DELETION].is_string())
}

/// The outer one is none where there is no StatefulSet, the inner one where it is not left over.
pub(super) async fn find(
    context: &Context,
    cluster: &ClusterRef,
    names: &Names,
    reach: Reach<'_>,
) -> Result<Option<Option<LeftOver>>, TurnError> {
    let resource = Watched::StatefulSet.resource();
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &cluster.namespace, &resource);
    let found = api.get_opt(names.stateful_set()).await;
    let found =
        found.map_err(|error| TurnError::kubernetes("read", &format!("StatefulSet {cluster}"), error))?;
    let Some(found) = found else {
        return Ok(None);
    };
    if !is_ours(&found) {
        return Ok(Some(None));
    }
    let mut stand_in = stand_in(cluster, &found.metadata);
    let mut form = Form::Members;
    if let Some(mark) = begun(&found, reach)
        && is_chosen(context, &cluster.namespace, reach.namespaces).await?
    {
        // In the stand-in's own annotations, because the StatefulSet is gone before the turn that sees that all is done.
        stand_in["metadata"]["annotations"] = json!({ DELETION: mark.to_string() });
        form = Form::Begun;
    }
    Ok(Some(judged(context, cluster, stand_in, form).await?))
}

/// In place of an object that nobody has seen: not older than what is left of it, as far as anybody can tell.
pub(super) fn stand_in(cluster: &ClusterRef, left: &kube::core::ObjectMeta) -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": cluster.name, "namespace": cluster.namespace,
            "creationTimestamp": left.creation_timestamp},
    })
}

/// None for what has an object after all.
pub(super) async fn judged(
    context: &Context,
    cluster: &ClusterRef,
    stand_in: Value,
    form: Form,
) -> Result<Option<LeftOver>, TurnError> {
    let deleted = match departure::of_absent(context, cluster, &stand_in).await? {
        Departure::None => return Ok(None),
        Departure::Deleted => true,
        Departure::WithItsKind => false,
    };
    Ok(Some(LeftOver {
        stand_in,
        deleted,
        form,
    }))
}

fn is_ours(set: &DynamicObject) -> bool {
    is_managed(&set.metadata) && is_free(&set.metadata)
}

/// We have written it.
pub(super) fn is_managed(metadata: &kube::core::ObjectMeta) -> bool {
    let mut managers = metadata.managed_fields.iter().flatten();
    managers.any(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER))
}

/// It does not go by itself.
pub(super) fn is_free(metadata: &kube::core::ObjectMeta) -> bool {
    metadata.owner_references.as_ref().is_none_or(Vec::is_empty) && metadata.deletion_timestamp.is_none()
}

/// The deletion that this operator has begun, unless somebody has given the StatefulSet members since.
fn begun(set: &DynamicObject, reach: Reach<'_>) -> Option<DeletionMark> {
    let mark = DeletionMark::of(set.annotations())?;
    let has_members = set.data["spec"]["replicas"] != json!(0);
    (!has_members && mark.controller.as_deref() == reach.controller_id).then_some(mark)
}

/// Of a namespace that does not count any more nothing is removed.
async fn is_chosen(context: &Context, namespace: &str, namespaces: &Namespaces) -> Result<bool, TurnError> {
    let Namespaces::Selected { named, selector } = namespaces else {
        return Ok(true);
    };
    if named.iter().any(|name| name == namespace) {
        return Ok(true);
    }
    let api: Api<Namespace> = Api::all(context.client.clone());
    let this = ListParams::default()
        .fields(&format!("metadata.name={namespace}"))
        .labels(selector);
    match api.list_metadata(&this).await {
        Ok(found) => Ok(!found.items.is_empty()),
        Err(error) => Err(TurnError::kubernetes(
            "list",
            &format!("Namespace {namespace}"),
            error,
        )),
    }
}
