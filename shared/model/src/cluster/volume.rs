//! Further volumes of the database pods (zalando-behaviour 3.3).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Volume, VolumeMount};
use serde_json::Value;

use super::{
    reading::Reading,
    rules::{self, reason::VOLUME_SKIPPED},
    storage::SubPath,
};
use crate::{
    api::{
        self,
        postgresql::{AdditionalVolume as Written, PostgresqlSpec},
    },
    config::OperatorConfig,
    names::{
        containers::{
            DATA_PATH, POSTGRES, SHM_PATH, SHM_VOLUME, SOCKET_PATH, SOCKET_VOLUME, TLS_CA_PATH, TLS_PATH,
        },
        objects::DATA_VOLUME,
    },
};

/// A volume and where it is mounted.
#[derive(Debug, Clone, PartialEq)]
pub struct AdditionalVolume {
    /// The volume of the pod.
    pub volume: Volume,
    /// Its mount in each target.
    pub mount: VolumeMount,
    /// The containers that mount it.
    pub targets: Targets,
}

/// Containers that mount a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// Every one but init containers.
    All,
    /// Those with these names.
    Named(Vec<String>),
}

impl Targets {
    /// Whether the container mounts the volume.
    pub fn include(&self, container: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == container),
        }
    }
}

/// Word for every container.
const ALL: &str = "all";

/// Those that can be mounted: of two with one path the first stays, and the data volume's path is taken.
/// Volumes that the operator puts into the pod, and where it mounts them in the database's container.
pub(crate) fn of_operator(spec: &PostgresqlSpec, config: &OperatorConfig) -> Vec<(String, &'static str)> {
    let mut volumes = vec![(DATA_VOLUME.to_owned(), DATA_PATH)];
    if spec.enable_shm_volume == Some(true) || config.general.enable_shm_volume {
        volumes.push((SHM_VOLUME.to_owned(), SHM_PATH));
    }
    if config.kubernetes.share_pgsocket_with_sidecars {
        volumes.push((SOCKET_VOLUME.to_owned(), SOCKET_PATH));
    }
    if let Some(tls) = spec.tls.as_ref().filter(|tls| !tls.secret_name.is_empty()) {
        volumes.push((tls.secret_name.clone(), TLS_PATH));
        let authorities = tls.ca_secret_name.clone().filter(|secret| !secret.is_empty());
        volumes.extend(authorities.map(|secret| (secret, TLS_CA_PATH)));
    }
    volumes
}

/// Names of all volumes that a container of the pod can mount.
pub(crate) fn names(spec: &PostgresqlSpec, config: &OperatorConfig) -> BTreeSet<String> {
    let own = spec.additional_volumes.iter().map(|volume| volume.name.clone());
    let operators = of_operator(spec, config).into_iter().map(|(name, _)| name);
    let secret = config.aws_or_gcp.additional_secret_mount.clone();
    own.chain(operators).chain(secret).collect()
}

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<AdditionalVolume> {
    let mut taken = BTreeSet::from([DATA_PATH]);
    let mut volumes = Vec::new();
    for (index, written) in reading.spec.additional_volumes.iter().enumerate() {
        let path = format!("spec.additionalVolumes[{index}]");
        if !taken.insert(&written.mount_path) {
            let message = format!(
                "{:?} is mounted already; the volume is left out",
                written.mount_path
            );
            reading.note(VOLUME_SKIPPED, format!("{path}.mountPath"), message);
            continue;
        }
        volumes.extend(one(reading, written, &path));
    }
    volumes
}

fn one(reading: &mut Reading<'_>, written: &Written, path: &str) -> Option<AdditionalVolume> {
    for (field, value) in [("name", &written.name), ("mountPath", &written.mount_path)] {
        if value.is_empty() {
            reading.violate(
                rules::ADDITIONAL_VOLUME,
                format!("{path}.{field}"),
                format!("{field} is required"),
            );
        }
    }
    let volume = match volume(written) {
        Ok(volume) => volume,
        Err(problem) => {
            reading.violate(rules::ADDITIONAL_VOLUME, format!("{path}.volumeSource"), problem);
            return None;
        }
    };
    let (sub_path, sub_path_expr) = match SubPath::of(written.sub_path.as_ref(), written.is_sub_path_expr) {
        None => (None, None),
        Some(SubPath::Plain(plain)) => (Some(plain), None),
        Some(SubPath::Expression(expression)) => (None, Some(expression)),
    };
    let mount = VolumeMount {
        name: written.name.clone(),
        mount_path: written.mount_path.clone(),
        sub_path,
        sub_path_expr,
        ..VolumeMount::default()
    };
    Some(AdditionalVolume {
        volume,
        mount,
        targets: targets(&written.target_containers),
    })
}

/// The source with the name put beside it is the whole volume.
fn volume(written: &Written) -> Result<Volume, String> {
    let source = written.volume_source.as_object();
    let mut whole = source
        .ok_or("a volume source such as emptyDir: {} is required")?
        .clone();
    whole.insert("name".to_owned(), Value::from(written.name.as_str()));
    api::decode(&Value::Object(whole)).map_err(|error| error.to_string())
}

fn targets(names: &[String]) -> Targets {
    match names {
        [] => Targets::Named(vec![POSTGRES.to_owned()]),
        [only] if only == ALL => Targets::All,
        _ => Targets::Named(names.to_vec()),
    }
}
