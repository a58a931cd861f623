//! Variables of the database container, in the order that decides who wins: the first of a name stays (zalando-behaviour 3.4, A.15).

use k8s_openapi::api::core::v1::EnvVar;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::labels::{CRITICAL_OPERATION, CRITICAL_OPERATION_ON};
use pgherd_model::names::{containers::ROOT_PATH, env};
use serde_json::json;

use super::variable::{from_field, from_secret, password_of, plain};
use super::{Blueprint, archive, origin, spilo, uses_config_maps};
use crate::observed::PodEnvironment;

/// Variables that carry the paths of certificate, key and authorities.
const TLS_VARIABLES: [&str; 3] = ["SSL_CERTIFICATE_FILE", "SSL_PRIVATE_KEY_FILE", "SSL_CA_FILE"];

/// A list of variables that keeps the first of each name. Names are compared without case, and kept as written.
#[derive(Debug, Default)]
pub(super) struct Variables(Vec<EnvVar>);

impl Variables {
    pub(super) fn new(first: Vec<EnvVar>) -> Self {
        Self(first)
    }

    /// Adds those whose names are not there yet.
    pub(super) fn add_missing(&mut self, variables: impl IntoIterator<Item = EnvVar>) {
        for variable in variables {
            let is_there = self
                .0
                .iter()
                .any(|known| known.name.eq_ignore_ascii_case(&variable.name));
            if !is_there {
                self.0.push(variable);
            }
        }
    }

    /// Adds all. One that is there by exactly the same name goes: in a container the last of a name counts, and server-side apply refuses a
    /// name that is there twice.
    fn append(&mut self, variables: Vec<EnvVar>) {
        self.0
            .retain(|known| variables.iter().all(|variable| variable.name != known.name));
        self.0.extend(variables);
    }

    pub(super) fn into_list(self) -> Vec<EnvVar> {
        self.0
    }
}

pub(super) fn build(blueprint: Blueprint<'_>, other: &PodEnvironment) -> Vec<EnvVar> {
    let (cluster, config) = (blueprint.cluster, blueprint.config);
    let mut variables = Variables::new(operator(blueprint));
    variables.add_missing(cluster.pod.env.clone());
    variables.append(origin::variables(blueprint));
    variables.add_missing(secret_keys(config, other));
    variables.add_missing(other.config_map.iter().map(|(key, value)| plain(key, value)));
    variables.add_missing(archive::variables(blueprint));
    variables.add_missing(certificates(cluster));
    variables.into_list()
}

/// The operator's own: nothing later can replace one of them.
fn operator(blueprint: Blueprint<'_>) -> Vec<EnvVar> {
    let (config, names) = (blueprint.config, blueprint.names);
    let (users, teams, general) = (&config.users, &config.teams_api, &config.general);
    let mut variables = vec![
        plain(env::SCOPE, names.cluster()),
        plain(env::PGROOT, ROOT_PATH),
        from_field(env::POD_IP, "status.podIP"),
        from_field(env::POD_NAMESPACE, "metadata.namespace"),
        plain(env::PGUSER_SUPERUSER, &users.super_username),
        plain(env::KUBERNETES_SCOPE_LABEL, names.cluster_label()),
        plain(env::KUBERNETES_ROLE_LABEL, names.role_label()),
        password_of(env::PGPASSWORD_SUPERUSER, names.secret(&users.super_username)),
        plain(env::PGUSER_STANDBY, &users.replication_username),
        password_of(env::PGPASSWORD_STANDBY, names.secret(&users.replication_username)),
        plain(env::PAM_OAUTH2, &teams.pam_configuration),
        plain(env::HUMAN_ROLE, &teams.pam_role_name),
    ];
    if general.enable_spilo_wal_path_compat {
        variables.push(plain(env::ENABLE_WAL_PATH_COMPAT, "true"));
    }
    if general.enable_pgversion_env_var {
        variables.push(plain(env::PGVERSION, &blueprint.cluster.version.to_string()));
    }
    variables.push(plain(
        env::KUBERNETES_LABELS,
        &spilo::json_text(&json!(names.operator_labels())),
    ));
    variables.push(plain(env::SPILO_CONFIGURATION, &spilo::configuration(blueprint)));
    variables.extend(store(config));
    variables
}

/// Where Patroni keeps its state.
fn store(config: &OperatorConfig) -> Vec<EnvVar> {
    let mut variables = Vec::new();
    match config.general.etcd_host.as_deref() {
        Some(host) if !host.is_empty() => variables.push(plain(env::ETCD_HOST, host)),
        _ => {
            variables.push(plain(env::DCS_ENABLE_KUBERNETES_API, "true"));
            if config.kubernetes.enable_pod_disruption_budget {
                let labels = json!({ CRITICAL_OPERATION: CRITICAL_OPERATION_ON });
                variables.push(plain(
                    env::KUBERNETES_BOOTSTRAP_LABELS,
                    &spilo::json_text(&labels),
                ));
            }
        }
    }
    if uses_config_maps(config) {
        variables.push(plain(env::KUBERNETES_USE_CONFIGMAPS, "true"));
    }
    variables
}

/// Keys of the operator's secret, sorted. Their values stay where they are.
fn secret_keys(config: &OperatorConfig, other: &PodEnvironment) -> Vec<EnvVar> {
    let secret = config
        .kubernetes
        .pod_environment_secret
        .as_deref()
        .unwrap_or_default();
    let mut keys = other.secret_keys.clone();
    keys.sort();
    keys.iter()
        .map(|key| from_secret(key, secret.to_owned(), key))
        .collect()
}

fn certificates(cluster: &Cluster) -> Vec<EnvVar> {
    let Some(tls) = &cluster.pod.tls else {
        return Vec::new();
    };
    let files = [
        Some(&tls.certificate_file),
        Some(&tls.private_key_file),
        tls.ca_file.as_ref(),
    ];
    TLS_VARIABLES
        .iter()
        .zip(files)
        .filter_map(|(name, file)| Some(plain(name, file?)))
        .collect()
}
