//! How the cluster is reached: its services (zalando-behaviour 3.5).

use super::{
    identity::{Identity, Inherited},
    reading::Reading,
};
use crate::{
    config::TrafficPolicy,
    names::{Labels, Names, Role, annotations::EXTERNAL_DNS_HOSTNAME},
};

/// The four services. Those of poolers exist only beside their pooler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// In front of the primary.
    pub primary: Service,
    /// In front of the replicas.
    pub replica: Service,
    /// In front of the primary's pooler.
    pub primary_pooler: Service,
    /// In front of the replicas' pooler.
    pub replica_pooler: Service,
}

/// How one service is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// From where.
    pub kind: ServiceKind,
    /// All its annotations, inherited ones too.
    pub annotations: Labels,
}

/// From where a service is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceKind {
    /// From inside of the Kubernetes cluster.
    ClusterIp,
    /// Through a port of every node.
    NodePort {
        /// The port; Kubernetes picks one when none.
        port: Option<i32>,
        /// Whether any node may forward.
        policy: TrafficPolicy,
    },
    /// Through a load balancer.
    LoadBalancer {
        /// Networks that may reach it; never empty.
        source_ranges: Vec<String>,
        /// Whether any node may forward.
        policy: TrafficPolicy,
    },
}

/// Who may reach a load balancer that names nobody: itself, which is no one.
const NOBODY: &str = "127.0.0.1/32";

/// What manifest and operator say about one service.
struct Wish {
    role: Role,
    is_pooler: bool,
    node_port: Option<bool>,
    port: Option<i32>,
    balancer: Option<bool>,
    default_node_port: bool,
    default_balancer: bool,
}

pub(super) fn read(reading: &Reading<'_>, identity: &Identity, inherited: &Inherited) -> Exposure {
    let [primary, replica, primary_pooler, replica_pooler] =
        wishes(reading).map(|wish| service(reading, identity, inherited, &wish));
    Exposure {
        primary,
        replica,
        primary_pooler,
        replica_pooler,
    }
}

fn wishes(reading: &Reading<'_>) -> [Wish; 4] {
    let (spec, config) = (reading.spec, &reading.config.load_balancer);
    [
        Wish {
            role: Role::Primary,
            is_pooler: false,
            node_port: spec.enable_master_node_port,
            port: spec.master_node_port,
            balancer: spec.enable_master_load_balancer,
            default_node_port: config.enable_master_node_port,
            default_balancer: config.enable_master_load_balancer,
        },
        Wish {
            role: Role::Replica,
            is_pooler: false,
            node_port: spec.enable_replica_node_port,
            port: spec.replica_node_port,
            balancer: spec.enable_replica_load_balancer,
            default_node_port: config.enable_replica_node_port,
            default_balancer: config.enable_replica_load_balancer,
        },
        Wish {
            role: Role::Primary,
            is_pooler: true,
            node_port: spec.enable_master_pooler_node_port,
            port: spec.master_pooler_node_port,
            balancer: spec.enable_master_pooler_load_balancer,
            default_node_port: config.enable_master_pooler_node_port,
            default_balancer: config.enable_master_pooler_load_balancer,
        },
        Wish {
            role: Role::Replica,
            is_pooler: true,
            node_port: spec.enable_replica_pooler_node_port,
            port: spec.replica_pooler_node_port,
            balancer: spec.enable_replica_pooler_load_balancer,
            default_node_port: config.enable_replica_pooler_node_port,
            default_balancer: config.enable_replica_pooler_load_balancer,
        },
    ]
}

fn service(reading: &Reading<'_>, identity: &Identity, inherited: &Inherited, wish: &Wish) -> Service {
    let kind = kind(reading, wish);
    let mut annotations = written_annotations(reading, wish.role);
    if matches!(kind, ServiceKind::LoadBalancer { .. }) {
        let names = Names::of(&identity.namespace, &identity.name, reading.config);
        let external = if wish.is_pooler {
            names.external_pooler(wish.role, &identity.team, reading.config)
        } else {
            names.external(wish.role, &identity.team, reading.config)
        };
        annotations.insert(EXTERNAL_DNS_HOSTNAME.to_owned(), external);
    }
    annotations.extend(inherited.annotations.clone());
    Service { kind, annotations }
}

/// A node port wins over a load balancer. A port number counts only beside the manifest's own switch.
fn kind(reading: &Reading<'_>, wish: &Wish) -> ServiceKind {
    let policy = reading.config.load_balancer.external_traffic_policy;
    if wish.node_port.unwrap_or(wish.default_node_port) {
        let port = wish
            .port
            .filter(|port| *port != 0 && wish.node_port == Some(true));
        return ServiceKind::NodePort { port, policy };
    }
    if !wish.balancer.unwrap_or(wish.default_balancer) {
        return ServiceKind::ClusterIp;
    }
    let ranges = &reading.spec.allowed_source_ranges;
    let source_ranges = if ranges.is_empty() {
        vec![NOBODY.to_owned()]
    } else {
        ranges.clone()
    };
    ServiceKind::LoadBalancer {
        source_ranges,
        policy,
    }
}

/// Later ones win: the operator's, those of all services, those of the role.
fn written_annotations(reading: &Reading<'_>, role: Role) -> Labels {
    let spec = reading.spec;
    let of_role = match role {
        Role::Primary => &spec.master_service_annotations,
        Role::Replica => &spec.replica_service_annotations,
    };
    let operator = &reading.config.load_balancer.custom_service_annotations;
    let mut annotations: Labels = operator
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    annotations.extend(spec.service_annotations.clone());
    annotations.extend(of_role.clone());
    annotations
}

#[cfg(test)]
mod tests;
