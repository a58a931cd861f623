//! Every Kubernetes object of a cluster, as values. Lives here: the set of objects and the order in which the parts make it. Must not: what
//! is there already (`plan`).
//!
//! The objects are what Zalando's operator sends, field by field (zalando-behaviour 3.3 to 3.7), so that either operator finds its own
//! when it takes over from the other. Where we differ on purpose, the table of accepted differences in the golden tests says why.

use std::fmt;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Endpoints, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::finding::Finding;
use pgherd_model::names::Names;
use serde::{Deserialize, Serialize};

use crate::observed::{PodEnvironment, Source};
use crate::redact;

mod account;
mod affinity;
mod archive;
mod budget;
mod container;
mod environment;
mod metadata;
mod origin;
mod pod;
mod secret;
mod service;
pub(crate) mod spilo;
mod stateful_set;
mod variable;
mod volume;

pub use secret::SecretDraft;
pub use stateful_set::trial_pod;

/// The objects of one cluster as they shall be.
///
/// A StatefulSet can hold keys that a manifest gives in clear. `Debug` and `Serialize` leave them out.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Desired {
    /// The service account of the pods.
    pub service_account: ServiceAccount,
    /// Its role binding.
    pub role_binding: RoleBinding,
    /// The master Endpoints, in Endpoints mode. Created, then left to Patroni.
    pub endpoints: Option<Endpoints>,
    /// The master and the replica service.
    pub services: Vec<Service>,
    /// The secrets of roles that log in.
    pub secrets: Vec<SecretDraft>,
    /// The primary's budget and that of critical operations.
    pub disruption_budgets: Vec<PodDisruptionBudget>,
    /// The StatefulSet; unknown while something that its template is made of cannot be read.
    #[serde(serialize_with = "redact::veiled")]
    pub stateful_set: Source<StatefulSet>,
    /// What was ignored or raised while building.
    pub findings: Vec<Finding>,
}

impl fmt::Debug for Desired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redact::debug(self, f)
    }
}

impl Desired {
    /// Who owns the objects of the cluster; all have the same owners.
    pub fn owners(&self) -> &[OwnerReference] {
        let metadata = self.services.first().map(|service| &service.metadata);
        metadata
            .and_then(|metadata| metadata.owner_references.as_deref())
            .unwrap_or_default()
    }
}

/// What the parts are made of.
#[derive(Debug, Clone, Copy)]
struct Blueprint<'a> {
    cluster: &'a Cluster,
    config: &'a OperatorConfig,
    names: &'a Names,
}

/// All objects of a cluster. `environment` is what other objects add to the pods' variables: without it there is no StatefulSet.
pub fn build(cluster: &Cluster, config: &OperatorConfig, environment: &Source<PodEnvironment>) -> Desired {
    let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
    let blueprint = Blueprint {
        cluster,
        config,
        names: &names,
    };
    let (service_account, role_binding, findings) = account::build(blueprint);
    Desired {
        service_account,
        role_binding,
        endpoints: service::endpoints(blueprint),
        services: service::build(blueprint),
        secrets: secret::build(blueprint),
        disruption_budgets: budget::build(blueprint),
        stateful_set: match environment {
            Source::Known(environment) => Source::Known(stateful_set::build(blueprint, environment)),
            Source::Unknown(reason) => Source::Unknown(reason.clone()),
        },
        findings,
    }
}

/// Patroni keeps its state in ConfigMaps: the master service then finds the primary by its label. Otherwise Patroni writes the master
/// Endpoints itself (with etcd too: its callbacks do).
pub fn uses_config_maps(config: &OperatorConfig) -> bool {
    config.general.etcd_host.as_deref().unwrap_or_default().is_empty()
        && config.general.kubernetes_use_configmaps
}
