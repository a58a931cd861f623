//! The process: client, configuration, lease, watches, dispatch, admin port; and their end. Must not: know what a turn does.
//!
//! ```text
//! config_watch ─► settings (overrides in force) ─► scope ─┐ a new scope starts the watches anew
//! lease ─► acquired ─► CRDs ─► watches ─► first lists complete ─► dispatch
//!             lost ─► the process ends; the next one finds everything as it is
//! ```

use std::sync::Arc;

use anyhow::Context as _;
use futures::FutureExt as _;
use kube::Client;
use pgherd_model::config::{OperatorConfig, Overrides};
use pgherd_model::names::operator::CONTROLLER_LEASE;
use pgherd_runtime::admin;
use pgherd_runtime::client::{self, Meter};
use pgherd_runtime::config_watch::{self, ConfigState};
use pgherd_runtime::lease::{self, Leadership, LeaseParams};
use pgherd_runtime::listen::listen;
use pgherd_runtime::metrics::Metrics;
use pgherd_runtime::readiness::{Gate, Readiness};
use pgherd_runtime::shutdown::Shutdown;
use pgherd_runtime::tasks::Tasks;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;
use crate::args::ControllerArgs;
use crate::cache::Cache;
use crate::configuration;
use crate::context::{Authority, Context};
use crate::dispatch::dispatch;
use crate::events::Events;
use crate::fleet::Fleet;
use crate::memory::Memories;
use crate::metrics::{ControllerMetrics, Sources};
use crate::observe::remember_endpoints;
use crate::patroni::Patroni;
use crate::queue::{Lane, Queue};
use crate::register::{keep, register};
use crate::rest::{self, Identity};
use crate::sweep::{Reach, state, sweep};
use crate::watch::{Scope, Watches};

/// Why the work ended before anybody asked it to.
#[derive(Debug, thiserror::Error)]
enum WorkEnded {
    #[error("the lease was lost; ending, so that the next start begins with what is there")]
    LeaseLost,
    #[error("cannot register the custom resources: {0}")]
    Registration(#[from] crate::register::RegisterError),
}

/// Runs the controller until it is asked to end, or cannot go on.
pub async fn run(args: ControllerArgs) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
    let listener = listen(args.admin.admin_address, "--admin-address").await?;
    let mut metrics = Metrics::new("controller");
    let meter = Meter::registered(metrics.registry());
    let knowledge = Knowledge::counted(metrics.registry());
    let client = client::connect(&args.client, "controller", &meter).await?;
    let readiness = Readiness::new();
    let (configured, lists) = (
        readiness.gate("config", "not read yet"),
        readiness.gate("lists", "not complete yet"),
    );

    let namespace = args.config.namespace();
    let (states, follow) = config_watch::watch(
        client.clone(),
        args.config.source(),
        namespace.clone(),
        configured,
        shutdown.clone(),
    );
    let params = LeaseParams::new(&namespace, &lease_name(args.scope.controller_id()), &args.lease)?;
    let (leadership, elect) = lease::elect(client.clone(), params, shutdown.clone());
    let (settings, settle) = settings(states.clone(), args.overrides());

    let authority = Authority {
        leadership: Some(leadership.clone()),
        stopping: shutdown.token(),
    };
    let context = knowledge.context(client, settings, args.lease.identity(), authority);
    let events = tell_events(context.clone(), shutdown.clone());
    let told = configuration::report(context.clone(), args.config.source(), states.clone(), leadership);
    let ports =
        admin::router(readiness, Arc::new(metrics), shutdown.clone()).merge(rest::debug(context.clone()));
    let served = rest::serve(context.clone(), identity(&args)).boxed();
    let served = if args.work.no_rest_api {
        std::future::pending().boxed()
    } else {
        served
    };
    let work = Work {
        context,
        states,
        lists,
        namespace,
        args,
    };
    let patience = work.args.admin.shutdown_timeout;
    let mut tasks = Tasks::new(shutdown.clone());
    tasks.spawn_companion("admin", admin::serve_router(listener, ports, shutdown.clone()));
    tasks.spawn_companion("lease", elect);
    tasks.spawn_companion("events", events);
    tasks.spawn("config", follow);
    tasks.spawn("settings", ending_with(shutdown.clone(), settle));
    tasks.spawn("rest", ending_with(shutdown.clone(), served));
    tasks.spawn("configuration", ending_with(shutdown.clone(), told));
    tasks.spawn("clusters", work.run(shutdown));
    tasks.join(patience).await?;
    Ok(())
}

/// Controllers of different ids look after different clusters, and do not wait for each other. An id that no object can be named after is
/// written out by its bytes.
fn lease_name(controller_id: Option<&str>) -> String {
    let Some(id) = controller_id else {
        return CONTROLLER_LEASE.to_owned();
    };
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_plainly = id.bytes().next_back().is_some_and(is_plain);
    if ends_plainly && id.bytes().all(|byte| is_plain(byte) || byte == b'-') {
        return format!("{CONTROLLER_LEASE}-{id}");
    }
    id.bytes().fold(format!("{CONTROLLER_LEASE}.x"), |name, byte| {
        format!("{name}{byte:02x}")
    })
}

/// What the process knows, empty at the start.
struct Knowledge {
    cache: Arc<Cache>,
    queue: Queue,
    fleet: Arc<Fleet>,
    memories: Arc<Memories>,
    metrics: ControllerMetrics,
}

impl Knowledge {
    fn counted(registry: &mut Registry) -> Self {
        let (cache, queue) = (Arc::<Cache>::default(), Queue::default());
        let (fleet, memories) = (Arc::<Fleet>::default(), Arc::<Memories>::default());
        let sources = Sources {
            cache: Arc::clone(&cache),
            queue: queue.clone(),
            fleet: Arc::clone(&fleet),
            memories: Arc::clone(&memories),
        };
        Self {
            cache,
            queue,
            fleet,
            memories,
            metrics: ControllerMetrics::registered(registry, sources),
        }
    }

    fn context(
        self,
        client: Client,
        config: watch::Receiver<Arc<OperatorConfig>>,
        instance: String,
        authority: Authority,
    ) -> Context {
        Context {
            client: client.clone(),
            config,
            cache: self.cache,
            queue: self.queue,
            memories: self.memories,
            patroni: Patroni::default(),
            teams: Arc::default(),
            metrics: self.metrics,
            events: Arc::new(Events::new(client, instance)),
            fleet: self.fleet,
            activity: Activity::default(),
            authority,
        }
    }
}

/// The configuration with the environment's overrides in force, as a watch. The future keeps it so.
fn settings(
    mut states: watch::Receiver<ConfigState>,
    overrides: Overrides,
) -> (
    watch::Receiver<Arc<OperatorConfig>>,
    impl Future<Output = ()> + Send + 'static,
) {
    let effective = move |state: &ConfigState| Arc::new(overrides.apply((*state.config).clone()));
    let (sender, receiver) = watch::channel(effective(&states.borrow_and_update()));
    let keep = async move {
        while states.changed().await.is_ok() {
            let latest = effective(&states.borrow_and_update());
            sender.send_if_modified(|config| {
                let changed = **config != *latest;
                if changed {
                    *config = latest;
                }
                changed
            });
        }
        // The configuration's watch has ended, which ends the process; until then the last word stands.
        std::future::pending::<()>().await;
    };
    (receiver, keep)
}

/// What the HTTP interface says of this process.
fn identity(args: &ControllerArgs) -> Identity {
    Identity {
        namespace: args.config.namespace(),
        config_map: args.config.config_map.clone().unwrap_or_default(),
        no_database_access: args.work.no_database_access,
        no_teams_api: args.work.no_teams_api,
        json_logging: args.log.enable_json_logging,
        workers: args.work.concurrency.into(),
    }
}

/// Writes what of the events can wait, until all work has ended.
async fn tell_events(context: Context, shutdown: Shutdown) -> Result<(), std::convert::Infallible> {
    let is_busy = || !shutdown.has_begun() && context.queue.is_busy();
    tokio::select! {
        () = shutdown.drained() => {}
        () = context.events.write_waiting(|| context.authority.leads(), is_busy) => {}
    }
    Ok(())
}

async fn ending_with(
    shutdown: Shutdown,
    task: impl Future<Output = ()>,
) -> Result<(), std::convert::Infallible> {
    tokio::select! {
        () = shutdown.begun() => {}
        () = task => {}
    }
    Ok(())
}

/// The clusters' work, from the first configuration and the lease on.
struct Work {
    context: Context,
    states: watch::Receiver<ConfigState>,
    lists: Gate,
    namespace: String,
    args: ControllerArgs,
}

impl Work {
    async fn run(mut self, shutdown: Shutdown) -> Result<(), WorkEnded> {
        let Some(mut leadership) = self.begin(&shutdown).await else {
            return Ok(());
        };
        let within = self.args.work.crd_ready_wait_timeout;
        register(&self.context, within).await?;
        let mut kept = std::pin::pin!(keep(&self.context, within));
        while !shutdown.has_begun() {
            tokio::select! {
                () = leadership.lost() => return Err(WorkEnded::LeaseLost),
                () = &mut kept => {}
                () = self.serve(&shutdown) => {}
            }
        }
        self.context.events.part().await;
        Ok(())
    }

    /// Waits for a configuration and for the lease. None when the process is to end first.
    async fn begin(&mut self, shutdown: &Shutdown) -> Option<Leadership> {
        let mut leadership = self.context.authority.leadership.clone()?;
        let ready = async {
            let loaded = self.states.wait_for(ConfigState::is_loaded).await.is_ok();
            if !leadership.is_leader() {
                // A replica that waits is as ready as it can be.
                self.lists.open();
                let holder = leadership.holder();
                if !holder.is_empty() {
                    tracing::info!(%holder, "waiting for the lease");
                }
            }
            leadership.acquired().await;
            loaded
        };
        tokio::select! {
            () = shutdown.begun() => return None,
            loaded = ready => if !loaded { return None },
        }
        Some(leadership)
    }

    /// Watches one scope and serves its clusters, until the scope changes or the process is to end.
    async fn serve(&self, shutdown: &Shutdown) {
        let scope = Scope::of(&self.context.config(), &self.namespace);
        tracing::info!(namespaces = %scope.namespaces, selector = scope.selector(), "watching");
        let watches = Watches {
            client: self.context.client.clone(),
            cache: Arc::clone(&self.context.cache),
            queue: self.context.queue.clone(),
            fleet: Arc::clone(&self.context.fleet),
            controller_id: self.args.scope.controller_id().map(str::to_owned),
        };
        let reach = Reach {
            controller_id: self.args.scope.controller_id(),
            namespaces: &scope.namespaces,
        };
        let (listing, mut listed) = mpsc::channel(1);
        let stop = shutdown.token().child_token();
        let turns = async {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = listed.recv() => {}
            }
            remember_endpoints(&self.context, &scope).await;
            state::remember_first(&self.context, &scope).await;
            self.lists.open();
            tracing::info!(
                clusters = self.context.cache.manifests.len(),
                "first lists complete"
            );
            let turns = dispatch(&self.context, self.args.work.concurrency.into(), &stop);
            let sweep = async {
                let of_patroni = state::sweep(&self.context, &scope, reach.is_alone());
                tokio::join!(sweep(&self.context, reach), of_patroni);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = turns => {}
                () = sweep => {}
            }
        };
        tokio::select! {
            () = watches.run(&scope, listing) => {}
            () = async { tokio::join!(turns, self.follow_settings(&scope, &stop)); } => {}
        }
        if !shutdown.has_begun() {
            tracing::info!("scope changed; starting the watches anew");
        }
        self.context.cache.clear();
        self.context.memories.clear();
        self.context.fleet.clear();
        self.context.metrics.leftovers.set(0);
    }

    /// Wakes every cluster when the configuration changes; ends the scope's work when the scope does.
    async fn follow_settings(&self, scope: &Scope, stop: &CancellationToken) {
        let mut settings = self.context.config.clone();
        loop {
            let config = Arc::clone(&settings.borrow_and_update());
            if Scope::of(&config, &self.namespace) != *scope {
                stop.cancel();
                return;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = settings.changed() => if changed.is_err() { return },
            }
            tracing::info!("operator configuration changed; looking at every cluster");
            for cluster in self.context.cache.manifests.all() {
                self.context.queue.wake(&cluster, Lane::Resync);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_controller_id_has_a_lease_of_its_own() {
        let ids = [
            None,
            Some("blue"),
            Some("Blue"),
            Some("b/lue"),
            Some("b-lue-"),
            Some("x42"),
            Some("B"),
        ];
        let names = ids.map(lease_name);
        assert_eq!(names[0], "pgherd-controller");
        assert_eq!(names[1], "pgherd-controller-blue");
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        for name in &names {
            let is_allowed =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
            assert!(name.bytes().all(is_allowed) && !name.ends_with('-'), "{name}");
        }
    }
}
