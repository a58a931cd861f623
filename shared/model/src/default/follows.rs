//! The third class: fields that follow the operator where a manifest is silent. Never written into a manifest; so a change of the operator's
//! configuration keeps reaching every cluster. Lives here: the list, for people and for the tests that hold it against `cluster`.  // table

/// A field that follows the operator.
#[derive(Debug, Clone, Copy)]
pub struct Follows {
    /// Its path.
    pub path: &'static str,
    /// The operator's parameters that count where the manifest is silent.
    pub parameters: &'static [&'static str],
    /// How the manifest's value and the operator's come together, when there is one.
    pub how: How,
}

/// How a manifest's value and the operator's come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The manifest's counts instead of the operator's.
    Instead,
    /// Both count; the manifest's goes before the operator's where they clash.
    Beside,
    /// The operator's counts for all, the manifest's can only add.
    Switch,
}

const fn instead(path: &'static str, parameters: &'static [&'static str]) -> Follows {
    Follows {
        path,
        parameters,
        how: How::Instead,
    }
}

const fn beside(path: &'static str, parameters: &'static [&'static str]) -> Follows {
    Follows {
        path,
        parameters,
        how: How::Beside,
    }
}

const fn switch(path: &'static str, parameters: &'static [&'static str]) -> Follows {
    Follows {
        path,
        parameters,
        how: How::Switch,
    }
}

/// All of them, by path.
#[rustfmt::skip]
pub const FOLLOWS: &[Follows] = &[
    instead("spec.connectionPooler.dockerImage", &["connection_pooler_image"]),
    instead("spec.connectionPooler.maxDBConnections", &["connection_pooler_max_db_connections"]),
    instead("spec.connectionPooler.mode", &["connection_pooler_mode"]),
    instead("spec.connectionPooler.numberOfInstances", &["connection_pooler_number_of_instances"]),
    instead("spec.connectionPooler.resources.limits.cpu", &["connection_pooler_default_cpu_limit"]),
    instead("spec.connectionPooler.resources.limits.memory", &["connection_pooler_default_memory_limit"]),
    instead("spec.connectionPooler.resources.requests.cpu", &["connection_pooler_default_cpu_request"]),
    instead("spec.connectionPooler.resources.requests.memory", &["connection_pooler_default_memory_request"]),
    instead("spec.connectionPooler.schema", &["connection_pooler_schema"]),
    instead("spec.connectionPooler.user", &["connection_pooler_user"]),
    instead("spec.dockerImage", &["docker_image"]),
    instead("spec.enableMasterLoadBalancer", &["enable_master_load_balancer"]),
    instead("spec.enableMasterNodePort", &["enable_master_node_port"]),
    instead("spec.enableMasterPoolerLoadBalancer", &["enable_master_pooler_load_balancer"]),
    instead("spec.enableMasterPoolerNodePort", &["enable_master_pooler_node_port"]),
    instead("spec.enableReplicaLoadBalancer", &["enable_replica_load_balancer"]),
    instead("spec.enableReplicaNodePort", &["enable_replica_node_port"]),
    instead("spec.enableReplicaPoolerLoadBalancer", &["enable_replica_pooler_load_balancer"]),
    instead("spec.enableReplicaPoolerNodePort", &["enable_replica_pooler_node_port"]),
    switch("spec.enableShmVolume", &["enable_shm_volume"]),
    beside("spec.env", &["pod_environment_configmap", "pod_environment_secret"]),
    instead("spec.livenessProbe", &["liveness_probe"]),
    instead("spec.logicalBackupRetention", &["logical_backup_s3_retention_time"]),
    instead("spec.logicalBackupSchedule", &["logical_backup_schedule"]),
    instead("spec.maintenanceWindows", &["maintenance_windows"]),
    beside("spec.nodeAffinity", &["node_readiness_label"]),
    instead("spec.patroni.failsafe_mode", &["enable_patroni_failsafe_mode"]),
    beside("spec.podAnnotations", &["custom_pod_annotations"]),
    instead("spec.podPriorityClassName", &["pod_priority_class_name"]),
    instead("spec.resources.limits.cpu", &["default_cpu_limit"]),
    instead("spec.resources.limits.memory", &["default_memory_limit"]),
    instead("spec.resources.requests.cpu", &["default_cpu_request"]),
    instead("spec.resources.requests.memory", &["default_memory_request"]),
    beside("spec.serviceAnnotations", &["custom_service_annotations"]),
    beside("spec.sidecars", &["sidecars", "sidecar_docker_images"]),
    instead("spec.spiloFSGroup", &["spilo_fsgroup"]),
    instead("spec.spiloRunAsGroup", &["spilo_runasgroup"]),
    instead("spec.spiloRunAsUser", &["spilo_runasuser"]),
    instead("spec.tolerations", &["toleration"]),
    switch("spec.usersWithSecretRotation", &["enable_password_rotation"]),
];
