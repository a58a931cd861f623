//! Every name that leaves the program: objects, labels, annotations, ports, variables, DNS names, credentials. Lives here: the names of one
//! cluster and the constants. Must not: which objects exist and what is in them (planner). No other file formats such a name.
//!
//! The formats are Zalando's, letter by letter: a running cluster is found by them.

use std::collections::BTreeMap;

use crate::config::{OperatorConfig, Template};

pub mod annotations;
pub mod connection;
pub mod containers;
pub mod dns;
pub mod env;
pub mod labels;
pub mod objects;
pub mod operator;
pub mod ports;
pub mod roles;
pub mod secrets;

pub use labels::{Labels, Role};

/// The names of one cluster's objects, and the labels that find them.
#[derive(Debug, Clone, PartialEq)]
pub struct Names {
    namespace: String,
    cluster: String,
    account: String,
    budget: String,
    backup_prefix: String,
    secret: Template,
    cluster_labels: BTreeMap<String, String>,
    cluster_label: String,
    role_label: String,
    domain: String,
}

impl Names {
    /// Names for the cluster `name` in `namespace`. They depend on nothing but these two and the operator's configuration, so objects of a
    /// cluster can be found without its manifest.
    pub fn of(namespace: &str, name: &str, config: &OperatorConfig) -> Self {
        let kubernetes = &config.kubernetes;
        Self {
            namespace: namespace.to_owned(),
            cluster: name.to_owned(),
            account: kubernetes.pod_service_account_name.clone(),
            budget: kubernetes.pdb_name_format.fill(&[("cluster", name)]),
            backup_prefix: config.logical_backup.logical_backup_job_prefix.clone(),
            secret: kubernetes.secret_name_template.clone(),
            cluster_labels: kubernetes
                .cluster_labels
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            cluster_label: kubernetes.cluster_name_label.clone(),
            role_label: kubernetes.pod_role_label.clone(),
            domain: kubernetes.cluster_domain.clone(),
        }
    }

    /// The cluster's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The cluster's name; also Patroni's scope.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }
}

#[cfg(test)]
mod tests;
