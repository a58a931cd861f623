//! The database pods, as far as the manifest decides (zalando-behaviour 3.3, 3.4).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar, Probe};

use super::{
    container::{self, Sidecar},
    identity::Inherited,
    reading::Reading,
    rules::reason::VARIABLE_SKIPPED,
    scheduling::{self, Scheduling},
    volume::{self, AdditionalVolume},
};
use crate::{
    api::postgresql::TlsDescription,
    names::{
        Labels,
        annotations::AWS_ROLE,
        containers::{TLS_CA_PATH, TLS_PATH},
        env,
    },
};

/// The database pods.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pod {
    /// The manifest's variables of the database container, without those that the operator sets itself.
    pub env: Vec<EnvVar>,
    /// Further sources of variables.
    pub env_from: Vec<EnvFromSource>,
    /// Containers beside the database, in order.
    pub sidecars: Vec<Sidecar>,
    /// Containers before the database, in order.
    pub init_containers: Vec<Container>,
    /// Further volumes.
    pub volumes: Vec<AdditionalVolume>,
    /// Annotations of the pods, inherited ones too.
    pub annotations: Labels,
    /// Where they may run.
    pub scheduling: Scheduling,
    /// User id of the processes; none leaves it to the image.
    pub run_as_user: Option<i64>,
    /// Group id of the processes; none leaves it to the image.
    pub run_as_group: Option<i64>,
    /// Group of the files on the volumes; none leaves it to the volume.
    pub fs_group: Option<i64>,
    /// Memory at /dev/shm.
    pub shared_memory: bool,
    /// Liveness probe of the database container.
    pub liveness: Option<Probe>,
    /// The server's certificate; none leaves it to the image.
    pub tls: Option<Tls>,
}

/// The server's certificate. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Secret with certificate and key.
    pub secret: String,
    /// Path of the certificate.
    pub certificate_file: String,
    /// Path of the key.
    pub private_key_file: String,
    /// Path of the authorities, if there are any.
    pub ca_file: Option<String>,
    /// Secret with the authorities, where it is another one.
    pub ca_secret: Option<String>,
}

pub(super) fn read(reading: &mut Reading<'_>, inherited: &Inherited) -> Pod {
    let (spec, config) = (reading.spec, reading.config);
    Pod {
        env: variables(reading),
        env_from: spec.env_from.clone(),
        sidecars: container::sidecars(reading),
        init_containers: container::init_containers(reading),
        volumes: volume::read(reading),
        annotations: annotations(reading, inherited),
        scheduling: scheduling::read(reading),
        run_as_user: spec.spilo_run_as_user.or(config.kubernetes.spilo_runasuser),
        run_as_group: spec.spilo_run_as_group.or(config.kubernetes.spilo_runasgroup),
        fs_group: spec.spilo_fs_group.or(config.kubernetes.spilo_fsgroup),
        // A manifest cannot switch it off: upstream's code, against its documentation; anything else would roll running clusters.
        shared_memory: spec.enable_shm_volume == Some(true) || config.general.enable_shm_volume,
        liveness: spec
            .liveness_probe
            .clone()
            .or_else(|| config.kubernetes.liveness_probe.clone()),
        tls: spec.tls.as_ref().and_then(tls),
    }
}

/// Names are compared without case: the first of a name counts, and none of the operator's.
fn variables(reading: &mut Reading<'_>) -> Vec<EnvVar> {
    let mut names = BTreeSet::new();
    let mut kept = Vec::new();
    for (index, variable) in reading.spec.env.iter().enumerate() {
        let path = format!("spec.env[{index}].name");
        if env::is_reserved(&variable.name, reading.config) {
            let message = format!(
                "{:?} is set by the operator; this value is ignored",
                variable.name
            );
            reading.note(VARIABLE_SKIPPED, path, message);
        } else if !names.insert(variable.name.to_ascii_lowercase()) {
            let message = format!("{:?} is there already; this value is ignored", variable.name);
            reading.note(VARIABLE_SKIPPED, path, message);
        } else {
            kept.push(variable.clone());
        }
    }
    kept
}

/// Later ones win: the operator's, the manifest's, the inherited; above all the cloud identity.
fn annotations(reading: &Reading<'_>, inherited: &Inherited) -> Labels {
    let config = reading.config;
    let operator = config.kubernetes.custom_pod_annotations.iter();
    let mut annotations: Labels = operator
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    annotations.extend(reading.spec.pod_annotations.clone());
    annotations.extend(inherited.annotations.clone());
    let role = config
        .aws_or_gcp
        .kube_iam_role
        .as_ref()
        .filter(|role| !role.is_empty());
    annotations.extend(role.map(|role| (AWS_ROLE.to_owned(), role.clone())));
    annotations
}

/// A section without a secret is none.
fn tls(written: &TlsDescription) -> Option<Tls> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let ca_secret = given(&written.ca_secret_name);
    let ca_folder = if ca_secret.is_some() {
        TLS_CA_PATH
    } else {
        TLS_PATH
    };
    (!written.secret_name.is_empty()).then(|| Tls {
        secret: written.secret_name.clone(),
        certificate_file: absolute(
            TLS_PATH,
            given(&written.certificate_file).as_deref().unwrap_or("tls.crt"),
        ),
        private_key_file: absolute(
            TLS_PATH,
            given(&written.private_key_file).as_deref().unwrap_or("tls.key"),
        ),
        ca_file: given(&written.ca_file).map(|file| absolute(ca_folder, &file)),
        ca_secret,
    })
}

fn absolute(folder: &str, file: &str) -> String {
    if file.starts_with('/') {
        file.to_owned()
    } else {
        format!("{folder}/{file}")
    }
}

#[cfg(test)]
mod tests;
