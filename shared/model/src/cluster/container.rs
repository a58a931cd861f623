//! Containers beside the database: sidecars from four sources, and init containers (zalando-behaviour 3.3).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, EnvVar};

use super::{
    reading::Reading,
    resources,
    rules::{
        self,
        reason::{CONTAINER_SKIPPED, VOLUME_SKIPPED},
    },
    volume,
};
use crate::{names::containers, units::Quantity};

/// A container beside the database. The builder adds the data volume, and in front of its variables those of the operator, for the log
/// shipper also its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Sidecar {
    /// The container as its source gives it, with name, pull policy and resources in place.
    pub container: Container,
    /// Who wants it.
    pub source: SidecarSource,
}

/// Who wants a sidecar, strongest first: of two with one name the stronger stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SidecarSource {
    /// The manifest.
    Manifest,
    /// The operator, as a whole container.
    Operator,
    /// The operator, as an image.
    Image,
    /// The operator's log shipper.
    LogShipper,
}

pub(super) fn sidecars(reading: &mut Reading<'_>) -> Vec<Sidecar> {
    if !reading.spec.sidecars.is_empty() && !reading.config.kubernetes.enable_sidecars {
        let message = "are switched off by the operator (enable_sidecars); remove them";
        reading.violate(rules::CONTAINER, "spec.sidecars", message);
    }
    let mut wanted = from_manifest(reading);
    let config = reading.config;
    wanted.extend(config.general.sidecars.iter().map(|container| Sidecar {
        container: container.clone(),
        source: SidecarSource::Operator,
    }));
    wanted.extend(from_images(reading));
    wanted.extend(log_shipper(reading));
    first_of_each_name(reading, wanted)
}

fn from_manifest(reading: &mut Reading<'_>) -> Vec<Sidecar> {
    let mut sidecars = Vec::new();
    for (index, written) in reading.spec.sidecars.iter().enumerate() {
        let path = format!("spec.sidecars[{index}]");
        let mut container = written.clone();
        if container.name.is_empty() {
            container.name = containers::unnamed_sidecar(index);
        }
        check(reading, &container, &path);
        drop_unknown_mounts(reading, &mut container, &path);
        let resources =
            resources::of_sidecar(reading, written.resources.as_ref(), &format!("{path}.resources"));
        sidecars.push(with_defaults(container, &resources, SidecarSource::Manifest));
    }
    sidecars
}

/// Mounts of volumes that the pod does not have would keep it from being made. Upstream's schema drops all mounts of sidecars.
fn drop_unknown_mounts(reading: &mut Reading<'_>, container: &mut Container, path: &str) {
    let Some(mounts) = container.volume_mounts.take() else {
        return;
    };
    let volumes = volume::names(reading.spec, reading.config);
    let mut kept = Vec::with_capacity(mounts.len());
    for (index, mount) in mounts.into_iter().enumerate() {
        if volumes.contains(&mount.name) {
            kept.push(mount);
            continue;
        }
        let message = format!(
            "{:?} is no volume of the pod; the mount is left out: add it to spec.additionalVolumes",
            mount.name
        );
        reading.note(
            VOLUME_SKIPPED,
            format!("{path}.volumeMounts[{index}].name"),
            message,
        );
    }
    container.volume_mounts = Some(kept).filter(|kept| !kept.is_empty());
}

fn from_images(reading: &mut Reading<'_>) -> Vec<Sidecar> {
    let mut images: Vec<_> = reading.config.general.sidecar_docker_images.iter().collect();
    images.sort();
    let resources = resources::of_sidecar(reading, None, "");
    let sidecar = |(name, image): (&String, &String)| {
        let container = Container {
            name: name.clone(),
            image: Some(image.clone()),
            ..Container::default()
        };
        with_defaults(container, &resources, SidecarSource::Image)
    };
    images.into_iter().map(sidecar).collect()
}

/// Only with both key and image configured. The key itself is a secret and left to the builder.
fn log_shipper(reading: &mut Reading<'_>) -> Option<Sidecar> {
    let config = &reading.config.scalyr;
    config.scalyr_api_key.as_ref().filter(|key| !key.is_empty())?;
    let image = config.scalyr_image.as_ref().filter(|image| !image.is_empty())?;
    let variable = |name: &str, value: &str| EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    };
    let cluster = reading.meta.name.as_deref().unwrap_or_default();
    let mut env = vec![variable("SCALYR_SERVER_HOST", cluster)];
    env.extend(
        config
            .scalyr_server_url
            .as_ref()
            .map(|url| variable("SCALYR_SERVER_URL", url)),
    );
    let container = Container {
        name: containers::SCALYR.to_owned(),
        image: Some(image.clone()),
        env: Some(env),
        ..Container::default()
    };
    let own = resources::Resources {
        requests: amounts(config.scalyr_cpu_request, config.scalyr_memory_request),
        limits: amounts(config.scalyr_cpu_limit, config.scalyr_memory_limit),
    };
    let resources = resources::of_sidecar(reading, Some(&own.to_kubernetes()), "");
    Some(with_defaults(container, &resources, SidecarSource::LogShipper))
}

fn amounts(cpu: Option<Quantity>, memory: Option<Quantity>) -> std::collections::BTreeMap<String, Quantity> {
    let named = [(resources::CPU, cpu), (resources::MEMORY, memory)];
    named
        .into_iter()
        .filter_map(|(name, amount)| Some((name.to_owned(), amount?)))
        .collect()
}

fn with_defaults(
    mut container: Container,
    resources: &resources::Resources,
    source: SidecarSource,
) -> Sidecar {
    container
        .image_pull_policy
        .get_or_insert_with(|| "IfNotPresent".to_owned());
    container.resources = Some(resources.to_kubernetes());
    Sidecar { container, source }
}

fn first_of_each_name(reading: &mut Reading<'_>, wanted: Vec<Sidecar>) -> Vec<Sidecar> {
    let mut names = BTreeSet::new();
    let mut kept = Vec::with_capacity(wanted.len());
    for sidecar in wanted {
        let name = sidecar.container.name.clone();
        if names.insert(name.clone()) {
            kept.push(sidecar);
        } else {
            let message = format!("of two sidecars called {name:?} the later one is left out");
            reading.note(CONTAINER_SKIPPED, "spec.sidecars", message);
        }
    }
    kept
}

/// The manifest's, as they are. The operator has none.
pub(super) fn init_containers(reading: &mut Reading<'_>) -> Vec<Container> {
    let spec = reading.spec;
    if !spec.init_containers.is_empty() && !reading.config.kubernetes.enable_init_containers {
        let message = "are switched off by the operator (enable_init_containers); remove them";
        reading.violate(rules::CONTAINER, "spec.initContainers", message);
    }
    for (index, container) in spec.init_containers.iter().enumerate() {
        check(reading, container, &format!("spec.initContainers[{index}]"));
    }
    spec.init_containers.clone()
}

/// Without a name or an image, or with the name of the database's container, the whole pod would be refused.
fn check(reading: &mut Reading<'_>, container: &Container, path: &str) {
    if container.name.is_empty() {
        reading.violate(rules::CONTAINER, format!("{path}.name"), "name is required");
    }
    if container.name == containers::POSTGRES {
        let message = format!(
            "{:?} is the database's container; give it another name",
            container.name
        );
        reading.violate(rules::CONTAINER, format!("{path}.name"), message);
    }
    if container.image.as_ref().is_none_or(String::is_empty) {
        reading.violate(rules::CONTAINER, format!("{path}.image"), "image is required");
    }
}
