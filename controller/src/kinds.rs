//! Which kinds of objects the controller deals with, how the API server calls them, and how changes of them reach us.  // table
//! Must not: what is in such an object (planner), or what a change leads to.
//!
//! Never watched: Patroni's ConfigMaps and Endpoints, which change every few seconds without news for us.

use kube::api::ApiResource;
use pgherd_model::api::{GROUP, VERSION};

/// A kind of which clusters own objects. Most are watched by their metadata only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    StatefulSet,
    Service,
    Secret,
    PodDisruptionBudget,
    PersistentVolumeClaim,
    ServiceAccount,
    RoleBinding,
}

/// How the objects of a kind that concern us are told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// They carry the labels of all clusters and the label with their cluster's name.
    ClusterLabels,
    /// One per namespace, without labels, all with the configured name: it concerns every cluster of its namespace.
    AccountName,
}

impl Watched {
    pub const ALL: [Self; 7] = [
        Self::StatefulSet,
        Self::Service,
        Self::Secret,
        Self::PodDisruptionBudget,
        Self::PersistentVolumeClaim,
        Self::ServiceAccount,
        Self::RoleBinding,
    ];

    pub const fn found_by(self) -> FoundBy {
        match self {
            Self::StatefulSet
            | Self::Service
            | Self::Secret
            | Self::PodDisruptionBudget
            | Self::PersistentVolumeClaim => FoundBy::ClusterLabels,
            Self::ServiceAccount | Self::RoleBinding => FoundBy::AccountName,
        }
    }

    /// Others change it all the time, in ways that count: the whole object comes with each change, instead of being asked for.
    pub const fn is_watched_whole(self) -> bool {
        matches!(self, Self::StatefulSet | Self::PersistentVolumeClaim)
    }

    /// Nothing in its status is of interest, and it counts generations: then a change of its status is no news. A StatefulSet's status tells
    /// which pods run an older template.
    pub const fn status_is_idle(self) -> bool {
        matches!(self, Self::PodDisruptionBudget)
    }

    pub fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = match self {
            Self::StatefulSet => ("apps", "v1", "StatefulSet", "statefulsets"),
            Self::Service => ("", "v1", "Service", "services"),
            Self::Secret => ("", "v1", "Secret", "secrets"),
            Self::PodDisruptionBudget => ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
            Self::PersistentVolumeClaim => ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
            Self::ServiceAccount => ("", "v1", "ServiceAccount", "serviceaccounts"),
            Self::RoleBinding => ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
        };
        resource(group, version, kind, plural)
    }

    /// By the kind's name, as planner and API server write it.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|watched| watched.resource().kind == kind)
    }
}

/// How the API server calls a kind that the planner names.
pub fn resource_of(kind: &str) -> Option<ApiResource> {
    let unwatched = || match kind {
        "postgresql" => Some(postgresql()),
        "Endpoints" => Some(endpoints()),
        "ConfigMap" => Some(config_map()),
        "Pod" => Some(resource("", "v1", "Pod", "pods")),
        "ControllerRevision" => Some(resource(
            "apps",
            "v1",
            "ControllerRevision",
            "controllerrevisions",
        )),
        _ => None,
    };
    Watched::of_kind(kind).map(Watched::resource).or_else(unwatched)
}

pub fn endpoints() -> ApiResource {
    resource("", "v1", "Endpoints", "endpoints")
}

pub fn config_map() -> ApiResource {
    resource("", "v1", "ConfigMap", "configmaps")
}

/// The clusters themselves.
pub fn postgresql() -> ApiResource {
    resource(GROUP, VERSION, "postgresql", "postgresqls")
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    let api_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}
