//! The configuration in force under the names that Zalando's interface has for it.  // table
//! Must not: show a secret, which Zalando's interface does.

use pgherd_model::config::{OperatorConfig, Watch, params};
use pgherd_planner::redact::{Veil, veil};
use serde_json::{Map, Value, json};

use super::Identity;

/// Nanoseconds, as its clients expect them.
const SECOND: u64 = 1_000_000_000;

/// Parameters whose name there is not their own in another spelling.
#[rustfmt::skip]
const NAMES: &[(&str, &str)] = &[
    ("api_port", "APIPort"),
    ("aws_region", "AWSRegion"),
    ("connection_pooler_default_cpu_limit", "ConnectionPoolerDefaultCPULimit"),
    ("connection_pooler_default_cpu_request", "ConnectionPoolerDefaultCPURequest"),
    ("connection_pooler_image", "Image"),
    ("connection_pooler_max_db_connections", "MaxDBConnections"),
    ("connection_pooler_mode", "Mode"),
    ("connection_pooler_number_of_instances", "NumberOfInstances"),
    ("connection_pooler_schema", "Schema"),
    ("connection_pooler_user", "User"),
    ("crd_categories", "CRDCategories"),
    ("default_cpu_limit", "DefaultCPULimit"),
    ("default_cpu_request", "DefaultCPURequest"),
    ("enable_crd_registration", "EnableCRDRegistration"),
    ("enable_database_access", "EnableDBAccess"),
    ("enable_pgversion_env_var", "EnablePgVersionEnvVar"),
    ("enable_pod_antiaffinity", "EnablePodAntiAffinity"),
    ("enable_postgres_team_crd", "EnablePostgresTeamCRD"),
    ("enable_postgres_team_crd_superusers", "EnablePostgresTeamCRDSuperusers"),
    ("enable_shm_volume", "ShmVolume"),
    ("enable_teams_api", "EnableTeamsAPI"),
    ("gcp_credentials", "GCPCredentials"),
    ("infrastructure_roles_secrets", "InfrastructureRolesDefs"),
    ("irsa_role_arn", "IRSARoleARN"),
    ("kube_iam_role", "KubeIAMRole"),
    ("kubernetes_use_configmaps", "KubernetesUseConfigMaps"),
    ("logical_backup_cpu_limit", "LogicalBackupCPULimit"),
    ("logical_backup_cpu_request", "LogicalBackupCPURequest"),
    ("logical_backup_s3_access_key_id", "LogicalBackupS3AccessKeyID"),
    ("logical_backup_s3_sse", "LogicalBackupS3SSE"),
    ("logical_backup_ttl_seconds_after_finished", "LogicalBackupTTLSecondsAfterFinished"),
    ("master_dns_name_format", "MasterDNSNameFormat"),
    ("master_legacy_dns_name_format", "MasterLegacyDNSNameFormat"),
    ("max_cpu_request", "MaxCPURequest"),
    ("min_cpu_limit", "MinCPULimit"),
    ("oauth_token_secret_name", "OAuthTokenSecretName"),
    ("patroni_api_check_interval", "PatroniAPICheckInterval"),
    ("patroni_api_check_timeout", "PatroniAPICheckTimeout"),
    ("pdb_master_label_selector", "PDBMasterLabelSelector"),
    ("pdb_name_format", "PDBNameFormat"),
    ("pod_antiaffinity_preferred_during_scheduling", "PodAntiAffinityPreferredDuringScheduling"),
    ("pod_antiaffinity_topology_key", "PodAntiAffinityTopologyKey"),
    ("pod_environment_configmap", "PodEnvironmentConfigMap"),
    ("protected_role_names", "ProtectedRoles"),
    ("replica_dns_name_format", "ReplicaDNSNameFormat"),
    ("replica_legacy_dns_name_format", "ReplicaLegacyDNSNameFormat"),
    ("scalyr_api_key", "ScalyrAPIKey"),
    ("scalyr_cpu_limit", "ScalyrCPULimit"),
    ("scalyr_cpu_request", "ScalyrCPURequest"),
    ("scalyr_server_url", "ScalyrServerURL"),
    ("share_pgsocket_with_sidecars", "SharePgSocketWithSidecars"),
    ("sidecar_docker_images", "SidecarImages"),
    ("sidecars", "SidecarContainers"),
    ("spilo_fsgroup", "SpiloFSGroup"),
    ("spilo_runasgroup", "SpiloRunAsGroup"),
    ("spilo_runasuser", "SpiloRunAsUser"),
    ("team_api_role_configuration", "TeamAPIRoleConfiguration"),
    ("teams_api_url", "TeamsAPIUrl"),
    ("toleration", "PodToleration"),
    ("wal_az_storage_account", "WALAZStorageAccount"),
    ("wal_gs_bucket", "WALGSBucket"),
    ("wal_s3_bucket", "WALES3Bucket"),
];

pub(super) fn answer(config: &OperatorConfig, identity: &Identity) -> Value {
    json!({
        "controller": controller(identity),
        "operator": operator(config, identity),
    })
}

fn controller(identity: &Identity) -> Value {
    json!({
        "InfrastructureRoles": {},
        "NoDatabaseAccess": identity.no_database_access,
        "NoTeamsAPI": identity.no_teams_api,
        "CRDReadyWaitInterval": 4 * SECOND,
        "CRDReadyWaitTimeout": 30 * SECOND,
        "ConfigMapName": identity.config_map,
        "Namespace": identity.namespace,
        "IgnoredAnnotations": null,
        "EnableJsonLogging": identity.json_logging,
        "KubeQPS": 0,
        "KubeBurst": 0,
    })
}

fn operator(config: &OperatorConfig, identity: &Identity) -> Value {
    let rows = params().map(|param| {
        let mut value = param.show(config);
        veil(&mut value, Veil::Full);
        (name(param.name), value)
    });
    let mut all: Map<String, Value> = rows.collect();
    // What it means, not what is written: empty stands for all namespaces.
    let namespace = match config.watch(&identity.namespace) {
        Watch::All => String::new(),
        Watch::Namespaces(names) => names.join(","),
    };
    all.insert("WatchedNamespace".to_owned(), namespace.into());
    // One text there, in the form that we read for it; the roles that it describes are beside it.
    let roles = all.insert("InfrastructureRolesDefs".to_owned(), Value::from(""));
    all.insert("InfrastructureRoles".to_owned(), roles.unwrap_or_default());
    // Out of use there, and not a parameter here.
    all.insert("EnableLoadBalancer".to_owned(), Value::Null);
    all.into()
}

fn name(parameter: &str) -> String {
    let odd = NAMES.iter().find(|(ours, _)| *ours == parameter);
    odd.map_or_else(|| camel_case(parameter), |(_, theirs)| (*theirs).to_owned())
}

fn camel_case(parameter: &str) -> String {
    let words = parameter.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_of_parameters_and_none_is_there_twice() {
        for (ours, _) in NAMES {
            assert!(params().any(|param| param.name == *ours), "{ours}");
        }
        let all: BTreeSet<String> = params().map(|param| name(param.name)).collect();
        assert_eq!(all.len(), params().count());
        assert_eq!(name("enable_shm_volume"), "ShmVolume");
        assert_eq!(name("watched_namespace"), "WatchedNamespace");
    }
}
