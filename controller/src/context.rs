//! What every stage needs, in one place. A leaf: it imports no stage. Must not: policy, or state of a turn.

use std::fmt;
use std::sync::Arc;

use kube::Client;
use kube::api::Api;
use pgherd_model::config::OperatorConfig;
use pgherd_runtime::lease::Leadership;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;
use crate::cache::Cache;
use crate::error::said;
use crate::events::Events;
use crate::fleet::Fleet;
use crate::kinds;
use crate::memory::Memories;
use crate::metrics::ControllerMetrics;
use crate::patroni::Patroni;
use crate::queue::Queue;
use crate::teams::Teams;
use crate::whole::Whole;

/// Shared by all turns. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub client: Client,
    /// What is in force now, the environment's overrides included.
    pub config: watch::Receiver<Arc<OperatorConfig>>,
    pub cache: Arc<Cache>,
    pub queue: Queue,
    pub memories: Arc<Memories>,
    pub patroni: Patroni,
    pub teams: Arc<Teams>,
    pub metrics: ControllerMetrics,
    pub events: Arc<Events>,
    pub fleet: Arc<Fleet>,
    pub activity: Activity,
    pub authority: Authority,
}

/// Whether this process may (still) change the world.
#[derive(Debug, Clone)]
pub struct Authority {
    /// None where nobody else competes: tests, and tools that run once.
    pub leadership: Option<Leadership>,
    /// Cancelled when the process is asked to end.
    pub stopping: CancellationToken,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// One that nobody else shares: for what runs once, beside no watch and no other turn.
    pub fn alone(client: Client, config: Arc<OperatorConfig>) -> Self {
        let (_, config) = watch::channel(config);
        Self {
            config,
            cache: Arc::new(Cache::default()),
            queue: Queue::default(),
            memories: Arc::new(Memories::default()),
            patroni: Patroni::default(),
            teams: Arc::default(),
            metrics: ControllerMetrics::unregistered(),
            events: Arc::new(Events::new(client.clone(), "alone".to_owned())),
            fleet: Arc::new(Fleet::default()),
            activity: Activity::default(),
            authority: Authority {
                leadership: None,
                stopping: CancellationToken::new(),
            },
            client,
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<OperatorConfig> {
        Arc::clone(&self.config.borrow())
    }

    /// The objects of a kind in a namespace; none for a kind that we do not deal with.
    pub fn objects(&self, kind: &str, namespace: &str) -> Option<Api<Whole>> {
        let resource = kinds::resource_of(kind)?;
        Some(Api::namespaced_with(self.client.clone(), namespace, &resource))
    }

    /// Reads one object, without its managedFields; `None` when there is none. The error is a sentence without the object's content.
    pub async fn read(&self, kind: &str, namespace: &str, name: &str) -> Result<Option<Value>, String> {
        let found = self.whole(kind, namespace, name).await?;
        Ok(found.map(|object| object.value()))
    }

    /// As [`Self::read`], as it came, and with what is known of how it came about.
    pub async fn whole(&self, kind: &str, namespace: &str, name: &str) -> Result<Option<Whole>, String> {
        let unreadable = |error: &dyn fmt::Display| format!("cannot read {kind} {namespace}/{name}: {error}");
        let api = self
            .objects(kind, namespace)
            .ok_or_else(|| unreadable(&"unknown kind"))?;
        api.get_opt(name).await.map_err(|error| unreadable(&said(&error)))
    }

    /// The clusters of a namespace.
    pub fn postgresqls(&self, namespace: &str) -> Api<Whole> {
        Api::namespaced_with(self.client.clone(), namespace, &kinds::postgresql())
    }
}

impl Authority {
    /// Why no further step may be taken, if so. Asked before every step.
    pub fn denies(&self) -> Option<&'static str> {
        if self.stopping.is_cancelled() {
            return Some("the controller is shutting down");
        }
        (!self.leads()).then_some("the controller no longer holds its lease")
    }

    /// Nobody else may act in our place.
    pub fn leads(&self) -> bool {
        self.leadership.as_ref().is_none_or(Leadership::is_leader)
    }
}
