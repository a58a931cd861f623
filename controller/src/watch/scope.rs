//! What this operator looks at, out of its configuration. A change of any of it starts all watches anew. Must not: requests.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_model::config::{OperatorConfig, Watch};

use crate::cluster_ref::ClusterRef;

/// Which namespaces are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespaces {
    All,
    These(Vec<String>),
}

/// Where this operator's objects are and how they are told from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub namespaces: Namespaces,
    /// Labels on everything that belongs to any cluster.
    pub labels: BTreeMap<String, String>,
    /// Key of the label with the cluster's name.
    pub cluster_label: String,
    /// Key of the label with a pod's role.
    pub role_label: String,
    /// Name of the pods' service account and of its role binding, in every namespace.
    pub account: String,
}

impl Scope {
    /// Out of the operator's configuration, overrides of the environment included.
    pub fn of(config: &OperatorConfig, own_namespace: &str) -> Self {
        let kubernetes = &config.kubernetes;
        Self {
            namespaces: match config.watch(own_namespace) {
                Watch::All => Namespaces::All,
                Watch::Namespace(names) => Namespaces::parse(&names),
            },
            labels: kubernetes
                .cluster_labels
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            cluster_label: kubernetes.cluster_name_label.clone(),
            role_label: kubernetes.pod_role_label.clone(),
            account: kubernetes.pod_service_account_name.clone(),
        }
    }

    /// Label selector for the objects of all clusters.
    pub fn selector(&self) -> String {
        let equal = self.labels.iter().map(|(key, value)| format!("{key}={value}"));
        equal
            .chain([self.cluster_label.clone()])
            .collect::<Vec<_>>()
            .join(",")
    }

    /// Field selector for the objects that every namespace has one of.
    pub fn account_field(&self) -> String {
        format!("metadata.name={}", self.account)
    }

    /// The cluster that an object says it belongs to.
    pub fn cluster_of(&self, metadata: &ObjectMeta) -> Option<ClusterRef> {
        let name = metadata.labels.as_ref()?.get(&self.cluster_label)?;
        Some(ClusterRef::new(metadata.namespace.as_deref()?, name))
    }
}

impl Namespaces {
    /// A comma separates several.
    fn parse(text: &str) -> Self {
        Self::These(
            text.split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// One entry per set of watches: none means all namespaces at once.
    pub fn each(&self) -> Vec<Option<&str>> {
        match self {
            Self::All => vec![None],
            Self::These(names) => names.iter().map(|name| Some(name.as_str())).collect(),
        }
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::These(names) => f.write_str(&names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use pgherd_model::config::Form;

    use super::*;

    fn scope(watched: Option<&str>) -> Scope {
        let mut config = OperatorConfig::default_for(Form::ConfigMap);
        config.kubernetes.watched_namespace = watched.map(str::to_owned);
        Scope::of(&config, "operators")
    }

    #[test]
    fn the_own_namespace_is_the_default() {
        assert_eq!(scope(None).namespaces.each(), [Some("operators")]);
        assert_eq!(scope(Some("*")).namespaces, Namespaces::All);
        assert_eq!(scope(Some("a, b")).namespaces.each(), [Some("a"), Some("b")]);
    }

    #[test]
    fn objects_are_found_by_the_labels_of_all_clusters_and_told_apart_by_one() {
        let scope = scope(None);
        assert_eq!(scope.selector(), "application=spilo,cluster-name");
        let labels = BTreeMap::from([("cluster-name".to_owned(), "acid-demo".to_owned())]);
        let mut metadata = ObjectMeta {
            namespace: Some("apps".to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        assert_eq!(
            scope.cluster_of(&metadata),
            Some(ClusterRef::new("apps", "acid-demo"))
        );
        metadata.labels = None;
        assert_eq!(scope.cluster_of(&metadata), None);
    }
}
