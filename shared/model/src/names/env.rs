//! Names of environment variables (zalando-behaviour 3.4): those of the database container that only the operator may set, and those that
//! several places read.

use crate::config::OperatorConfig;

/// Name of the cluster in Patroni.
pub const SCOPE: &str = "SCOPE";
/// Where Postgres keeps its data.
pub const PGROOT: &str = "PGROOT";
/// The pod's address.
pub const POD_IP: &str = "POD_IP";
/// The pod's name.
pub const POD_NAME: &str = "POD_NAME";
/// The pod's namespace.
pub const POD_NAMESPACE: &str = "POD_NAMESPACE";
/// Name of the superuser.
pub const PGUSER_SUPERUSER: &str = "PGUSER_SUPERUSER";
/// Password of the superuser.
pub const PGPASSWORD_SUPERUSER: &str = "PGPASSWORD_SUPERUSER";
/// Name of the replication user.
pub const PGUSER_STANDBY: &str = "PGUSER_STANDBY";
/// Password of the replication user.
pub const PGPASSWORD_STANDBY: &str = "PGPASSWORD_STANDBY";
/// Key of the label with the cluster's name.
pub const KUBERNETES_SCOPE_LABEL: &str = "KUBERNETES_SCOPE_LABEL";
/// Key of the label with the role.
pub const KUBERNETES_ROLE_LABEL: &str = "KUBERNETES_ROLE_LABEL";
/// Labels of Patroni's objects, as JSON.
pub const KUBERNETES_LABELS: &str = "KUBERNETES_LABELS";
/// Labels of a member while it starts for the first time, as JSON.
pub const KUBERNETES_BOOTSTRAP_LABELS: &str = "KUBERNETES_BOOTSTRAP_LABELS";
/// Patroni keeps its state in ConfigMaps.
pub const KUBERNETES_USE_CONFIGMAPS: &str = "KUBERNETES_USE_CONFIGMAPS";
/// Settings of token checks for human users.
pub const PAM_OAUTH2: &str = "PAM_OAUTH2";
/// Role of human users.
pub const HUMAN_ROLE: &str = "HUMAN_ROLE";
/// Old layout of write-ahead logs in the archive.
pub const ENABLE_WAL_PATH_COMPAT: &str = "ENABLE_WAL_PATH_COMPAT";
/// Major version to run.
pub const PGVERSION: &str = "PGVERSION";
/// Settings of Postgres and Patroni, as JSON.
pub const SPILO_CONFIGURATION: &str = "SPILO_CONFIGURATION";
/// Patroni keeps its state in Kubernetes.
pub const DCS_ENABLE_KUBERNETES_API: &str = "DCS_ENABLE_KUBERNETES_API";
/// Patroni keeps its state in etcd.
pub const ETCD_HOST: &str = "ETCD_HOST";

/// Name of the superuser, in sidecars.
pub const POSTGRES_USER: &str = "POSTGRES_USER";
/// Password of the superuser, in sidecars.
pub const POSTGRES_PASSWORD: &str = "POSTGRES_PASSWORD";

/// Set by the operator for every database container: a manifest cannot change them.
const RESERVED: &[&str] = &[
    SCOPE,
    PGROOT,
    POD_IP,
    POD_NAMESPACE,
    PGUSER_SUPERUSER,
    KUBERNETES_SCOPE_LABEL,
    KUBERNETES_ROLE_LABEL,
    PGPASSWORD_SUPERUSER,
    PGUSER_STANDBY,
    PGPASSWORD_STANDBY,
    PAM_OAUTH2,
    HUMAN_ROLE,
    KUBERNETES_LABELS,
    SPILO_CONFIGURATION,
];

/// Any of these in a manifest, with a value, makes the cluster a standby of what the archive holds.
pub const STANDBY_ARCHIVES: &[&str] = &[
    "STANDBY_WALE_S3_PREFIX",
    "STANDBY_WALE_GS_PREFIX",
    "STANDBY_WALE_GSC_PREFIX",
    "STANDBY_WALE_SWIFT_PREFIX",
];

/// Whether a manifest's variable of this name is left out because the operator sets it. Names are compared without case.
pub fn is_reserved(name: &str, config: &OperatorConfig) -> bool {
    let general = &config.general;
    let on_kubernetes = general.etcd_host.is_none();
    let conditional = [
        (PGVERSION, general.enable_pgversion_env_var),
        (ENABLE_WAL_PATH_COMPAT, general.enable_spilo_wal_path_compat),
        (KUBERNETES_USE_CONFIGMAPS, general.kubernetes_use_configmaps),
        (ETCD_HOST, !on_kubernetes),
        (DCS_ENABLE_KUBERNETES_API, on_kubernetes),
        (
            KUBERNETES_BOOTSTRAP_LABELS,
            on_kubernetes && config.kubernetes.enable_pod_disruption_budget,
        ),
    ];
    RESERVED
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(name))
        || conditional
            .iter()
            .any(|(reserved, set)| *set && reserved.eq_ignore_ascii_case(name))
}
