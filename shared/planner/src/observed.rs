//! What the controller saw of one cluster at one moment: the only input of the plan that is not wanted but found. Lives here: the
//! snapshot's types. Must not: how it is read (controller), what follows from it (`plan`, `assess`).
//!
//! Serialisable, so that a snapshot can be printed, mailed and replayed. It holds no password: of a Secret only what [`SecretView`] has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Endpoints, PodTemplateSpec, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use pgherd_model::api::status::{ClusterStatus, PostgresqlStatus};
use pgherd_model::cluster::RoleSources;
use serde::{Deserialize, Serialize};

use crate::redact;

pub mod catalog;
mod member;
mod node;
pub mod patroni;

pub use catalog::{Catalog, DatabaseView, RoleView};
pub use member::Member;
pub use node::{NodeView, NodesView};
pub use patroni::{HandoverRequest, MemberRole, MemberView, ParameterChange, PatroniView};
pub use pgherd_model::source::Source;

/// One cluster as found. Immutable once made.
///
/// `Debug` and `Serialize` of it and its parts hide keys that stand in clear; a snapshot that was read back takes hidden values as equal.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Observed {
    /// The `postgresql` object's own metadata and status.
    pub cluster: ClusterView,
    /// `None`: looked for and not there. The same for all single objects below.
    #[serde(serialize_with = "redact::veiled")]
    pub stateful_set: Source<Option<StatefulSet>>,
    /// The master and the replica service, those that exist. Not Patroni's.
    pub services: Source<Vec<Service>>,
    /// The master Endpoints; only asked for in Endpoints mode.
    pub endpoints: Source<Option<Endpoints>>,
    /// Both budgets, those that exist.
    pub disruption_budgets: Source<Vec<PodDisruptionBudget>>,
    /// The service account of the pods, shared by the namespace's clusters.
    pub service_account: Source<Option<ServiceAccount>>,
    /// Its role binding.
    pub role_binding: Source<Option<RoleBinding>>,
    /// Every secret with the cluster's labels, and every secret that carries a name we want, in whatever namespace.
    pub secrets: Source<Vec<SecretView>>,
    /// Pods with the cluster's labels.
    pub pods: Source<Vec<PodView>>,
    /// The nodes under them. Unknown where nodes may not be read: then nothing is done about nodes.
    pub nodes: Source<NodesView>,
    /// Pod templates of revisions that some pods were made of and that are not the latest, by the revision's name: see
    /// [`Observed::revisions_to_read`]. `None`: looked for and not there.
    #[serde(serialize_with = "redact::veiled")]
    pub templates: BTreeMap<String, Source<Option<PodTemplateSpec>>>,
    /// Fields of the StatefulSet that Kubernetes does not let change, and that an admission policy makes another value of: learnt from a
    /// trial, as paths.
    pub rewritten: Vec<String>,
    /// A change of the StatefulSet, or a trial of its pods, that the API server refused a short while ago.
    pub refused: Option<RefusedStep>,
    /// Claims with the cluster's labels.
    pub claims: Source<Vec<ClaimView>>,
    /// Patroni's own objects: the service `C-config` and the state objects, in either mode. Only asked for when the cluster is being
    /// deleted: they change every few seconds, nothing else of ours looks at them.
    pub patroni_objects: Source<Vec<ObjectRef>>,
    /// What Patroni writes to, with who owns it: its own objects, and in Endpoints mode the primary's Endpoints. Only asked for where they
    /// are to have owners, and then once a resync.
    pub state_objects: Source<Vec<StateObject>>,
    /// What an earlier cluster of this name may have left; `None` where nothing is known to have been left, or there is a StatefulSet.
    pub earlier: Option<Source<EarlierLife>>,
    /// Keys of `pod_environment_secret` and entries of `pod_environment_configmap`: input of the pod template. Known and empty when
    /// neither is configured.
    pub pod_environment: Source<PodEnvironment>,
    /// Patroni's view, from any member that answers.
    pub patroni: Source<PatroniView>,
    /// What others say of its roles: with it the cluster's roles were made complete ([`pgherd_model::cluster::Cluster::with_roles_of`]).
    pub role_sources: RoleSources,
    /// The database catalog, from the primary. Unknown until a primary accepts connections.
    pub catalog: Source<Catalog>,
}

/// Metadata of the `postgresql` object, and its stored status.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterView {
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Identity of the object: names of backups hang on it.
    pub uid: String,
    /// For preconditions of writes to the object itself.
    pub resource_version: String,
    /// Generation of the spec.
    pub generation: i64,
    /// RFC 3339; when the object was made, if it was.
    pub created: Option<String>,
    /// RFC 3339; set when the object is being deleted.
    pub deletion_timestamp: Option<String>,
    /// All finalizers, ours or not.
    pub finalizers: Vec<String>,
    /// All annotations. Copies of the object that tools keep there are not shown.
    #[serde(serialize_with = "redact::veiled")]
    pub annotations: BTreeMap<String, String>,
    /// Fingerprint of what the pods' template is made of in the spec ([`crate::plan::spec_inputs`]); empty: not known, and every difference
    /// of the template is taken for wanted.
    pub inputs: String,
    /// As stored.
    #[serde(serialize_with = "redact::veiled")]
    pub status: PostgresqlStatus,
}

/// Which object: enough to read or delete it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// As `StatefulSet`; `postgresql` in lower case.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Empty when it is not known (yet).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Empty when it is not known (yet).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
}

/// A step that the API server would not have, and would not have now either.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RefusedStep {
    /// As displayed.
    pub step: String,
    /// Why, in the API server's words.
    pub why: String,
}

/// An object that Patroni keeps its state in, or reaches its members by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StateObject {
    /// Which.
    pub object: ObjectRef,
    /// All owner references.
    pub owner_references: Vec<OwnerReference>,
    /// When it was made.
    #[serde(default)]
    pub made: Option<Timestamp>,
}

/// What there is of an earlier cluster of the same name, asked for right before the StatefulSet is made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EarlierLife {
    /// Patroni's state objects that nobody owns.
    pub state: Vec<StateObject>,
    /// Names of all claims of the namespace, with whatever labels.
    pub claims: Vec<String>,
    /// Names of all pods of the namespace.
    pub pods: Vec<String>,
}

/// What may be known of a Secret. The password is never part of it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretView {
    /// Namespace, which may differ from the cluster's.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Identity.
    pub uid: String,
    /// For preconditions.
    pub resource_version: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// All annotations. Copies of the object that tools keep there are not shown.
    #[serde(serialize_with = "redact::veiled")]
    pub annotations: BTreeMap<String, String>,
    /// All owner references.
    pub owner_references: Vec<OwnerReference>,
    /// Decoded value of the key `username`, if there.
    pub username: Option<String>,
    /// The key `password` is there and not empty.
    pub has_password: bool,
    /// What the key `password` holds is no text (UTF-8): nobody can log in with it.
    pub password_illegible: bool,
    /// The key `previousPassword` is there and not empty.
    pub has_previous: bool,
    /// Decoded value of the key `nextRotation`, if there.
    pub next_rotation: Option<String>,
    /// Name and password are those that are given elsewhere ([`pgherd_model::cluster::Role::given`]); `None`: nothing is given, or it cannot
    /// be read.
    pub given_matches: Option<bool>,
    /// Its keys about the connection are those of [`pgherd_model::names::connection::keys`] with the name and the password in it; `None` where
    /// they are not wanted.
    pub connection_matches: Option<bool>,
}

/// What of a pod matters.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodView {
    /// Name, `C-<ordinal>`.
    pub name: String,
    /// Identity.
    pub uid: String,
    /// Set when the pod is being deleted.
    pub terminating: bool,
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    pub phase: String,
    /// Condition `Ready`.
    pub ready: bool,
    /// First address; empty when there is none yet.
    pub ip: String,
    /// The node that it is on; empty before it is on one.
    pub node: String,
    /// Value of the role label, as Patroni wrote it (`master` or `replica`); empty without one.
    pub role_label: String,
    /// Label `controller-revision-hash`: which template the pod was made of.
    pub revision: String,
    /// Image of the postgres container, as in the pod's spec.
    pub image: String,
    /// Why a container waits or ended, such as `ImagePullBackOff`, the database's before others'; empty when none does.
    pub trouble: String,
    /// The trouble is that of a container beside the database, which may serve.
    pub trouble_beside: bool,
    /// Labels, but for those that say its role and its template.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(serialize_with = "redact::veiled")]
    pub annotations: BTreeMap<String, String>,
}

/// What of a claim matters.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimView {
    /// Name, `pgdata-C-<ordinal>`.
    pub name: String,
    /// Identity.
    pub uid: String,
    /// For preconditions.
    pub resource_version: String,
    /// Set when the claim is being deleted (it goes when its pod has gone).
    pub terminating: bool,
    /// `Pending`, `Bound`, `Lost`.
    pub phase: String,
    /// Requested size, as written: a quantity.
    pub requested: String,
    /// Size that the volume has, as written; empty while unbound.
    pub capacity: String,
    /// Annotations.
    #[serde(serialize_with = "redact::veiled")]
    pub annotations: BTreeMap<String, String>,
}

/// Extra environment of the database container that other objects define.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodEnvironment {
    /// Keys of `pod_environment_secret` in the cluster's namespace. Their values stay where they are.
    pub secret_keys: Vec<String>,
    /// Entries of `pod_environment_configmap`: from its own namespace, else from the cluster's.
    #[serde(serialize_with = "redact::variables")]
    pub config_map: BTreeMap<String, String>,
}

/// What is printed is what is serialised.
macro_rules! shown {
    ($($name:ident),+) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                redact::debug(self, f)
            }
        })+
    };
}

shown!(
    Observed,
    ClusterView,
    SecretView,
    PodView,
    ClaimView,
    PodEnvironment
);

impl Observed {
    /// The object is being deleted.
    pub fn is_deleting(&self) -> bool {
        self.cluster.deletion_timestamp.is_some()
    }

    /// No pod runs that Patroni or Postgres could answer from. That one does, a watch will tell.
    pub fn has_nobody_to_ask(&self) -> bool {
        let runs = |pod: &PodView| pod.phase == "Running" && !pod.ip.is_empty() && !pod.terminating;
        self.pods.known().is_some_and(|pods| !pods.iter().any(runs))
    }

    /// The revision of the StatefulSet's present template; `None` as long as Kubernetes has not made one of it.
    pub fn latest_revision(&self) -> Option<&str> {
        let stored = self.stateful_set.known()?.as_ref()?;
        let status = stored.status.as_ref()?;
        let is_current = status.observed_generation >= stored.metadata.generation;
        let revision = status.update_revision.as_deref()?;
        (is_current && !revision.is_empty()).then_some(revision)
    }

    /// Its pods are seen before Kubernetes has named the revision that it makes them of, and there has been no other.
    pub fn is_in_its_first_revision(&self) -> bool {
        let word = self.cluster.status.postgres_cluster_status;
        let has_never_run = matches!(word, ClusterStatus::Unknown | ClusterStatus::Creating);
        has_never_run && self.latest_revision().is_none()
    }

    /// Revisions whose templates have to be read before anything can be said about the pods that were made of them.
    pub fn revisions_to_read(&self) -> BTreeSet<&str> {
        if self.is_in_its_first_revision() {
            return BTreeSet::new();
        }
        let pods = self.pods.known().into_iter().flatten();
        let latest = self.latest_revision();
        pods.map(|pod| pod.revision.as_str())
            .filter(|revision| !revision.is_empty() && Some(*revision) != latest)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::StatefulSetStatus;

    use super::*;

    #[test]
    fn a_cluster_that_has_never_run_has_no_earlier_revision_to_read() {
        let pod = PodView {
            revision: "a-1".to_owned(),
            ..PodView::default()
        };
        let mut observed = Observed {
            pods: Source::Known(vec![pod]),
            stateful_set: Source::Known(Some(StatefulSet::default())),
            ..Observed::default()
        };
        let to_read = |observed: &Observed| observed.revisions_to_read().len();
        for word in [ClusterStatus::Unknown, ClusterStatus::Creating] {
            observed.cluster.status.postgres_cluster_status = word;
            assert_eq!(to_read(&observed), 0);
        }
        let named = StatefulSet {
            status: Some(StatefulSetStatus {
                update_revision: Some("a-2".to_owned()),
                observed_generation: Some(1),
                ..StatefulSetStatus::default()
            }),
            ..StatefulSet::default()
        };
        let unnamed = observed.clone();
        observed.stateful_set = Source::Known(Some(named));
        assert_eq!(to_read(&observed), 1, "its manifest was edited before it ran");
        let mut observed = unnamed;
        observed.cluster.status.postgres_cluster_status = ClusterStatus::Running;
        assert_eq!(to_read(&observed), 1, "a pod of another stateful set");
    }
}
