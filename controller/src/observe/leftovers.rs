//! What Patroni made beside the pods, found by the cluster's labels: of interest only when the cluster goes. Must not: delete it.

use kube::api::{DynamicObject, ListParams, PartialObjectMeta};
use kube::{Api, ResourceExt};
use pgherd_model::names::objects::PatroniObject;
use pgherd_planner::observed::{ObjectRef, Source};

use super::Question;
use crate::cache::Key;
use crate::context::Context;
use crate::error::said;
use crate::kinds::{self, Watched};

/// Patroni's state objects in either form, and its headless service.
pub(super) async fn read(context: &Context, question: &Question<'_>) -> Source<Vec<ObjectRef>> {
    let labels: Vec<String> = question
        .names
        .selector()
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let params = ListParams::default().labels(&labels.join(","));
    let ours: Vec<String> = PatroniObject::ALL
        .map(|object| question.names.patroni(object))
        .into();
    let mut found = Vec::new();
    for resource in [kinds::config_map(), kinds::endpoints()] {
        let namespace = &question.cluster.namespace;
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::namespaced_with(context.client.clone(), namespace, &resource);
        let listed = match api.list(&params).await {
            Ok(listed) => listed,
            Err(error) => {
                return Source::Unknown(format!("cannot list {}: {}", resource.plural, said(&error)));
            }
        };
        let listed = listed
            .items
            .iter()
            .filter(|object| ours.contains(&object.name_any()));
        found.extend(listed.map(|object| ObjectRef {
            kind: resource.kind.clone(),
            namespace: namespace.clone(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            resource_version: String::new(),
        }));
    }
    found.extend(config_service(context, question));
    Source::Known(found)
}

/// It carries the cluster's labels, so that the watch of services knows it.
fn config_service(context: &Context, question: &Question<'_>) -> Option<ObjectRef> {
    let name = question.names.config_service();
    let key = Key {
        kind: Watched::Service,
        name: name.clone(),
    };
    let service = context.cache.owned.content(question.cluster, &key)?;
    Some(ObjectRef {
        kind: "Service".to_owned(),
        namespace: question.cluster.namespace.clone(),
        name,
        uid: service["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
        resource_version: String::new(),
    })
}
