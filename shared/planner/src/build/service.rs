//! The two services, and the Endpoints that Patroni fills in Endpoints mode (zalando-behaviour 3.5).

use k8s_openapi::api::core::v1::{Endpoints, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use pgherd_model::cluster::{self, ServiceKind};
use pgherd_model::config::TrafficPolicy;
use pgherd_model::names::{Labels, Role, ports};

use super::{Blueprint, uses_config_maps};

pub(super) fn build(blueprint: Blueprint<'_>) -> Vec<Service> {
    let exposure = &blueprint.cluster.exposure;
    [
        (Role::Primary, &exposure.primary),
        (Role::Replica, &exposure.replica),
    ]
    .map(|(role, wanted)| service(blueprint, role, wanted))
    .into()
}

/// Without subsets: those are Patroni's.
pub(super) fn endpoints(blueprint: Blueprint<'_>) -> Option<Endpoints> {
    let role = Role::Primary;
    (!uses_config_maps(blueprint.config)).then(|| Endpoints {
        metadata: blueprint.metadata(
            blueprint.names.service(role),
            blueprint.role_labels(role),
            blueprint.inherited_annotations(),
        ),
        subsets: None,
    })
}

fn service(blueprint: Blueprint<'_>, role: Role, wanted: &cluster::Service) -> Service {
    let mut spec = ServiceSpec {
        ports: Some(vec![ServicePort {
            name: Some(ports::POSTGRES_NAME.to_owned()),
            port: i32::from(ports::POSTGRES),
            target_port: Some(IntOrString::Int(i32::from(ports::POSTGRES))),
            ..ServicePort::default()
        }]),
        selector: selector(blueprint, role),
        ..ServiceSpec::default()
    };
    expose(&mut spec, &wanted.kind);
    Service {
        metadata: blueprint.metadata(
            blueprint.names.service(role),
            blueprint.role_labels(role),
            wanted.annotations.clone(),
        ),
        spec: Some(spec),
        status: None,
    }
}

/// The master service has none in Endpoints mode: Kubernetes would overwrite the Endpoints that Patroni writes.
fn selector(blueprint: Blueprint<'_>, role: Role) -> Option<Labels> {
    let selects = role == Role::Replica || uses_config_maps(blueprint.config);
    selects.then(|| blueprint.names.role_selector(role))
}

fn expose(spec: &mut ServiceSpec, kind: &ServiceKind) {
    let word = |policy: &TrafficPolicy| Some(policy.as_str().to_owned());
    let (type_, policy) = match kind {
        ServiceKind::ClusterIp => ("ClusterIP", None),
        ServiceKind::NodePort { port, policy } => {
            spec.ports
                .iter_mut()
                .flatten()
                .for_each(|own| own.node_port = *port);
            ("NodePort", word(policy))
        }
        ServiceKind::LoadBalancer {
            source_ranges,
            policy,
        } => {
            spec.load_balancer_source_ranges = Some(source_ranges.clone());
            ("LoadBalancer", word(policy))
        }
    };
    spec.type_ = Some(type_.to_owned());
    spec.external_traffic_policy = policy;
}
