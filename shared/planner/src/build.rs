//! Every Kubernetes object of a cluster, as values. Lives here: the set of objects and the order in which the parts make it. Must not: what
//! is there already (`plan`).

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Endpoints, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::RoleBinding;
use pgherd_model::finding::Finding;
use serde::{Deserialize, Serialize};

use crate::observed::Source;
use crate::plan::SecretDraft;

/// The objects of one cluster as they shall be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    pub stateful_set: Source<StatefulSet>,
    /// What was ignored or raised while building.
    pub findings: Vec<Finding>,
}
