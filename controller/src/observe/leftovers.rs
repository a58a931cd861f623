//! What Patroni made beside the pods, found by the cluster's labels: of interest when the cluster goes, and where it has owners. Must not:
//! delete it.

use kube::api::{Api, ApiResource, DynamicObject, ListParams, PartialObjectMeta};
use kube::{ResourceExt, core::ObjectMeta};
use pgherd_model::names::labels::selector_text;
use pgherd_model::names::objects::PatroniObject;
use pgherd_planner::observed::{ObjectRef, Source};
use serde_json::Value;

use super::Question;
use crate::cache::Key;
use crate::context::Context;
use crate::error::said;
use crate::kinds::{self, Watched};

/// Patroni's state objects in either form, and its headless service.
pub(super) async fn read(context: &Context, question: &Question<'_>) -> Source<Vec<ObjectRef>> {
    let ours = state_objects(question);
    let mut found = Vec::new();
    for resource in [kinds::config_map(), kinds::endpoints()] {
        match list(context, question, &resource, &ours).await {
            Ok(listed) => found.extend(listed.into_iter().map(|(object, _)| object)),
            Err(error) => {
                return Source::Unknown(format!("cannot list {}: {}", resource.plural, said(&error)));
            }
        }
    }
    found.extend(config_service(context, question).map(|(object, _)| object));
    Source::Known(found)
}

/// Names of what Patroni keeps its state in.
pub(super) fn state_objects(question: &Question<'_>) -> Vec<String> {
    PatroniObject::ALL
        .map(|object| question.names.patroni(object))
        .into()
}

/// Those of a kind with the cluster's labels and one of these names.
pub(super) async fn list(
    context: &Context,
    question: &Question<'_>,
    resource: &ApiResource,
    names: &[String],
) -> Result<Vec<(ObjectRef, ObjectMeta)>, kube::Error> {
    let params = ListParams::default().labels(&selector_text(&question.names.selector()));
    let namespace = &question.cluster.namespace;
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), namespace, resource);
    let listed = api.list_metadata(&params).await?.items.into_iter();
    let found = listed.filter(|object| names.contains(&object.name_any()));
    Ok(found
        .map(|object: PartialObjectMeta<DynamicObject>| {
            let reference = ObjectRef {
                kind: resource.kind.clone(),
                namespace: namespace.clone(),
                name: object.name_any(),
                uid: object.uid().unwrap_or_default(),
                resource_version: object.resource_version().unwrap_or_default(),
            };
            (reference, object.metadata)
        })
        .collect())
}

/// It carries the cluster's labels, so that the watch of services knows it.
pub(super) fn config_service(context: &Context, question: &Question<'_>) -> Option<(ObjectRef, Value)> {
    let name = question.names.config_service();
    let key = Key {
        kind: Watched::Service,
        name: name.clone(),
    };
    let service = context.cache.owned.content(question.cluster, &key)?;
    let reference = ObjectRef {
        kind: "Service".to_owned(),
        namespace: question.cluster.namespace.clone(),
        name,
        uid: service["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
        resource_version: String::new(),
    };
    Some((reference, service["metadata"].clone()))
}
