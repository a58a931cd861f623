//! Keeps the caches true and wakes the clusters that something happened to. Lives here: which streams there are, and when the first lists
//! are complete. Must not: what a woken cluster does.
//!
//! | watched | how | wakes |
//! |---|---|---|
//! | postgresqls | whole, as text | itself: at once, unless only its status changed |
//! | pods of all clusters | decoded to the few fields we use | its cluster, a moment later |
//! | what clusters own | metadata only | its cluster, a moment later, unless it is the echo of our own write |
//! | service account, role binding | metadata only | all clusters of its namespace |

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use kube::api::{Api, DynamicObject, PartialObjectMeta};
use kube::core::DynamicResourceScope;
use kube::runtime::watcher::Config;
use kube::{Client, Resource};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::cache::Cache;
use crate::cluster_ref::ClusterRef;
use crate::kinds::{self, FoundBy, Watched};
use crate::queue::{Lane, Queue};

mod follow;
mod pod;
mod prime;
mod scope;
mod sinks;

pub use pod::WirePod;
pub use scope::{Namespaces, Scope};

use follow::follow;
use prime::prime;

/// Events of owned objects come in bursts: a pod that starts makes half a dozen. One turn is enough for all of them.
const SETTLE: Duration = Duration::from_millis(100);

/// What every stream needs.
#[derive(Clone)]
pub struct Watches {
    pub client: Client,
    pub cache: Arc<Cache>,
    pub queue: Queue,
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
        for namespace in scope.namespaces.each() {
            streams.push(Box::pin(self.manifests(namespace, listing.clone())));
            streams.push(Box::pin(self.pods(scope, namespace, listing.clone())));
            for kind in Watched::ALL {
                streams.push(Box::pin(self.owned(scope, namespace, kind, listing.clone())));
            }
        }
        drop(listing);
        join_all(streams).await;
    }

    async fn manifests(&self, namespace: Option<&str>, listing: Listing) {
        let api = api::<DynamicObject>(&self.client, namespace, &kinds::postgresql());
        let sink = sinks::ManifestSink::new(self.clone(), namespace);
        follow("postgresqls", api, Config::default(), sink, listing).await;
    }

    async fn pods(&self, scope: &Scope, namespace: Option<&str>, listing: Listing) {
        let api = api::<WirePod>(&self.client, namespace, &());
        let config = Config::default().labels(&scope.selector());
        let sink = sinks::PodSink::new(self.clone(), scope, namespace);
        follow("pods", api, config, sink, listing).await;
    }

    async fn owned(&self, scope: &Scope, namespace: Option<&str>, kind: Watched, listing: Listing) {
        let resource = kind.resource();
        prime(
            &api(&self.client, namespace, &resource),
            scope,
            kind,
            &self.cache.owned,
        )
        .await;
        let config = match kind.found_by() {
            FoundBy::ClusterLabels => Config::default().labels(&scope.selector()),
            FoundBy::AccountName => Config::default().fields(&scope.account_field()),
        };
        let api = api::<PartialObjectMeta<DynamicObject>>(&self.client, namespace, &resource);
        let sink = sinks::OwnedSink::new(self.clone(), scope, kind, namespace);
        follow(&resource.plural, api, config, sink, listing).await;
    }

    /// Something of this cluster changed.
    fn stir(&self, cluster: &ClusterRef) {
        self.queue.wake_at(cluster, Instant::now() + SETTLE, Lane::Edit);
    }
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
