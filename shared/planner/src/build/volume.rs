//! Volumes of the pods and who mounts them (zalando-behaviour 3.3). The data volume is not here: it comes from the claim template.

use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, SecretVolumeSource, Volume, VolumeMount};
use pgherd_model::cluster::SubPath;
use pgherd_model::cluster::volume::{AdditionalVolume, Targets};
use pgherd_model::names::containers::{
    DATA_PATH, POSTGRES, SHM_PATH, SHM_VOLUME, SOCKET_PATH, SOCKET_VOLUME, TLS_CA_PATH, TLS_PATH,
};
use pgherd_model::names::objects::DATA_VOLUME;

use super::Blueprint;

/// Mode of certificates and keys: owner reads and writes, group reads.
const TLS_MODE: i32 = 0o640;

/// In the order in which Zalando's operator adds them.
pub(super) fn all(blueprint: Blueprint<'_>) -> Vec<AdditionalVolume> {
    let pod = &blueprint.cluster.pod;
    let mut volumes = Vec::new();
    if pod.shared_memory {
        volumes.push(mounted(memory(SHM_VOLUME), SHM_PATH, postgres_only()));
    }
    if blueprint.config.kubernetes.share_pgsocket_with_sidecars {
        volumes.push(mounted(memory(SOCKET_VOLUME), SOCKET_PATH, Targets::All));
    }
    volumes.extend(cloud_credentials(blueprint));
    volumes.extend(pod.volumes.iter().cloned());
    volumes.extend(certificates(blueprint));
    volumes
}

/// What one container mounts: its data, then what is meant for it.
pub(super) fn mounts(
    blueprint: Blueprint<'_>,
    container: &str,
    volumes: &[AdditionalVolume],
) -> Vec<VolumeMount> {
    let wanted = volumes
        .iter()
        .filter(|mounted| mounted.targets.include(container));
    std::iter::once(data(blueprint))
        .chain(wanted.map(|mounted| mounted.mount.clone()))
        .collect()
}

fn data(blueprint: Blueprint<'_>) -> VolumeMount {
    let (sub_path, sub_path_expr) = match &blueprint.cluster.storage.sub_path {
        None => (None, None),
        Some(SubPath::Plain(path)) => (Some(path.clone()), None),
        Some(SubPath::Expression(path)) => (None, Some(path.clone())),
    };
    VolumeMount {
        name: DATA_VOLUME.to_owned(),
        mount_path: DATA_PATH.to_owned(),
        sub_path,
        sub_path_expr,
        ..VolumeMount::default()
    }
}

fn cloud_credentials(blueprint: Blueprint<'_>) -> Option<AdditionalVolume> {
    let cloud = &blueprint.config.aws_or_gcp;
    let name = cloud
        .additional_secret_mount
        .as_ref()
        .filter(|name| !name.is_empty())?;
    let path = cloud.additional_secret_mount_path.as_deref().unwrap_or_default();
    Some(mounted(secret(name, None), path, Targets::All))
}

/// A volume of the manifest at the same place wins.
fn certificates(blueprint: Blueprint<'_>) -> Vec<AdditionalVolume> {
    let pod = &blueprint.cluster.pod;
    let Some(tls) = &pod.tls else {
        return Vec::new();
    };
    let authority = tls.ca_secret.iter().map(|name| (name, TLS_CA_PATH));
    std::iter::once((&tls.secret, TLS_PATH))
        .chain(authority)
        .filter(|(_, path)| pod.volumes.iter().all(|volume| volume.mount.mount_path != *path))
        .map(|(name, path)| mounted(secret(name, Some(TLS_MODE)), path, postgres_only()))
        .collect()
}

fn postgres_only() -> Targets {
    Targets::Named(vec![POSTGRES.to_owned()])
}

fn mounted(volume: Volume, path: &str, targets: Targets) -> AdditionalVolume {
    let mount = VolumeMount {
        name: volume.name.clone(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    };
    AdditionalVolume {
        volume,
        mount,
        targets,
    }
}

fn memory(name: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: Some("Memory".to_owned()),
            size_limit: None,
        }),
        ..Volume::default()
    }
}

fn secret(name: &str, default_mode: Option<i32>) -> Volume {
    Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(name.to_owned()),
            default_mode,
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}
