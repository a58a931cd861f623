//! One look at clusters from outside of the controller, without watches: for tools that run once. Everything after the reading is the
//! controller's own. Must not: write.
//!
//! ```text
//! lists ─► caches of its own ─► (manifest, observe, build, plan, as in a turn) ─► Sight
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use pgherd_model::api::team::PostgresTeam;
use pgherd_model::cluster::RoleSources;
use pgherd_model::config::{NamespacedName, OperatorConfig, Watch};
use pgherd_model::names::Names;
use pgherd_model::names::labels::selector_text;
use pgherd_planner::build::{Desired, build};
use pgherd_planner::observed::{ClusterView, Observed, PodView};
use pgherd_planner::plan::Plan;
use serde_json::Value;

use crate::cache::{Cache, Key, Manifest};
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::{TurnError, said};
use crate::kinds::{self, FoundBy, Watched};
use crate::manifest::{Found, Meaning};
use crate::observe::{Question, environment, observe, role_sources};
use crate::patroni::Patroni;
use crate::reconcile::decide;
use crate::watch::WirePod;
use crate::whole::Whole;

/// Why the catalog is unknown in what a survey sees.
const NO_DATABASE: &str = "databases are asked with --databases only";

/// How members are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Through the API server, which reaches every pod.
    ApiServer,
    /// By the pods' addresses.
    Direct,
    /// Not at all.
    Never,
}

/// Looks at clusters.
pub struct Survey {
    client: Client,
    config: Arc<OperatorConfig>,
    way: Way,
    /// Primaries are asked for their roles and databases, by their pods' addresses.
    databases: bool,
}

/// What one look has shown, and what follows from it.
#[derive(Debug)]
pub struct Sight {
    pub cluster: ClusterRef,
    /// As stored, or as given instead.
    pub manifest: Value,
    pub meaning: Meaning,
    /// None for a manifest without a meaning.
    pub desired: Option<Desired>,
    pub observed: Observed,
    pub plan: Plan,
}

impl fmt::Debug for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Survey")
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

impl Survey {
    pub fn new(client: Client, config: Arc<OperatorConfig>, way: Way) -> Self {
        Self {
            client,
            config,
            way,
            databases: false,
        }
    }

    /// Asks databases as well, as the controller does: as the superuser whose secret it reads, over TLS, from inside of the pods' network.
    #[must_use]
    pub fn with_databases(self, databases: bool) -> Self {
        Self { databases, ..self }
    }

    /// The clusters of a namespace, of all when none is given, by namespace and name.
    pub async fn clusters(&self, namespace: Option<&str>) -> Result<Vec<ClusterRef>, TurnError> {
        let resource = kinds::postgresql();
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let listed = api.list_metadata(&ListParams::default()).await;
        let listed = listed.map_err(|error| TurnError::kubernetes("list", &"postgresqls", error))?;
        let found = listed.items.iter();
        let found = found.map(|it| ClusterRef::new(it.namespace().unwrap_or_default(), it.name_any()));
        let mut clusters: Vec<ClusterRef> = found.collect();
        clusters.sort();
        Ok(clusters)
    }

    /// Looks at one cluster; none when there is no such object. `instead` stands for the stored manifest's spec, labels and annotations.
    pub async fn look(
        &self,
        cluster: &ClusterRef,
        instead: Option<&Value>,
    ) -> Result<Option<Sight>, TurnError> {
        let cache = Arc::new(Cache::default());
        if !self.read_manifest(cluster, instead, &cache).await? {
            return Ok(None);
        }
        let names = Names::of(&cluster.namespace, &cluster.name, &self.config);
        self.read_owned(cluster, &names, &cache).await?;
        self.read_pods(cluster, &names, &cache).await?;
        let context = self.context(Arc::clone(&cache), cluster, &cache.pods.of(cluster));
        let found = Found::look(&context, cluster, Timestamp::now()).await?;
        match found {
            Some(found) => Ok(Some(self.see(&context, cluster, found).await)),
            None => Ok(None),
        }
    }

    /// As in a turn of the controller.
    async fn see(&self, context: &Context, cluster: &ClusterRef, found: Found) -> Sight {
        let names = Names::of(&cluster.namespace, &cluster.name, &self.config);
        let meaning = Meaning::of(&found.manifest, &found.view.status, &self.config);
        let sources = match meaning.cluster() {
            Some(wanted) if !found.going => {
                self.read_teams(cluster, &context.cache).await;
                role_sources(context, wanted, &self.config).await
            }
            _ => RoleSources::default(),
        };
        let meaning = meaning.with_roles_of(&sources, &self.config);
        let environment = environment(context, &cluster.namespace, &self.config).await;
        let desired = meaning
            .cluster()
            .map(|wanted| build(wanted, &self.config, &environment));
        let question = Question {
            cluster,
            view: &found.view,
            names: &names,
            config: &self.config,
            desired: desired.as_ref(),
            sources: &sources,
            inside: meaning.inside(),
            catalog_unwanted: if self.databases {
                meaning.catalog_unwanted(&self.config)
            } else {
                Some(NO_DATABASE)
            },
            deleting: found.going,
            spared: found.spared,
        };
        let mut observed = Box::pin(observe(context, &question)).await;
        observed.pod_environment = environment;
        let plan = decide(&question, &meaning, &observed, Timestamp::now());
        Sight {
            cluster: cluster.clone(),
            manifest: found.manifest,
            meaning,
            desired,
            observed,
            plan,
        }
    }

    async fn read_manifest(
        &self,
        cluster: &ClusterRef,
        instead: Option<&Value>,
        cache: &Cache,
    ) -> Result<bool, TurnError> {
        let api: Api<Whole> =
            Api::namespaced_with(self.client.clone(), &cluster.namespace, &kinds::postgresql());
        let found = api.get_opt(&cluster.name).await;
        let found =
            found.map_err(|error| TurnError::kubernetes("read", &format!("postgresql {cluster}"), error))?;
        let Some(stored) = found else {
            return Ok(false);
        };
        let replaced = instead.and_then(|instead| Whole::of(&replaced(stored.value(), instead)));
        let object = replaced.unwrap_or(stored);
        cache.manifests.note(cluster, Manifest::of(object));
        Ok(true)
    }

    /// By the cluster's labels; what all clusters of the namespace share, and the StatefulSet, by name: it may have other labels.
    async fn read_owned(&self, cluster: &ClusterRef, names: &Names, cache: &Cache) -> Result<(), TurnError> {
        let shared = ClusterRef::of_namespace(&cluster.namespace);
        for kind in Watched::ALL {
            match kind.found_by() {
                FoundBy::ClusterLabels => self.list(cluster, names, kind, cache).await?,
                FoundBy::AccountName => {
                    self.read(&shared, kind, names.service_account(), cache).await?;
                }
            }
        }
        let name = names.stateful_set();
        if !cache.owned.has(cluster, &key(Watched::StatefulSet, name)) {
            self.read(cluster, Watched::StatefulSet, name, cache).await?;
        }
        Ok(())
    }

    async fn list(
        &self,
        cluster: &ClusterRef,
        names: &Names,
        kind: Watched,
        cache: &Cache,
    ) -> Result<(), TurnError> {
        let resource = kind.resource();
        let api: Api<Whole> = Api::namespaced_with(self.client.clone(), &cluster.namespace, &resource);
        let listed = api.list(&selected(names)).await;
        let listed = listed.map_err(|error| TurnError::kubernetes("list", &resource.plural, error))?;
        for object in listed {
            let name = object.name_any();
            cache.owned.keep(cluster, key(kind, &name), object);
        }
        Ok(())
    }

    async fn read(
        &self,
        cluster: &ClusterRef,
        kind: Watched,
        name: &str,
        cache: &Cache,
    ) -> Result<(), TurnError> {
        let resource = kind.resource();
        let api: Api<Whole> = Api::namespaced_with(self.client.clone(), &cluster.namespace, &resource);
        let found = api.get_opt(name).await;
        let what = format!("{} {}/{name}", resource.kind, cluster.namespace);
        let found = found.map_err(|error| TurnError::kubernetes("read", &what, error))?;
        if let Some(object) = found {
            cache.owned.keep(cluster, key(kind, name), object);
        }
        Ok(())
    }

    /// PostgresTeam objects, of all namespaces that the controller looks at. Where they cannot be listed they stay unknown, and the plan says so.
    async fn read_teams(&self, cluster: &ClusterRef, cache: &Cache) {
        if !self.config.teams_api.enable_postgres_team_crd {
            return;
        }
        // Where it looks at its own namespace only, that is the cluster's.
        let watched = match self.config.watch(&cluster.namespace) {
            Watch::Namespaces(named) if self.config.fleet.watched_namespace_selector.is_none() => named,
            _ => Vec::new(),
        };
        let places: Vec<Option<&str>> = if watched.is_empty() {
            vec![None]
        } else {
            watched.iter().map(|name| Some(name.as_str())).collect()
        };
        cache.outside.expect_teams(places.iter().copied());
        for namespace in places {
            let api = match namespace {
                Some(namespace) => Api::<PostgresTeam>::namespaced(self.client.clone(), namespace),
                None => Api::all(self.client.clone()),
            };
            match api.list(&ListParams::default()).await {
                Ok(teams) => note_teams(cache, namespace, teams.items),
                Err(error) => tracing::warn!(error = said(&error), "cannot list PostgresTeam objects"),
            }
        }
    }

    async fn read_pods(&self, cluster: &ClusterRef, names: &Names, cache: &Cache) -> Result<(), TurnError> {
        let api: Api<WirePod> = Api::namespaced_with(self.client.clone(), &cluster.namespace, &());
        let listed = api.list(&selected(names)).await;
        let listed = listed.map_err(|error| TurnError::kubernetes("list", &"pods", error))?;
        for pod in listed {
            cache.pods.note(cluster, pod.view(names.role_label()));
        }
        Ok(())
    }

    /// A context whose caches are what was read, and that nobody else shares.
    fn context(&self, cache: Arc<Cache>, cluster: &ClusterRef, pods: &[PodView]) -> Context {
        Context {
            cache,
            patroni: self.patroni(cluster, pods),
            ..Context::alone(self.client.clone(), Arc::clone(&self.config))
        }
    }

    /// The client for the members of one cluster.
    pub fn patroni(&self, cluster: &ClusterRef, pods: &[PodView]) -> Patroni {
        let routes = || {
            let known = pods
                .iter()
                .filter_map(|pod| Some((pod.ip.parse().ok()?, pod.name.clone())));
            known.collect::<HashMap<_, _>>()
        };
        match self.way {
            Way::Direct => Patroni::default(),
            Way::ApiServer => Patroni::through(self.client.clone(), &cluster.namespace, routes()),
            Way::Never => Patroni::through(self.client.clone(), &cluster.namespace, HashMap::new()),
        }
    }
}

impl Sight {
    /// The object's own metadata and status.
    pub fn view(&self) -> &ClusterView {
        &self.observed.cluster
    }
}

fn note_teams(cache: &Cache, namespace: Option<&str>, teams: Vec<PostgresTeam>) {
    let mut listed = HashSet::new();
    for team in teams {
        let place = NamespacedName {
            namespace: team.namespace().unwrap_or_default(),
            name: team.name_any(),
        };
        cache.outside.note_team(&place, team.spec);
        listed.insert(place);
    }
    cache.outside.note_teams_listed(namespace, &listed);
}

fn key(kind: Watched, name: &str) -> Key {
    Key {
        kind,
        name: name.to_owned(),
    }
}

fn selected(names: &Names) -> ListParams {
    ListParams::default().labels(&selector_text(&names.selector()))
}

/// With what `kubectl apply` would change.
fn replaced(mut object: Value, instead: &Value) -> Value {
    if let Some(spec) = instead.get("spec") {
        object["spec"] = spec.clone();
    }
    for part in ["labels", "annotations"] {
        let given: Option<BTreeMap<String, String>> =
            serde_json::from_value(instead["metadata"][part].clone()).ok();
        object["metadata"][part] = serde_json::to_value(given).unwrap_or_default();
    }
    object
}

#[cfg(test)]
mod tests;
