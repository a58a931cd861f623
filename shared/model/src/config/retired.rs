//! Keys that older versions had, and the nearest known name of a key that none had.

use super::param::Param;

/// Parameters of earlier versions and what became of them.
pub(super) const RETIRED: &[(&str, &str)] = &[
    (
        "enable_load_balancer",
        "it was split into enable_master_load_balancer and enable_replica_load_balancer",
    ),
    ("enable_crd_validation", "the CRDs always carry their schema"),
    (
        "enable_ebs_gp3_migration",
        "volumes are no longer migrated to gp3",
    ),
    (
        "enable_ebs_gp3_migration_max_size",
        "volumes are no longer migrated to gp3",
    ),
    (
        "wal_s3_id",
        "credentials for WAL come from pod_environment_secret",
    ),
    (
        "wal_s3_key",
        "credentials for WAL come from pod_environment_secret",
    ),
    ("node_eol_label", "use node_readiness_label"),
    ("eol_node_label", "use node_readiness_label"),
    ("cordoned_node_label", "use node_readiness_label"),
    ("etcd_scope", "the scope is the cluster's name"),
    ("service_account_name", "use pod_service_account_name"),
    ("namespace", "use watched_namespace"),
];

/// Why a key no longer does anything, or none if it never did.
pub(super) fn reason(name: &str) -> Option<&'static str> {
    RETIRED
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, reason)| *reason)
}

/// The row whose name is most like `name`, if it is like it at all: a slip or two, or the words in another
/// order.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = &'static Param>) -> Option<&'static Param> {
    let limit = (name.chars().count() / 4).clamp(1, 4);
    known
        .map(|param| (strsim::osa_distance(name, param.name), param))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, param)| param)
}
