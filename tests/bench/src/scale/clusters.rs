//! The manifests: named, applied, edited, and what their status says.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Teller;
use super::place::{NAMESPACES, Place};

/// Requests at once, of every client here.
pub const AT_ONCE: usize = 32;

/// A manifest's place and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    pub namespace: &'static str,
    pub name: String,
}

/// Who is applied when. The first few have a namespace of their own, so that a controller can be given these alone.
#[derive(Debug, Clone)]
pub struct Names {
    all: Vec<Name>,
    at_once: usize,
}

impl Names {
    /// Twice `at_once`, the first `few` of them apart.
    pub fn new(few: usize, at_once: usize) -> Self {
        let name = |number: usize| Name {
            namespace: NAMESPACES[usize::from(number >= few)],
            name: format!("acid-{number:04}"),
        };
        Self {
            all: (0..2 * at_once).map(name).collect(),
            at_once,
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Name] {
        &self.all
    }

    /// Those of the first part.
    pub fn first(&self) -> &[Name] {
        &self.all[..self.at_once]
    }

    /// Those that come in the second.
    pub fn second(&self) -> &[Name] {
        &self.all[self.at_once..]
    }
}

/// The resource of manifests.
pub fn postgresql() -> ApiResource {
    ApiResource {
        group: "acid.zalan.do".to_owned(),
        version: "v1".to_owned(),
        api_version: "acid.zalan.do/v1".to_owned(),
        kind: "postgresql".to_owned(),
        plural: "postgresqls".to_owned(),
    }
}

/// A cluster as teams write it: one user, one database.
pub fn manifest(name: &str, instances: u32) -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": name, "labels": {"team": "acid"}},
        "spec": {
            "teamId": "acid", "numberOfInstances": instances, "postgresql": {"version": "17", "parameters": {"max_connections": "50"}},
            "volume": {"size": "1Gi"}, "users": {"app": ["createdb"]}, "databases": {"app": "app"},
            "resources": {"requests": {"cpu": "10m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "500Mi"}},
        },
    })
}

/// What the status of each says, by a watch.
pub struct Clusters {
    client: Client,
    instances: u32,
    running: Arc<Mutex<HashMap<String, Seen>>>,
    watch: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    running: bool,
    /// The status speaks of this generation.
    generation: Option<i64>,
}

impl fmt::Debug for Clusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clusters")
            .field("instances", &self.instances)
            .finish_non_exhaustive()
    }
}

impl Drop for Clusters {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Clusters {
    /// Begins to watch.
    ///
    /// # Errors
    ///
    /// No client.
    pub async fn watch(place: &Place, instances: u32) -> Result<Self> {
        let running = Arc::<Mutex<HashMap<String, Seen>>>::default();
        let client = place.client("bench-watch").await?;
        let streams = NAMESPACES.map(|namespace| follow(client.clone(), namespace, Arc::clone(&running)));
        Ok(Self {
            client: place.client("bench-apply").await?,
            instances,
            running,
            watch: tokio::spawn(async {
                futures::future::join_all(streams).await;
            }),
        })
    }

    fn api(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &postgresql())
    }

    /// All of these, as fast as this client can.
    ///
    /// # Errors
    ///
    /// One is refused.
    pub async fn apply(&self, names: &[Name]) -> Result<()> {
        let create = |name: &Name| {
            let (api, text) = (self.api(name.namespace), manifest(&name.name, self.instances));
            async move {
                let object: DynamicObject = serde_json::from_value(text)?;
                api.create(&PostParams::default(), &object).await?;
                anyhow::Ok(())
            }
        };
        let creations = stream::iter(names.iter().map(create)).buffer_unordered(AT_ONCE);
        creations
            .try_collect::<Vec<()>>()
            .await
            .context("apply a manifest")?;
        Ok(())
    }

    /// Changes the spec; returns when the API server had taken it, and the generation that it made.
    ///
    /// # Errors
    ///
    /// It is refused.
    pub async fn edit(&self, name: &Name, spec: &Value) -> Result<(Timestamp, i64)> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let api = self.api(name.namespace);
        let edited = api.patch(&name.name, &PatchParams::default(), &patch).await;
        let edited = edited.with_context(|| format!("edit {}", name.name))?;
        Ok((
            Timestamp::now(),
            edited.metadata.generation.context("no generation")?,
        ))
    }

    /// Until the status of all of these says that they run as the generation given wants. Returns when that was seen.
    ///
    /// # Errors
    ///
    /// It takes too long.
    pub async fn wait_until_running(
        &self,
        wanted: &[(&Name, i64)],
        limit: Duration,
        teller: &Teller,
    ) -> Result<Instant> {
        let (begun, mut told) = (Instant::now(), Instant::now());
        loop {
            let left = {
                let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                let runs = |(name, generation): &(&Name, i64)| {
                    let seen = running.get(&name.name);
                    seen.is_some_and(|seen| seen.running && seen.generation >= Some(*generation))
                };
                wanted.iter().filter(|wanted| !runs(wanted)).count()
            };
            if left == 0 {
                return Ok(Instant::now());
            }
            ensure!(begun.elapsed() < limit, "{left} clusters do not run");
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                teller.tell(format!("  {} of {} run", wanted.len() - left, wanted.len()));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn follow(client: Client, namespace: &'static str, running: Arc<Mutex<HashMap<String, Seen>>>) {
    let api = Api::<DynamicObject>::namespaced_with(client, namespace, &postgresql());
    let events = watch(api, watcher::Config::default()).default_backoff();
    let note = |event: Result<Event<DynamicObject>, watcher::Error>| {
        if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
            let status = &object.data["status"];
            let seen = Seen {
                running: status["PostgresClusterStatus"] == "Running",
                generation: status["observedGeneration"].as_i64(),
            };
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            running.insert(object.name_any(), seen);
        }
        std::future::ready(())
    };
    events.for_each(note).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_few_are_apart_and_no_name_is_there_twice() {
        let names = Names::new(2, 5);
        assert_eq!((names.first().len(), names.second().len()), (5, 5));
        let apart = |name: &&Name| name.namespace == NAMESPACES[0];
        assert_eq!(names.all().iter().filter(apart).count(), 2);
        let distinct: std::collections::HashSet<_> = names.all().iter().map(|name| &name.name).collect();
        assert_eq!(distinct.len(), 10);
    }
}
