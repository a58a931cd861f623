//! What this operator looks at, out of its configuration. A change of any of it starts all watches anew. Must not: requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_model::config::{NamespacedName, OperatorConfig, Watch};
use pgherd_planner::observed::NodeView;

use crate::cache::environment::Source;
use crate::cluster_ref::ClusterRef;

/// Which namespaces are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespaces {
    All,
    These(Vec<String>),
    /// These, and all that this label selector finds.
    Selected {
        named: Vec<String>,
        selector: String,
    },
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
    /// Config map that adds to the pods' environment: from its namespace, or else from the cluster's.
    pub environment_map: Option<NamespacedName>,
    /// Secret that does, in the cluster's namespace.
    pub environment_secret: Option<String>,
    /// Where infrastructure roles are defined: secrets, and config maps of the same names.
    pub role_secrets: Vec<NamespacedName>,
    /// PostgresTeam objects count.
    pub teams: bool,
    /// Keys of labels that say how far a node is in its life.
    pub node_labels: BTreeSet<String>,
}

impl Scope {
    /// Out of the operator's configuration, overrides of the environment included.
    pub fn of(config: &OperatorConfig, own_namespace: &str) -> Self {
        let kubernetes = &config.kubernetes;
        Self {
            namespaces: Namespaces::of(config, own_namespace),
            environment_map: kubernetes.pod_environment_configmap.clone(),
            environment_secret: kubernetes.pod_environment_secret.clone(),
            labels: kubernetes
                .cluster_labels
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            cluster_label: kubernetes.cluster_name_label.clone(),
            role_label: kubernetes.pod_role_label.clone(),
            account: kubernetes.pod_service_account_name.clone(),
            role_secrets: role_secrets(config),
            teams: config.teams_api.enable_postgres_team_crd,
            node_labels: NodeView::labels_asked(config),
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

    /// What is watched for the pods' environment: kind, name and namespace, none for all namespaces.
    pub(super) fn environments(&self) -> Vec<(Source, &str, Option<&str>)> {
        let each = self.namespaces.each();
        let mut found = Vec::new();
        if let Some(name) = &self.environment_secret {
            found.extend(each.iter().map(|place| (Source::Secret, name.as_str(), *place)));
        }
        if let Some(map) = &self.environment_map {
            let mut places = each.clone();
            let home = Some(map.namespace.as_str());
            if !places.contains(&None) && !places.contains(&home) {
                places.push(home);
            }
            found.extend(
                places
                    .into_iter()
                    .map(|place| (Source::ConfigMap, map.name.as_str(), place)),
            );
        }
        found
    }

    /// The cluster that an object says it belongs to.
    pub fn cluster_of(&self, metadata: &ObjectMeta) -> Option<ClusterRef> {
        let name = metadata.labels.as_ref()?.get(&self.cluster_label)?;
        Some(ClusterRef::new(metadata.namespace.as_deref()?, name))
    }
}

/// Each once: two definitions may use one secret. Authorities, and how Patroni is entered, are looked after in the same way.
fn role_secrets(config: &OperatorConfig) -> Vec<NamespacedName> {
    let definitions = config.infrastructure_role_secrets().into_iter();
    let authorities = config.provisioning.database_tls_ca_secret_name.clone();
    let of_patroni = [
        &config.fleet.patroni_api_ca_secret_name,
        &config.fleet.patroni_api_secret_name,
    ];
    let others = authorities
        .into_iter()
        .chain(of_patroni.into_iter().flatten().cloned());
    let names = definitions.map(|it| it.secret_name).chain(others);
    let names: BTreeSet<NamespacedName> = names.collect();
    names.into_iter().collect()
}

impl Namespaces {
    fn of(config: &OperatorConfig, own_namespace: &str) -> Self {
        match (
            config.watch(own_namespace),
            &config.fleet.watched_namespace_selector,
        ) {
            (Watch::All, _) => Self::All,
            (Watch::Namespaces(named), None) => Self::These(named),
            (Watch::Namespaces(named), Some(selector)) => Self::Selected {
                named,
                selector: selector.clone(),
            },
        }
    }

    /// One entry per set of watches: none means all namespaces at once. So it is where a selector counts, too: labels come and go, and one
    /// watch of everything costs less than a dozen per namespace.
    pub fn each(&self) -> Vec<Option<&str>> {
        match self {
            Self::All | Self::Selected { .. } => vec![None],
            Self::These(names) => names.iter().map(|name| Some(name.as_str())).collect(),
        }
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::These(names) => f.write_str(&names.join(", ")),
            Self::Selected { named, selector } if named.is_empty() => write!(f, "those labelled {selector}"),
            Self::Selected { named, selector } => {
                write!(f, "{} and those labelled {selector}", named.join(", "))
            }
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
