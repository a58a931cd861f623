//! The `postgresql` kind as written. Lives here: the object, its spec, and what belongs to no section; the sections are in the files below and
//! re-exported. Names are the snake case of the JSON names. `Option` means "may be absent", never a default.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, EnvFromSource, EnvVar, NodeAffinity, Probe, Toleration, TopologySpreadConstraint,
};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{null_is_default, null_values_are_default};

mod bootstrap;
mod database;
mod pooler;
mod resources;
mod role;
pub mod status;
mod storage;
mod streams;

pub use bootstrap::{CloneDescription, StandbyDescription, TlsDescription};
pub use database::{DatabaseOptions, Patroni, PostgresqlParam, PreparedDatabase, PreparedSchema};
pub use pooler::ConnectionPooler;
pub use resources::{ResourceDescription, Resources};
pub use role::{PasswordKey, RemovalPolicy, UserOptions};
pub use status::PostgresqlStatus;
pub use storage::{AdditionalVolume, Volume};
pub use streams::{Stream, StreamTable};

/// A container beside Postgres: all fields of a core/v1 Container. An empty `name` is an absent one: the container is called `sidecar-<index>`.
pub type Sidecar = Container;

/// What a cluster shall be.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "acid.zalan.do",
    version = "v1",
    kind = "postgresql",
    root = "Postgresql",
    plural = "postgresqls",
    singular = "postgresql",
    shortname = "pg",
    category = "all",
    namespaced,
    status = "PostgresqlStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "A PostgreSQL cluster."
)]
#[serde(rename_all = "camelCase")]
pub struct PostgresqlSpec {
    // ---- identity and topology
    /// The owning team: label `team` on every object, look-ups of members. Filled in from the name's prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// Members, primary included. 0 keeps the volumes and runs no pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_of_instances: Option<i32>,
    /// Image of the database containers instead of the operator's `docker_image`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_image: Option<String>,
    /// Scheduler of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler_name: Option<String>,
    /// User id of the database containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spilo_run_as_user: Option<i64>,
    /// Group id of the database containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spilo_run_as_group: Option<i64>,
    /// Group of the files on the volumes; for pooler pods too.
    #[serde(rename = "spiloFSGroup", skip_serializing_if = "Option::is_none")]
    pub spilo_fs_group: Option<i64>,
    /// Priority class of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_priority_class_name: Option<String>,
    /// Nodes on which the pods may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_affinity: Option<NodeAffinity>,
    /// How the pods spread over nodes and zones.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Taints that database, pooler and backup pods tolerate; instead of the operator's.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tolerations: Vec<Toleration>,
    /// Liveness probe of the database container instead of the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,
    /// A memory-backed /dev/shm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_shm_volume: Option<bool>,
    /// Variables of the database container.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub env: Vec<EnvVar>,
    /// Secrets and config maps whose keys become variables of the database container.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub env_from: Vec<EnvFromSource>,
    /// Annotations of the pods.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub pod_annotations: BTreeMap<String, String>,
    /// Requests and limits of the database container; each part that is absent follows the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Further containers of the database pods. Without a name: `sidecar-<index>`.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub sidecars: Vec<Sidecar>,
    /// Containers that run before the database.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub init_containers: Vec<Container>,

    // ---- services; `master` is the wire's word for the primary
    /// A load balancer in front of the primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_master_load_balancer: Option<bool>,
    /// A load balancer in front of the replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_replica_load_balancer: Option<bool>,
    /// A load balancer in front of the primary's pooler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_master_pooler_load_balancer: Option<bool>,
    /// A load balancer in front of the replicas' pooler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_replica_pooler_load_balancer: Option<bool>,
    /// A node port for the primary; wins over the load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_master_node_port: Option<bool>,
    /// A node port for the replicas; wins over the load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_replica_node_port: Option<bool>,
    /// A node port for the primary's pooler; wins over the load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_master_pooler_node_port: Option<bool>,
    /// A node port for the replicas' pooler; wins over the load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_replica_pooler_node_port: Option<bool>,
    /// The primary's node port; only beside `enableMasterNodePort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_node_port: Option<i32>,
    /// The replicas' node port; only beside `enableReplicaNodePort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_node_port: Option<i32>,
    /// The node port of the primary's pooler; only beside `enableMasterPoolerNodePort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_pooler_node_port: Option<i32>,
    /// The node port of the replicas' pooler; only beside `enableReplicaPoolerNodePort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_pooler_node_port: Option<i32>,
    /// Networks that may reach the load balancers. Empty: this host only.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub allowed_source_ranges: Vec<String>,
    /// Annotations of all services.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub service_annotations: BTreeMap<String, String>,
    /// Annotations of the primary's services.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub master_service_annotations: BTreeMap<String, String>,
    /// Annotations of the replicas' services.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub replica_service_annotations: BTreeMap<String, String>,

    // ---- users and databases
    /// Roles to make: name to flags. Each gets a secret with its password.
    #[serde(
        default,
        deserialize_with = "null_values_are_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub users: BTreeMap<String, Vec<String>>,
    /// Roles whose password and name rotate.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub users_with_secret_rotation: Vec<String>,
    /// Roles whose password rotates and whose name stays.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub users_with_in_place_secret_rotation: Vec<String>,
    /// Roles left out of any rotation.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub users_ignoring_secret_rotation: Vec<String>,
    /// Databases to make: name to owner.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub databases: BTreeMap<String, String>,
    /// Databases to make with owner, writer and reader roles. Present and empty: one named after the cluster, with `_` for `-`.
    #[serde(
        default,
        deserialize_with = "optional_null_values_are_default",
        skip_serializing_if = "Option::is_none"
    )]
    pub prepared_databases: Option<BTreeMap<String, PreparedDatabase>>,

    /// More about users of `users` and default users of prepared databases, by name.
    #[serde(
        default,
        deserialize_with = "null_values_are_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub user_options: BTreeMap<String, UserOptions>,
    /// How databases of `databases` and `preparedDatabases` are made, by name.
    #[serde(
        default,
        deserialize_with = "null_values_are_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub database_options: BTreeMap<String, DatabaseOptions>,
    /// What becomes of users and databases that leave the manifest. Absent: they stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removal_policy: Option<RemovalPolicy>,

    // ---- Postgres and Patroni
    /// Version and parameters of the server.
    #[serde(default, deserialize_with = "null_is_default")]
    pub postgresql: PostgresqlParam,
    /// Settings of Patroni.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patroni: Option<Patroni>,

    // ---- storage
    /// The data volume of each member.
    #[serde(default, deserialize_with = "null_is_default")]
    pub volume: Volume,
    /// Further volumes of the database pods.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub additional_volumes: Vec<AdditionalVolume>,

    // ---- where the data comes from
    /// Start as a copy of another cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clone: Option<CloneDescription>,
    /// Follow a primary elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standby: Option<StandbyDescription>,
    /// The server's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsDescription>,

    // ---- backups, pooler, streams, windows
    /// Regular dumps of the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_logical_backup: Option<bool>,
    /// When to dump: five fields of a cron schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logical_backup_schedule: Option<String>,
    /// How long dumps are kept, in the words of GNU date (`2 weeks`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logical_backup_retention: Option<String>,
    /// A connection pooler in front of the primary. Absent: only when `connectionPooler` is present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_connection_pooler: Option<bool>,
    /// A connection pooler in front of the replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_replica_connection_pooler: Option<bool>,
    /// Settings of the poolers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_pooler: Option<ConnectionPooler>,
    /// Change streams to event queues.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub streams: Vec<Stream>,
    /// When disruptive work may happen, in UTC: `Sat:01:00-05:00`, or `01:00-05:00` for every day. Instead of the operator's windows.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub maintenance_windows: Vec<String>,

    // ---- names of version 1
    /// Old name of `enableMasterLoadBalancer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_load_balancer: Option<bool>,
    /// Old name of `enableReplicaLoadBalancer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_load_balancer: Option<bool>,
    /// Old name of `initContainers`.
    #[serde(
        rename = "init_containers",
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub init_containers_v1: Vec<Container>,
    /// Old name of `podPriorityClassName`.
    #[serde(rename = "pod_priority_class_name", skip_serializing_if = "Option::is_none")]
    pub pod_priority_class_name_v1: Option<String>,
}

fn optional_null_values_are_default<'de, D>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, PreparedDatabase>>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let map: Option<BTreeMap<String, Option<PreparedDatabase>>> = Option::deserialize(deserializer)?;
    Ok(map.map(|map| {
        map.into_iter()
            .map(|(key, value)| (key, value.unwrap_or_default()))
            .collect()
    }))
}
