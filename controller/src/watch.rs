//! Keeps the caches true and wakes the clusters that something happened to. Lives here: which streams there are, and when the first lists
//! are complete. Must not: what a woken cluster does.
//!
//! | watched | how | wakes |
//! |---|---|---|
//! | postgresqls | whole, as text | itself: at once, unless only its status changed |
//! | pods of all clusters | decoded to the few fields we use | its cluster, a moment later |
//! | what clusters own | metadata only; stateful sets and claims whole, as text | its cluster, a moment later, unless it is the echo of our own write |
//! | config map and secret of the pods' environment | entries and keys | all clusters that take it |
//! | namespaces, where a selector counts | metadata only | none: their clusters are listed |
//! | service account, role binding | metadata only | all clusters of its namespace |
//! | secrets and config maps with infrastructure roles, PostgresTeams | whole | all clusters |
//! | secrets of others that passwords are copied from | metadata of all secrets of their namespaces | clusters that copy from one |
//! | nodes | decoded to the few fields we use | clusters with pods on one that takes no new pods |

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DynamicObject, PartialObjectMeta};
use kube::core::DynamicResourceScope;
use kube::{Client, Resource};
use pgherd_model::api::team::PostgresTeam;
use pgherd_model::config::NamespacedName;
use pgherd_runtime::client::watching;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::cache::Cache;
use crate::cache::environment::Source;
use crate::cluster_ref::ClusterRef;
use crate::fleet::Fleet;
use crate::kinds::{self, FoundBy, Watched};
use crate::queue::{Lane, Queue};
use crate::whole::Whole;

mod environment;
mod follow;
mod given;
mod namespaces;
mod node;
mod outside;
mod part;
mod pod;
mod prime;
mod scope;
mod sinks;
mod wire;

pub use pod::WirePod;
pub use scope::{Namespaces, Scope};

use environment::EnvironmentSink;
use follow::follow;
use namespaces::{Chosen, NamespaceSink};
use part::Part;
use prime::prime;

/// Events of owned objects come in bursts: a pod that starts makes half a dozen. One turn is enough for all of them.
const SETTLE: Duration = Duration::from_millis(100);

/// The same of a cluster that is being made: its objects, its pods and what Kubernetes says of them come within half a second, and nobody waits
/// for one turn each.
const GATHER: Duration = Duration::from_millis(400);

/// How long the first turns wait for lists that they can do without: a status that lacks them would be written twice.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whole objects per page of a list: a stateful set has ten to twenty kilobytes with its managedFields.
const WHOLE_PAGE: u32 = 50;

/// What every stream needs.
#[derive(Clone)]
pub struct Watches {
    pub client: Client,
    pub cache: Arc<Cache>,
    pub queue: Queue,
    pub fleet: Arc<Fleet>,
    /// Only clusters whose controller annotation says this are ours.
    pub controller_id: Option<String>,
}

impl fmt::Debug for Watches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watches")
            .field("controller_id", &self.controller_id)
            .finish_non_exhaustive()
    }
}

/// Held by a stream until its first list has arrived. When all are dropped, the receiver's end is reached: before that, what is missing in
/// the caches may well exist.
pub type Listing = mpsc::Sender<Infallible>;

impl Watches {
    /// Runs all streams of this scope, for ever.
    pub async fn run(&self, scope: &Scope, listing: Listing) {
        let mut streams: Vec<BoxFuture<'_, ()>> = Vec::new();
        let (choice, chosen) = watch::channel(None);
        if let Namespaces::Selected { named, selector } = &scope.namespaces {
            streams.push(Box::pin(self.namespaces(named, selector, choice)));
            streams.push(Box::pin(self.chosen_manifests(chosen, listing.clone())));
        }
        for (source, name, place) in scope.environments() {
            streams.push(Box::pin(self.environment(
                scope,
                source,
                name,
                place,
                listing.clone(),
            )));
        }
        for namespace in scope.namespaces.each() {
            if !matches!(scope.namespaces, Namespaces::Selected { .. }) {
                streams.push(Box::pin(self.manifests(namespace, listing.clone())));
            }
            streams.push(Box::pin(self.pods(scope, namespace, listing.clone())));
            for kind in Watched::ALL {
                streams.push(Box::pin(self.owned(scope, namespace, kind, listing.clone())));
            }
        }
        streams.push(Box::pin(self.nodes(scope, listing.clone())));
        streams.push(Box::pin(self.given()));
        for place in &scope.role_secrets {
            for source in [Source::Secret, Source::ConfigMap] {
                streams.push(Box::pin(self.role_source(source, place)));
            }
        }
        if scope.teams {
            self.cache.outside.expect_teams(scope.namespaces.each());
            let places = scope.namespaces.each().into_iter();
            streams.extend(
                places.map(|place| Box::pin(self.teams(place, listing.clone())) as BoxFuture<'_, ()>),
            );
        }
        drop(listing);
        join_all(streams).await;
    }

    async fn nodes(&self, scope: &Scope, listing: Listing) {
        let api = api::<node::WireNode>(&self.client, None, &());
        let sink = node::NodeSink::new(self.clone(), scope);
        follow("nodes", api, watching(), sink, until_listed_soon(listing)).await;
    }

    async fn namespaces(&self, named: &[String], selector: &str, choice: watch::Sender<Chosen>) {
        let api = Api::<PartialObjectMeta<Namespace>>::all(self.client.clone());
        let config = watching().labels(selector);
        let sink = NamespaceSink::new(named, choice);
        follow("namespaces", api, config, sink, || ()).await;
    }

    /// The manifests of the namespaces that count, listed anew when these change.
    async fn chosen_manifests(&self, mut chosen: watch::Receiver<Chosen>, listing: Listing) {
        let mut listing = Some(listing);
        loop {
            let Ok(names) = chosen
                .wait_for(Option::is_some)
                .await
                .map(|names| (*names).clone())
            else {
                return;
            };
            chosen.mark_unchanged();
            let api = api::<Whole>(&self.client, None, &kinds::postgresql());
            let sink = sinks::ManifestSink::new(self.clone(), None).only(names, listing.is_none());
            let listed = || drop(listing.take());
            tokio::select! {
                () = follow("postgresqls", api, watching(), sink, listed) => {}
                _ = chosen.changed() => {}
            }
        }
    }

    async fn environment(
        &self,
        scope: &Scope,
        source: Source,
        name: &str,
        place: Option<&str>,
        listing: Listing,
    ) {
        let resource = match source {
            Source::ConfigMap => kinds::config_map(),
            Source::Secret => Watched::Secret.resource(),
        };
        let home = scope
            .environment_map
            .as_ref()
            .filter(|_| source == Source::ConfigMap);
        let home = home.map(|map| map.namespace.as_str());
        let api = api::<DynamicObject>(&self.client, place, &resource);
        let config = watching().fields(&format!("metadata.name={name}"));
        let sink = EnvironmentSink::new(self.clone(), source, place, home);
        follow("environment of pods", api, config, sink, until_listed(listing)).await;
    }

    /// Nobody waits for it: what no watch has told is read.
    async fn role_source(&self, source: Source, place: &NamespacedName) {
        let resource = match source {
            Source::ConfigMap => kinds::config_map(),
            Source::Secret => Watched::Secret.resource(),
        };
        let api = api::<DynamicObject>(&self.client, Some(&place.namespace), &resource);
        let config = watching().fields(&format!("metadata.name={}", place.name));
        let sink = outside::SourceSink::new(self.clone(), source, place.clone());
        follow("infrastructure roles", api, config, sink, || ()).await;
    }

    /// Nobody waits long for it: without them no role is taken back.
    async fn teams(&self, namespace: Option<&str>, listing: Listing) {
        let client = self.client.clone();
        let api = match namespace {
            Some(namespace) => Api::<PostgresTeam>::namespaced(client, namespace),
            None => Api::all(client),
        };
        let sink = outside::TeamSink::new(self.clone(), namespace);
        follow("postgresteams", api, watching(), sink, until_listed_soon(listing)).await;
    }

    async fn manifests(&self, namespace: Option<&str>, listing: Listing) {
        let api = api::<Whole>(&self.client, namespace, &kinds::postgresql());
        let sink = sinks::ManifestSink::new(self.clone(), namespace);
        follow("postgresqls", api, watching(), sink, until_listed(listing)).await;
    }

    async fn pods(&self, scope: &Scope, namespace: Option<&str>, listing: Listing) {
        let api = api::<WirePod>(&self.client, namespace, &());
        let config = watching().labels(&scope.selector());
        let sink = sinks::PodSink::new(self.clone(), scope, namespace);
        follow("pods", api, config, sink, until_listed(listing)).await;
    }

    async fn owned(&self, scope: &Scope, namespace: Option<&str>, kind: Watched, listing: Listing) {
        let resource = kind.resource();
        let config = match kind.found_by() {
            FoundBy::ClusterLabels => watching().labels(&scope.selector()),
            FoundBy::AccountName => watching().fields(&scope.account_field()),
        };
        let sink = sinks::OwnedSink::new(self.clone(), scope, kind, namespace);
        let listed = until_listed(listing);
        if kind.is_watched_whole() {
            let api = api::<Whole>(&self.client, namespace, &resource);
            follow(&resource.plural, api, config.page_size(WHOLE_PAGE), sink, listed).await;
        } else {
            let whole = api(&self.client, namespace, &resource);
            prime(&whole, scope, kind, &self.cache.owned).await;
            let api = api::<Part>(&self.client, namespace, &resource);
            follow(&resource.plural, api, config, sink, listed).await;
        }
    }

    /// Something changed that concerns all of them.
    fn stir_all(&self) {
        for cluster in self.cache.manifests.all() {
            self.stir(&cluster);
        }
    }

    /// Something of this cluster changed.
    fn stir(&self, cluster: &ClusterRef) {
        let is_made = self.cache.manifests.is_made(cluster);
        let pause = if is_made { SETTLE } else { GATHER };
        let lane = Lane::of_follow(is_made);
        self.queue.wake_at(cluster, Instant::now() + pause, lane);
    }
}

/// Lets go of the listing when it is called.
fn until_listed(listing: Listing) -> impl FnMut() + Send {
    let mut listing = Some(listing);
    move || drop(listing.take())
}

/// The same, but no later than [`PATIENCE`] from now: what may not be read here, or is not defined, keeps nobody from its turn.
fn until_listed_soon(listing: Listing) -> impl FnMut() + Send {
    let listed = CancellationToken::new();
    let seen = listed.clone();
    tokio::spawn(async move {
        // Either way it is let go of.
        let _ = timeout(PATIENCE, seen.cancelled_owned()).await;
        drop(listing);
    });
    move || listed.cancel()
}

fn api<K>(client: &Client, namespace: Option<&str>, resource: &K::DynamicType) -> Api<K>
where
    K: Resource<Scope = DynamicResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the first lists take when this one does not come, or comes at once.
    async fn waits(is_listed: bool) -> Duration {
        let (listing, mut listed) = mpsc::channel(1);
        let mut tell = until_listed_soon(listing);
        let begin = Instant::now();
        if is_listed {
            tell();
        }
        listed.recv().await;
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn lists_that_one_can_do_without_are_waited_for_a_moment() {
        assert_eq!(waits(true).await, Duration::ZERO);
        assert!((PATIENCE..2 * PATIENCE).contains(&waits(false).await));
    }
}
