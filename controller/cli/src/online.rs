//! The way to clusters that run: the API server, the operator's configuration as stored, and which clusters are meant. Must not: what is
//! asked about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::api::DynamicObject;
use kube::{Api, Client};
use pgherd_controller::cluster_ref::ClusterRef;
use pgherd_controller::error::{TurnError, said};
use pgherd_controller::kinds;
use pgherd_controller::survey::{self, Sight, Survey};
use pgherd_model::api::{GROUP, VERSION};
use pgherd_model::config::{ConfigError, OperatorConfig, source};
use pgherd_model::names::operator;
use pgherd_runtime::args::ConfigArgs;
use pgherd_runtime::client::{self, Meter};
use pgherd_runtime::config_source::ConfigSource;
use serde_json::Value;

use crate::args::online::{ReachArgs, UnderArgs, Way, WhichArgs};
use crate::configuration;
use crate::error::CliError;

/// Runs what has to wait for answers.
pub(crate) fn run<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(CliError::Print)?.block_on(work)
}

/// An API server, and the namespace that is meant where none is named.
pub(crate) struct Server {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Server {
    pub(crate) async fn reach(args: &ReachArgs) -> Result<Self, CliError> {
        let client = client::connect(&args.client, "cli", &Meter::default()).await?;
        let namespace = args.namespace.clone();
        Ok(Self {
            namespace: namespace.unwrap_or_else(|| client.default_namespace().to_owned()),
            client,
        })
    }

    pub(crate) fn named(&self, cluster: &str) -> ClusterRef {
        ClusterRef::new(&self.namespace, cluster)
    }

    pub(crate) fn clusters(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kinds::postgresql())
    }

    /// Looks at clusters as the controller does.
    pub(crate) async fn survey(&self, under: &UnderArgs) -> Result<(Survey, Arc<OperatorConfig>), CliError> {
        let config = Arc::new(self.config(under).await?);
        let way = match under.patroni {
            Way::ApiServer => survey::Way::ApiServer,
            Way::Direct => survey::Way::Direct,
            Way::Never => survey::Way::Never,
        };
        Ok((Survey::new(self.client.clone(), Arc::clone(&config), way), config))
    }

    async fn config(&self, under: &UnderArgs) -> Result<OperatorConfig, CliError> {
        match &under.config {
            Some(file) => configuration::load(Some(file), None),
            None => self.stored(&under.stored).await,
        }
    }

    /// As the controller finds it; where nothing is named, that of the default installation.
    async fn stored(&self, args: &ConfigArgs) -> Result<OperatorConfig, CliError> {
        let (resource, namespace, name) = match args.source() {
            ConfigSource::OperatorConfiguration { namespace, name } => {
                let mut resource = kinds::postgresql();
                "OperatorConfiguration".clone_into(&mut resource.kind);
                "operatorconfigurations".clone_into(&mut resource.plural);
                resource.api_version = format!("{GROUP}/{VERSION}");
                (resource, namespace, name)
            }
            ConfigSource::ConfigMap { namespace, name } => (kinds::config_map(), namespace, name),
            ConfigSource::Defaults => {
                let namespace = args.operator_namespace.clone();
                let namespace = namespace.unwrap_or_else(|| operator::NAMESPACE.to_owned());
                (kinds::config_map(), namespace, operator::CONFIGURATION.to_owned())
            }
        };
        let what = format!("{} {namespace}/{name}", resource.kind);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &resource);
        let found = api.get_opt(&name).await;
        let found = found.map_err(|error| CliError::Kubernetes {
            what: format!("read {what}"),
            said: said(&error),
        })?;
        let object = found.ok_or_else(|| CliError::NoStoredConfiguration { what: what.clone() })?;
        let object = serde_json::to_value(object).unwrap_or_default();
        let outcome = match resource.kind.as_str() {
            "ConfigMap" => source::from_config_map(&texts(&object), &namespace),
            _ => source::from_object(&object, &namespace),
        };
        let unusable = |errors: Vec<ConfigError>| CliError::BadConfiguration {
            file: what,
            problems: configuration::joined(&errors),
        };
        outcome.map(|(config, _)| config).map_err(unusable)
    }

    /// The clusters that are meant, in order.
    pub(crate) async fn meant(
        &self,
        survey: &Survey,
        which: &WhichArgs,
    ) -> Result<Vec<ClusterRef>, CliError> {
        if !which.clusters.is_empty() {
            return Ok(which.clusters.iter().map(|name| self.named(name)).collect());
        }
        let namespace = (!which.all_namespaces).then_some(self.namespace.as_str());
        survey.clusters(namespace).await.map_err(CliError::from)
    }
}

/// One cluster, which must be there.
pub(crate) async fn look(
    survey: &Survey,
    cluster: &ClusterRef,
    instead: Option<&Value>,
) -> Result<Sight, CliError> {
    let missing = || CliError::NoSuchCluster {
        cluster: cluster.to_string(),
    };
    survey.look(cluster, instead).await?.ok_or_else(missing)
}

impl From<TurnError> for CliError {
    fn from(error: TurnError) -> Self {
        Self::Turn(Box::new(error))
    }
}

fn texts(config_map: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(config_map["data"].clone()).unwrap_or_default()
}
