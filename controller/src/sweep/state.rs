//! What Patroni kept of clusters that are gone: without members and without an object it is of no use, and a new cluster of that name would wait
//! for the leader that it names. With owner references Kubernetes removes it; this is for what has none. Told, and with `sweep_leftovers` removed.
//! Of a name that has an object again it is remembered, for the turn that makes the cluster. Must not: look at anything else; least of all at
//! claims, on which somebody's data may be.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PartialObjectMeta, Preconditions};
use kube::core::ObjectMeta;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;
use pgherd_model::names::objects::PatroniObject;
use pgherd_planner::build::uses_config_maps;
use pgherd_planner::observed::ClusterView;
use pgherd_planner::plan::Mode;
use serde_json::json;
use tokio::time::timeout;

use super::SHORTEST;
use crate::cache::Key;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::departure::{self, Departure};
use crate::error::{TurnError, is_not_found};
use crate::kinds;
use crate::memory::jittered;
use crate::watch::Scope;

const PAGE: u32 = 500;
/// The first turns do not wait longer for the first look.
const PATIENCE: Duration = Duration::from_secs(5);

/// Of one cluster.
type State = Vec<ObjectMeta>;

/// Looks once a resync, for ever. `is_ours`: what has no object can be nobody else's.
pub async fn sweep(context: &Context, scope: &Scope, is_ours: bool) {
    let mut told = BTreeMap::new();
    loop {
        let config = context.config();
        let found = match remember(context, scope, &config).await {
            Ok(found) if is_ours => deserted(context, found).await,
            Ok(_) => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        };
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot tell whether state of patroni was left over");
            BTreeMap::new()
        });
        for (cluster, state) in &found {
            deal_with(context, cluster, state, &config, told.contains_key(cluster)).await;
        }
        told = found;
        let pause = config.general.resync_period.max(SHORTEST);
        tokio::time::sleep(jittered(pause, 0.1)).await;
    }
}

/// The first look, before any cluster has its turn: one that was applied while nobody looked would be made on what was left.
pub async fn remember_first(context: &Context, scope: &Scope) {
    match timeout(PATIENCE, remember(context, scope, &context.config())).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "cannot look for state of patroni beforehand"),
        Err(_) => tracing::debug!("looking for state of patroni beforehand takes too long"),
    }
}

/// State that nobody owns, of clusters without StatefulSet and pods. They are remembered.
async fn remember(
    context: &Context,
    scope: &Scope,
    config: &OperatorConfig,
) -> Result<BTreeMap<ClusterRef, State>, TurnError> {
    let mut found: BTreeMap<ClusterRef, State> = BTreeMap::new();
    for namespace in scope.namespaces.each() {
        for object in list(context, scope, config, namespace).await? {
            let Some(cluster) = scope.cluster_of(&object) else {
                continue;
            };
            let names = Names::of(&cluster.namespace, &cluster.name, config);
            let mut kept_in = PatroniObject::ALL.iter().map(|state| names.patroni(*state));
            let is_state = kept_in.any(|name| Some(&name) == object.name.as_ref());
            let is_owned = object
                .owner_references
                .as_ref()
                .is_some_and(|owners| !owners.is_empty());
            if is_state && !is_owned && has_no_members(context, &cluster) {
                found.entry(cluster).or_default().push(object);
            }
        }
    }
    context.cache.earlier.set(found.keys().cloned());
    Ok(found)
}

/// Those that have no object either.
async fn deserted(
    context: &Context,
    found: BTreeMap<ClusterRef, State>,
) -> Result<BTreeMap<ClusterRef, State>, TurnError> {
    let mut left = BTreeMap::new();
    let absent = found.into_iter();
    for (cluster, state) in absent.filter(|(cluster, _)| is_absent(context, cluster)) {
        // Not older than its object, as far as anybody can tell.
        let made = state
            .iter()
            .filter_map(|object| object.creation_timestamp.clone())
            .min();
        let stand_in = json!({"metadata": {"name": cluster.name, "creationTimestamp": made}});
        if departure::of_absent(context, &cluster, &stand_in).await? == Departure::Deleted {
            left.insert(cluster, state);
        }
    }
    Ok(left)
}

fn is_absent(context: &Context, cluster: &ClusterRef) -> bool {
    let manifests = &context.cache.manifests;
    manifests.get(cluster).is_none() && manifests.departed(cluster).is_none()
}

fn has_no_members(context: &Context, cluster: &ClusterRef) -> bool {
    let cache = &context.cache;
    let names = Names::of(&cluster.namespace, &cluster.name, &context.config());
    let set = Key {
        kind: kinds::Watched::StatefulSet,
        name: names.stateful_set().to_owned(),
    };
    cache.pods.of(cluster).is_empty() && !cache.owned.has(cluster, &set)
}

async fn list(
    context: &Context,
    scope: &Scope,
    config: &OperatorConfig,
    namespace: Option<&str>,
) -> Result<Vec<ObjectMeta>, TurnError> {
    let resource = resource(config);
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(context.client.clone(), namespace, &resource),
        None => Api::all_with(context.client.clone(), &resource),
    };
    let mut params = ListParams::default().labels(&scope.selector()).limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api.list_metadata(&params).await;
        let page = page.map_err(|error| TurnError::kubernetes("list", &resource.plural, error))?;
        found.extend(
            page.items
                .into_iter()
                .map(|object: PartialObjectMeta<DynamicObject>| object.metadata),
        );
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}

fn resource(config: &OperatorConfig) -> kube::api::ApiResource {
    if uses_config_maps(config) {
        kinds::config_map()
    } else {
        kinds::endpoints()
    }
}

async fn deal_with(
    context: &Context,
    cluster: &ClusterRef,
    state: &State,
    config: &OperatorConfig,
    was_told: bool,
) {
    let is_live =
        Mode::of(&ClusterView::default(), config) == Mode::Live && context.authority.denies().is_none();
    if !config.fleet.sweep_leftovers || !is_live {
        if !was_told {
            tracing::warn!(
                %cluster,
                "state of patroni was left over from a cluster that is gone: a new one of this name would wait for its leader; \
                 remove it by hand, or set sweep_leftovers"
            );
        }
        return;
    }
    tracing::warn!(%cluster, "state of patroni was left over from a cluster that is gone; removing it");
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), &cluster.namespace, &resource(config));
    for object in state {
        // Somebody may have applied it again since.
        if !is_absent(context, cluster) || !has_no_members(context, cluster) {
            return;
        }
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: object.uid.clone(),
                resource_version: object.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        let name = object.name.as_deref().unwrap_or_default();
        match api.delete(name, &params).await {
            Ok(_) => {}
            Err(error) if is_not_found(&error) => {}
            Err(error) => tracing::warn!(%cluster, name, %error, "cannot remove what was left over"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;
    use tokio::sync::watch;

    use super::*;
    use crate::testing::{FakeApi, manifest};

    const LIST: &str = "/api/v1/namespaces/apps/configmaps";

    fn settings(api: &FakeApi, sweeps: bool) -> (Context, Scope) {
        let mut context = api.context();
        let mut config = OperatorConfig::clone(&context.config());
        config.kubernetes.watched_namespace = Some("apps".to_owned());
        config.fleet.sweep_leftovers = sweeps;
        let scope = Scope::of(&config, "operators");
        context.config = watch::channel(Arc::new(config)).1;
        (context, scope)
    }

    /// These config maps of the cluster, with this owner.
    fn stored(api: &FakeApi, names: &[&str], owners: &Value) {
        let labels = json!({"application": "spilo", "cluster-name": "acid-demo"});
        let made = "2026-01-01T00:00:00Z";
        let items: Vec<Value> = names
            .iter()
            .map(|name| {
                let metadata = json!({"name": name, "namespace": "apps", "uid": format!("uid-{name}"), "labels": labels,
                    "creationTimestamp": made, "ownerReferences": owners});
                api.put(&format!("{LIST}/{name}"), json!({ "metadata": metadata }))
            })
            .collect();
        api.put(LIST, json!({"metadata": {}, "items": items}));
    }

    /// One look, and what is left then.
    async fn once(api: &FakeApi, context: &Context, scope: &Scope) -> Vec<String> {
        tokio::select! {
            () = sweep(context, scope, true) => {}
            () = tokio::time::sleep(std::time::Duration::from_millis(300)) => {}
        }
        let objects = api.under(&format!("{LIST}/")).into_iter();
        objects
            .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[tokio::test]
    async fn state_of_a_cluster_that_is_gone_goes_and_nothing_else_does() {
        let api = FakeApi::default();
        let (context, scope) = settings(&api, true);
        stored(
            &api,
            &["acid-demo-config", "acid-demo-leader", "acid-demo-settings"],
            &json!([]),
        );
        assert_eq!(once(&api, &context, &scope).await, ["acid-demo-settings"]);
    }

    #[tokio::test]
    async fn state_stays_whose_cluster_came_back_since_the_look() {
        let api = FakeApi::default();
        let (context, scope) = settings(&api, true);
        stored(&api, &["acid-demo-config"], &json!([]));
        let config = context.config();
        let found = remember(&context, &scope, &config).await.unwrap();
        let (cluster, state) = found.first_key_value().unwrap();
        api.submit(&context, &manifest());
        deal_with(&context, cluster, state, &config, false).await;
        assert!(api.get(&format!("{LIST}/acid-demo-config")).is_some());
    }

    #[tokio::test]
    async fn state_stays_that_is_owned_or_in_use_or_not_to_be_swept() {
        let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}]);
        let name = ["acid-demo-config"];
        let api = FakeApi::default();
        let (context, scope) = settings(&api, true);
        stored(&api, &name, &owner);
        assert_eq!(once(&api, &context, &scope).await, name, "kubernetes removes it");
        stored(&api, &name, &json!([]));
        let pod = pgherd_planner::observed::PodView {
            name: "acid-demo-0".to_owned(),
            ..Default::default()
        };
        let cluster = ClusterRef::new("apps", "acid-demo");
        context.cache.pods.note(&cluster, pod);
        assert_eq!(once(&api, &context, &scope).await, name, "somebody runs");
        context.cache.pods.clear();
        api.submit(&context, &manifest());
        assert_eq!(once(&api, &context, &scope).await, name, "it has an object");
        let api = FakeApi::default();
        let (context, scope) = settings(&api, false);
        stored(&api, &name, &json!([]));
        assert_eq!(once(&api, &context, &scope).await, name, "it is only told");
    }
}
