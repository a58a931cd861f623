//! Follows the operator's configuration while the process runs: the last good one stays in force, whatever happens to its source.
//!
//! Not here: what the parameters mean and how they are read (`pgherd_model::config`).

use std::fmt::{self, Debug};
use std::sync::Arc;

use futures::{Stream, StreamExt, future, pin_mut};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use pgherd_model::config::{ConfigError, Finding, Form, OperatorConfig, OperatorConfiguration, source};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::client::{self, Patience};
use crate::config_source::ConfigSource;
use crate::readiness::Gate;
use crate::shutdown::Shutdown;
use crate::tasks::chain;

/// What is in force, and what is wrong with the source, if anything.
#[derive(Debug, Clone)]
pub struct ConfigState {
    /// The last good configuration; compiled defaults of the source's form until [`Self::is_loaded`].
    pub config: Arc<OperatorConfig>,
    /// The source's version that `config` was read from; none for compiled defaults.
    pub version: Option<String>,
    /// What is worth knowing about `config`.
    pub findings: Vec<Finding>,
    /// Why the source's present content is not in force. Empty when it is.
    pub problems: Vec<String>,
    /// The source as last seen, whether it is in force or not; none as long as it is not there.
    pub seen: Option<Seen>,
    loaded: bool,
}

/// Which object was seen, for those who report on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its identity.
    pub uid: String,
    /// Generation of what it says; 0 for a ConfigMap, which counts none.
    pub generation: i64,
    /// Its `resourceVersion`.
    pub version: String,
}

impl Seen {
    fn of(object: &impl ResourceExt) -> Self {
        Self {
            uid: object.uid().unwrap_or_default(),
            generation: object.meta().generation.unwrap_or_default(),
            version: object.resource_version().unwrap_or_default(),
        }
    }
}

impl ConfigState {
    /// Compiled defaults, on purpose.
    pub fn defaults() -> Self {
        Self {
            loaded: true,
            ..Self::unread(Form::ConfigMap)
        }
    }

    /// Has a good configuration been read (or is none wanted)?
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Compiled defaults of a form, until something is read.
    pub fn unread(form: Form) -> Self {
        Self {
            config: Arc::new(OperatorConfig::default_for(form)),
            version: None,
            findings: Vec::new(),
            problems: Vec::new(),
            seen: None,
            loaded: false,
        }
    }
}

impl ConfigSource {
    fn form(&self) -> Form {
        match self {
            Self::OperatorConfiguration { .. } => Form::Crd,
            Self::ConfigMap { .. } | Self::Defaults => Form::ConfigMap,
        }
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("compiled defaults"),
            Self::ConfigMap { namespace, name } => write!(f, "ConfigMap {namespace}/{name}"),
            Self::OperatorConfiguration { namespace, name } => {
                write!(f, "OperatorConfiguration {namespace}/{name}")
            }
        }
    }
}

/// Follows `source`. The receiver always has a value; `gate` opens with the first good one. The future is the task that does the work:
/// it ends when shutdown begins.
pub fn watch(
    client: Client,
    source: ConfigSource,
    operator_namespace: String,
    gate: Gate,
    shutdown: Shutdown,
) -> (
    watch::Receiver<ConfigState>,
    impl Future<Output = Result<(), std::convert::Infallible>> + Send + 'static,
) {
    let first = match source {
        ConfigSource::Defaults => ConfigState::defaults(),
        _ => ConfigState::unread(source.form()),
    };
    let (sender, receiver) = watch::channel(first);
    let follower = Follower {
        source,
        operator_namespace,
        gate,
        sender,
    };
    let task = async move {
        tokio::select! {
            () = shutdown.begun() => {}
            () = follower.run(client) => {}
        }
        Ok(())
    };
    (receiver, task)
}

struct Follower {
    source: ConfigSource,
    operator_namespace: String,
    gate: Gate,
    sender: watch::Sender<ConfigState>,
}

impl Follower {
    async fn run(&self, client: Client) {
        match &self.source {
            ConfigSource::Defaults => {
                self.gate.open();
                std::future::pending::<()>().await;
            }
            ConfigSource::ConfigMap { namespace, name } => {
                let objects = objects(Api::<ConfigMap>::namespaced(client, namespace), name);
                self.follow(objects, |map| {
                    source::from_config_map(&map.data.clone().unwrap_or_default(), &self.operator_namespace)
                })
                .await;
            }
            ConfigSource::OperatorConfiguration { namespace, name } => {
                let api =
                    Api::<DynamicObject>::namespaced_with(client, namespace, &operator_configurations());
                self.follow(objects(api, name), |object| {
                    source::from_object(&object.data, &self.operator_namespace)
                })
                .await;
            }
        }
    }

    /// Errors of the stream come with pauses ([`Patience`]), so nothing here loops hot.
    async fn follow<K: ResourceExt>(
        &self,
        objects: impl Stream<Item = watcher::Result<Option<K>>>,
        read: impl Fn(&K) -> source::Outcome,
    ) {
        pin_mut!(objects);
        while let Some(next) = objects.next().await {
            match next {
                Ok(Some(object)) if self.is_in_force(object.resource_version().as_deref()) => {}
                Ok(Some(object)) => self.settle(Seen::of(&object), read(&object)),
                Ok(None) => self.reject(None, &[format!("{} is not there", self.source)]),
                Err(err) => {
                    let problem = format!("cannot watch {}: {}", self.source, chain(&err));
                    // Not in the call: what is borrowed there is borrowed until it returns.
                    let seen = self.sender.borrow().seen.clone();
                    self.reject(seen, &[problem]);
                }
            }
        }
    }

    /// A new list shows again what is known.
    fn is_in_force(&self, version: Option<&str>) -> bool {
        let state = self.sender.borrow();
        version.is_some() && state.version.as_deref() == version && state.problems.is_empty()
    }

    /// Takes a good configuration into force, or says why the source's content is not.
    fn settle(&self, seen: Seen, outcome: source::Outcome) {
        let (config, findings) = match outcome {
            Ok(good) => good,
            Err(errors) => {
                let problems: Vec<String> = errors.iter().map(ConfigError::to_string).collect();
                return self.reject(Some(seen), &problems);
            }
        };
        if self.is_same(&config, &seen) {
            return;
        }
        for finding in &findings {
            warn!(source = %self.source, path = %finding.path, finding = %finding.message, "operator configuration");
        }
        info!(source = %self.source, version = seen.version, "operator configuration is in force");
        let config = Arc::new(config);
        self.sender.send_replace(ConfigState {
            config,
            version: Some(seen.version.clone()),
            findings,
            problems: Vec::new(),
            seen: Some(seen),
            loaded: true,
        });
        self.gate.open();
    }

    /// Something else of the object changed: its status, say, which we write ourselves. Nobody needs to know.
    fn is_same(&self, config: &OperatorConfig, seen: &Seen) -> bool {
        let mut is_same = false;
        self.sender.send_if_modified(|state| {
            let known = state.seen.as_ref();
            is_same = state.loaded
                && state.problems.is_empty()
                && *state.config == *config
                && known.is_some_and(|known| (&known.uid, known.generation) == (&seen.uid, seen.generation));
            if is_same {
                state.version = Some(seen.version.clone());
                state.seen = Some(seen.clone());
            }
            false
        });
        is_same
    }

    /// Keeps what is in force. Says a problem once, not at each retry.
    fn reject(&self, seen: Option<Seen>, problems: &[String]) {
        let changed = self.sender.send_if_modified(|state| {
            let changed = state.problems != problems;
            state.problems = problems.to_vec();
            state.seen = seen;
            changed
        });
        if !changed {
            return;
        }
        let loaded = self.sender.borrow().loaded;
        for problem in problems {
            warn!(source = %self.source, %problem, last_good_in_force = loaded, "operator configuration is not taken over");
        }
        if !loaded {
            self.gate.close(problems.join("; "));
        }
    }
}

/// The kind OperatorConfiguration, read as JSON: the parser wants to see what is really written.
fn operator_configurations() -> ApiResource {
    ApiResource::erase::<OperatorConfiguration>(&())
}

fn objects<K>(api: Api<K>, name: &str) -> impl Stream<Item = watcher::Result<Option<K>>> + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let named = client::watching().fields(&format!("metadata.name={name}"));
    let mut is_there = false;
    let latest = watcher(api, named)
        .backoff(Patience::default())
        .map(move |event| {
            Ok(match event? {
                Event::Init => {
                    is_there = false;
                    None
                }
                Event::InitApply(object) | Event::Apply(object) => {
                    is_there = true;
                    Some(Some(object))
                }
                Event::InitDone if is_there => None,
                Event::InitDone | Event::Delete(_) => Some(None),
            })
        });
    latest.filter_map(|seen| future::ready(seen.transpose()))
}

#[cfg(test)]
mod tests;
