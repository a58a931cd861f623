//! Which clusters have the Endpoints of their primaries, told by one list for all: no watch covers these, which Patroni writes every few
//! seconds. Must not: be relied on. What it misses is read when it is needed.

use std::time::Duration;

use k8s_openapi::api::core::v1::Endpoints;
use kube::api::{Api, ListParams, PartialObjectMeta};
use pgherd_model::names::{Names, Role};
use pgherd_planner::build::uses_config_maps;
use serde_json::json;
use tokio::time::timeout;

use crate::context::Context;
use crate::watch::Scope;

/// Names and labels only: four objects of each cluster carry its labels.
const PAGE: u32 = 500;
/// What is not known by then is read one by one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Remembers those that are there, of all clusters in view, as if each had been read.
pub async fn remember_endpoints(context: &Context, scope: &Scope) {
    if uses_config_maps(&context.config()) {
        return;
    }
    for namespace in scope.namespaces.each() {
        let api: Api<Endpoints> = match namespace {
            Some(namespace) => Api::namespaced(context.client.clone(), namespace),
            None => Api::all(context.client.clone()),
        };
        match timeout(PATIENCE, list(context, scope, &api)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "cannot list endpoints beforehand"),
            Err(_) => tracing::debug!("listing endpoints beforehand takes too long"),
        }
    }
}

async fn list(context: &Context, scope: &Scope, api: &Api<Endpoints>) -> Result<(), kube::Error> {
    let mut params = ListParams::default().labels(&scope.selector()).limit(PAGE);
    loop {
        let page = api.list_metadata(&params).await?;
        for object in &page.items {
            remember(context, scope, object);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(()),
        }
    }
}

/// Whether it is there is all that counts: its addresses are Patroni's.
fn remember(context: &Context, scope: &Scope, object: &PartialObjectMeta<Endpoints>) {
    let Some(cluster) = scope.cluster_of(&object.metadata) else {
        return;
    };
    let names = Names::of(&cluster.namespace, &cluster.name, &context.config());
    let is_of_the_primary = object.metadata.name.as_deref() == Some(&names.service(Role::Primary));
    if is_of_the_primary && context.cache.manifests.get(&cluster).is_some() {
        let metadata = json!({ "metadata": object.metadata });
        context
            .memories
            .with(&cluster, |memory| memory.endpoints = Some(metadata));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pgherd_model::config::OperatorConfig;
    use tokio::sync::watch;

    use super::*;
    use crate::testing::{FakeApi, manifest};

    const LIST: &str = "/api/v1/namespaces/apps/endpoints";

    fn settings(uses_config_maps: bool) -> Arc<OperatorConfig> {
        let mut config = (*FakeApi::default().context().config()).clone();
        config.general.kubernetes_use_configmaps = uses_config_maps;
        config.kubernetes.watched_namespace = Some("apps".to_owned());
        Arc::new(config)
    }

    /// What is asked for, and whether the cluster's Endpoints are known then.
    async fn remembered(name: &str, uses_config_maps: bool) -> (Vec<String>, bool) {
        let api = FakeApi::default();
        let mut context = api.context();
        context.config = watch::channel(settings(uses_config_maps)).1;
        let cluster = api.submit(&context, &manifest());
        let labels = json!({"application": "spilo", "cluster-name": "acid-demo"});
        let items = json!([{"metadata": {"name": name, "namespace": "apps", "labels": labels}}]);
        api.put(LIST, json!({"metadata": {}, "items": items}));
        api.asked();
        let scope = Scope::of(&context.config(), "operators");
        remember_endpoints(&context, &scope).await;
        let is_known = |memory: &mut crate::memory::Memory| {
            memory.begin(tokio::time::Instant::now(), Duration::from_hours(1), None);
            memory.endpoints.is_some()
        };
        (api.asked(), context.memories.with(&cluster, is_known))
    }

    #[tokio::test]
    async fn one_list_tells_of_all_primaries_until_the_next_resync() {
        let asked = vec![format!("GET {LIST}")];
        assert_eq!(remembered("acid-demo", false).await, (asked.clone(), true));
        assert_eq!(remembered("acid-demo-config", false).await, (asked, false));
        assert_eq!(remembered("acid-demo", true).await, (vec![], false));
    }
}
