//! Services: node ports and who may reach load balancers.

use std::collections::BTreeMap;

use super::{
    super::{Hit, Subject},
    metadata,
};
use crate::{cluster::ServiceKind, names::ports::NODE_PORTS, units::Cidr};

/// Field of a node port, its value, and whether the manifest's own switch makes it count.
fn node_ports(subject: &Subject<'_>) -> Vec<(&'static str, i32, bool)> {
    let spec = &subject.spec;
    [
        (
            "masterNodePort",
            spec.master_node_port,
            spec.enable_master_node_port,
        ),
        (
            "replicaNodePort",
            spec.replica_node_port,
            spec.enable_replica_node_port,
        ),
        (
            "masterPoolerNodePort",
            spec.master_pooler_node_port,
            spec.enable_master_pooler_node_port,
        ),
        (
            "replicaPoolerNodePort",
            spec.replica_pooler_node_port,
            spec.enable_replica_pooler_node_port,
        ),
    ]
    .into_iter()
    .filter_map(|(field, port, switch)| Some((field, port?, switch == Some(true))))
    .filter(|(_, port, _)| *port != 0)
    .collect()
}

pub(in super::super) fn node_ports_are_distinct(subject: &Subject<'_>) -> Vec<Hit> {
    let mut taken: BTreeMap<i32, &str> = BTreeMap::new();
    let mut hits = Vec::new();
    for (field, port, _) in node_ports(subject).into_iter().filter(|(_, _, counts)| *counts) {
        let path = format!("spec.{field}");
        if !(1..=65535).contains(&port) {
            hits.push(Hit::new(
                path,
                format!(
                    "{port} is no port; allowed are 1 to 65535, by default {} to {}",
                    NODE_PORTS.start(),
                    NODE_PORTS.end()
                ),
            ));
        } else if let Some(other) = taken.insert(port, field) {
            hits.push(Hit::new(
                path,
                format!("{port} is {other} already; every service needs its own"),
            ));
        }
    }
    hits
}

pub(in super::super) fn node_ports_count(subject: &Subject<'_>) -> Vec<Hit> {
    let ignored = node_ports(subject)
        .into_iter()
        .filter_map(|(field, port, counts)| {
            let message = if !counts {
                let switch = format!("enable{}{}", field[..1].to_uppercase(), &field[1..]);
                format!("{port} is ignored without {switch}: true")
            } else if (1..=65535).contains(&port) && !NODE_PORTS.contains(&port) {
                format!(
                    "{port} is outside of Kubernetes' usual range, {} to {}",
                    NODE_PORTS.start(),
                    NODE_PORTS.end()
                )
            } else {
                return None;
            };
            Some(Hit::new(format!("spec.{field}"), message))
        });
    ignored.chain(overruled(subject)).collect()
}

/// Load balancers that the manifest asks for beside a node port for the same service.
fn overruled(subject: &Subject<'_>) -> Vec<Hit> {
    let spec = &subject.spec;
    let services = [
        (
            "Master",
            spec.enable_master_load_balancer,
            spec.enable_master_node_port,
        ),
        (
            "Replica",
            spec.enable_replica_load_balancer,
            spec.enable_replica_node_port,
        ),
        (
            "MasterPooler",
            spec.enable_master_pooler_load_balancer,
            spec.enable_master_pooler_node_port,
        ),
        (
            "ReplicaPooler",
            spec.enable_replica_pooler_load_balancer,
            spec.enable_replica_pooler_node_port,
        ),
    ];
    let both = services
        .into_iter()
        .filter(|(_, balancer, port)| *balancer == Some(true) && *port == Some(true));
    both.map(|(service, _, _)| {
        let message = format!("is ignored: enable{service}NodePort wins");
        Hit::new(format!("spec.enable{service}LoadBalancer"), message)
    })
    .collect()
}

pub(in super::super) fn ranges_are_networks(subject: &Subject<'_>) -> Vec<Hit> {
    let ranges = subject.spec.allowed_source_ranges.iter().enumerate();
    ranges
        .filter_map(|(index, range)| {
            let error = Cidr::parse(range).err()?;
            Some(Hit::new(
                format!("spec.allowedSourceRanges[{index}]"),
                error.to_string(),
            ))
        })
        .collect()
}

/// The manifest asks for a load balancer and lets nobody reach it.
pub(in super::super) fn balancers_let_somebody_in(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(cluster) = subject
        .cluster()
        .filter(|_| subject.spec.allowed_source_ranges.is_empty())
    else {
        return Vec::new();
    };
    let asked = [
        (
            subject.spec.enable_master_load_balancer,
            &cluster.exposure.primary,
        ),
        (
            subject.spec.enable_replica_load_balancer,
            &cluster.exposure.replica,
        ),
    ];
    let closed = asked.into_iter().any(|(flag, service)| {
        flag == Some(true) && matches!(service.kind, ServiceKind::LoadBalancer { .. })
    });
    let hit = || {
        Hit::new(
            "spec.allowedSourceRanges",
            "is empty: nobody can reach the load balancer; name the networks that may",
        )
    };
    closed.then(hit).into_iter().collect()
}

/// Ranges that let in whom they seem to, and are used.
pub(in super::super) fn ranges_are_meant(subject: &Subject<'_>) -> Vec<Hit> {
    let ranges = &subject.spec.allowed_source_ranges;
    let mut hits = Vec::new();
    if !ranges.is_empty() && metadata::has_balancer(subject) == Some(false) {
        let message = "is not used: there is no load balancer";
        hits.push(Hit::new("spec.allowedSourceRanges", message));
    }
    for (index, text) in ranges.iter().enumerate() {
        let Ok(range) = Cidr::parse(text) else { continue };
        let message = if range.is_everything() {
            format!("{text} lets in everybody who can reach the load balancer")
        } else if range.network() != range {
            format!(
                "{text} means {}: bits behind the prefix do not count",
                range.network()
            )
        } else {
            continue;
        };
        hits.push(Hit::new(format!("spec.allowedSourceRanges[{index}]"), message));
    }
    hits
}
