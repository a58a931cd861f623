//! The database container and its sidecars (zalando-behaviour 3.3).

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, HTTPGetAction, Probe, SecurityContext, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use pgherd_model::cluster::Sidecar;
use pgherd_model::cluster::container::SidecarSource;
use pgherd_model::cluster::volume::AdditionalVolume;
use pgherd_model::names::{containers::POSTGRES, env, ports};

use super::environment::{self, Variables};
use super::variable::{from_field, password_of, plain};
use super::{Blueprint, volume};
use crate::observed::PodEnvironment;

/// Variable of the log shipper that holds its key.
const SCALYR_API_KEY: &str = "SCALYR_API_KEY";

pub(super) fn all(
    blueprint: Blueprint<'_>,
    environment: &PodEnvironment,
    volumes: &[AdditionalVolume],
) -> Vec<Container> {
    let sidecars = blueprint.cluster.pod.sidecars.iter();
    std::iter::once(postgres(blueprint, environment, volumes))
        .chain(sidecars.map(|sidecar| beside(blueprint, sidecar, volumes)))
        .collect()
}

fn postgres(
    blueprint: Blueprint<'_>,
    environment: &PodEnvironment,
    volumes: &[AdditionalVolume],
) -> Container {
    let (cluster, config) = (blueprint.cluster, blueprint.config);
    Container {
        name: POSTGRES.to_owned(),
        image: Some(cluster.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        ports: Some([ports::PATRONI, ports::POSTGRES, ports::BG_MON].map(port).into()),
        env: Some(environment::build(blueprint, environment)),
        env_from: Some(cluster.pod.env_from.clone()).filter(|sources| !sources.is_empty()),
        resources: Some(cluster.resources.to_kubernetes()),
        security_context: Some(security(blueprint)),
        liveness_probe: cluster.pod.liveness.clone(),
        readiness_probe: config.kubernetes.enable_readiness_probe.then(readiness),
        volume_mounts: Some(volume::mounts(blueprint, POSTGRES, volumes)),
        ..Container::default()
    }
}

fn port(number: u16) -> ContainerPort {
    ContainerPort {
        container_port: i32::from(number),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn security(blueprint: Blueprint<'_>) -> SecurityContext {
    let kubernetes = &blueprint.config.kubernetes;
    let added: Vec<String> = kubernetes
        .additional_pod_capabilities
        .iter()
        .map(|name| name.to_uppercase())
        .collect();
    SecurityContext {
        allow_privilege_escalation: Some(kubernetes.spilo_allow_privilege_escalation),
        privileged: Some(kubernetes.spilo_privileged),
        read_only_root_filesystem: Some(false),
        capabilities: (!added.is_empty()).then_some(Capabilities {
            add: Some(added),
            drop: None,
        }),
        ..SecurityContext::default()
    }
}

fn readiness() -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some("/readiness".to_owned()),
            port: IntOrString::Int(i32::from(ports::PATRONI)),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        initial_delay_seconds: Some(6),
        period_seconds: Some(10),
        timeout_seconds: Some(5),
        success_threshold: Some(1),
        failure_threshold: Some(3),
        ..Probe::default()
    }
}

/// A sidecar as its source gives it, with the operator's variables in front and the volumes behind its own mounts.
fn beside(blueprint: Blueprint<'_>, sidecar: &Sidecar, volumes: &[AdditionalVolume]) -> Container {
    let mut container = sidecar.container.clone();
    let mut variables = Variables::new(sidecar_variables(blueprint));
    let own = container.env.take().unwrap_or_default();
    variables.add_missing(own);
    if sidecar.source == SidecarSource::LogShipper {
        let key = blueprint.config.scalyr.scalyr_api_key.as_ref();
        variables.add_missing(key.map(|key| plain(SCALYR_API_KEY, key.expose())));
    }
    container.env = Some(variables.into_list());
    let mounts = volume::mounts(blueprint, &container.name, volumes);
    let own = container.volume_mounts.get_or_insert_default();
    // A path can be mounted once; a whole container of the operator or a manifest may have taken it.
    let free = |mount: &VolumeMount| own.iter().all(|taken| taken.mount_path != mount.mount_path);
    let mounts: Vec<VolumeMount> = mounts.into_iter().filter(free).collect();
    own.extend(mounts);
    container
}

fn sidecar_variables(blueprint: Blueprint<'_>) -> Vec<EnvVar> {
    let superuser = &blueprint.config.users.super_username;
    vec![
        from_field(env::POD_NAME, "metadata.name"),
        from_field(env::POD_NAMESPACE, "metadata.namespace"),
        plain(env::POSTGRES_USER, superuser),
        password_of(env::POSTGRES_PASSWORD, blueprint.names.secret(superuser)),
    ]
}
