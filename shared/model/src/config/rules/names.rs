//! Names, labels, images and definitions that objects are made with.

use std::collections::BTreeMap;

use k8s_openapi::api::{core::v1::ServiceAccount, rbac::v1::RoleBinding};

use super::Fault;
use crate::config::{OperatorConfig, Template};
use crate::units::name::{is_dns_label, is_dns_name, is_image, is_key, is_label_value};

/// Longest name of a cluster, as `names` has it, which stands above this module.
const LONGEST_CLUSTER: usize = 58;

pub(super) fn images(config: &OperatorConfig) -> Vec<Fault> {
    let own = [
        ("docker_image", &config.general.docker_image),
        (
            "connection_pooler_image",
            &config.connection_pooler.connection_pooler_image,
        ),
        (
            "logical_backup_docker_image",
            &config.logical_backup.logical_backup_docker_image,
        ),
    ];
    let sidecars = config.general.sidecar_docker_images.values();
    let sidecars = sidecars.map(|image| ("sidecar_docker_images", image));
    let whole = config
        .general
        .sidecars
        .iter()
        .filter_map(|sidecar| sidecar.image.as_ref());
    let whole = whole.map(|image| ("sidecars", image));
    own.into_iter()
        .chain(sidecars)
        .chain(whole)
        .filter(|(_, image)| !is_image(image))
        .map(|(name, image)| Fault::new(name, format!("{image:?} is no image, as registry/path:tag is")))
        .collect()
}

pub(super) fn labels(config: &OperatorConfig) -> Vec<Fault> {
    let kubernetes = &config.kubernetes;
    let mut faults = Vec::new();
    let mut key = |parameter, key: &str| {
        if !is_key(key) {
            faults.push(Fault::new(
                parameter,
                format!("{key:?} is no key, as example.org/tier is"),
            ));
        }
    };
    for (parameter, map) in [
        ("cluster_labels", &kubernetes.cluster_labels),
        ("node_readiness_label", &kubernetes.node_readiness_label),
        ("custom_pod_annotations", &kubernetes.custom_pod_annotations),
        (
            "custom_service_annotations",
            &config.load_balancer.custom_service_annotations,
        ),
    ] {
        map.keys().for_each(|found| key(parameter, found));
    }
    key("cluster_name_label", &kubernetes.cluster_name_label);
    key("pod_role_label", &kubernetes.pod_role_label);
    for (parameter, map) in [
        ("cluster_labels", &kubernetes.cluster_labels),
        ("node_readiness_label", &kubernetes.node_readiness_label),
    ] {
        let odd = map.iter().filter(|(_, value)| !is_label_value(value));
        faults.extend(odd.map(|(key, value)| {
            Fault::new(
                parameter,
                format!("{value:?} under {key:?} is no value of a label"),
            )
        }));
    }
    faults.extend(shared_keys(config));
    faults
}

/// Keys that would have to hold two values.
fn shared_keys(config: &OperatorConfig) -> Vec<Fault> {
    let kubernetes = &config.kubernetes;
    let mut faults = Vec::new();
    let mut seen: BTreeMap<&str, &str> = kubernetes
        .cluster_labels
        .keys()
        .map(|key| (key.as_str(), "cluster_labels"))
        .collect();
    for (parameter, key) in [
        ("cluster_name_label", &kubernetes.cluster_name_label),
        ("pod_role_label", &kubernetes.pod_role_label),
    ] {
        if let Some(other) = seen.insert(key, parameter) {
            faults.push(Fault::new(
                parameter,
                format!("{key:?} is the key of {other} already"),
            ));
        }
    }
    faults
}

pub(super) fn wanted_keys(config: &OperatorConfig) -> Vec<Fault> {
    let (kubernetes, general) = (&config.kubernetes, &config.general);
    let lists = [
        ("inherited_labels", &kubernetes.inherited_labels),
        ("inherited_annotations", &kubernetes.inherited_annotations),
        ("ignored_annotations", &kubernetes.ignored_annotations),
    ];
    let lists = lists
        .into_iter()
        .flat_map(|(name, keys)| keys.iter().map(move |key| (name, key)));
    let single = [
        (
            "delete_annotation_date_key",
            &kubernetes.delete_annotation_date_key,
        ),
        (
            "delete_annotation_name_key",
            &kubernetes.delete_annotation_name_key,
        ),
        (
            "ignore_instance_limits_annotation_key",
            &general.ignore_instance_limits_annotation_key,
        ),
        (
            "ignore_resources_limits_annotation_key",
            &general.ignore_resources_limits_annotation_key,
        ),
    ];
    let single = single
        .into_iter()
        .filter_map(|(name, key)| key.as_ref().map(|key| (name, key)));
    lists
        .chain(single)
        .filter(|(_, key)| !is_key(key))
        .map(|(name, key)| {
            Fault::new(
                name,
                format!("{key:?} is no key, as example.org/owner is: it is never found"),
            )
        })
        .collect()
}

/// What the DNS formats make of a short name.
pub(super) fn dns(config: &OperatorConfig) -> Vec<Fault> {
    let zones = [
        ("db_hosted_zone", config.load_balancer.db_hosted_zone.as_str()),
        ("cluster_domain", config.kubernetes.cluster_domain.as_str()),
    ];
    let is_zone = |zone: &str| {
        zone.trim_end_matches('.')
            .to_lowercase()
            .split('.')
            .all(is_dns_label)
    };
    let zones = zones.into_iter().filter(|(_, zone)| !is_zone(zone));
    zones
        .map(|(name, zone)| Fault::new(name, format!("{zone:?} is no DNS name")))
        .chain(of_formats(config, 3))
        .collect()
}

/// What they make of the longest.
pub(super) fn long_dns(config: &OperatorConfig) -> Vec<Fault> {
    if of_formats(config, 3).next().is_some() {
        return Vec::new();
    }
    of_formats(config, LONGEST_CLUSTER).collect()
}

fn of_formats(config: &OperatorConfig, length: usize) -> impl Iterator<Item = Fault> {
    let balancer = &config.load_balancer;
    [
        ("master_dns_name_format", &balancer.master_dns_name_format),
        (
            "master_legacy_dns_name_format",
            &balancer.master_legacy_dns_name_format,
        ),
        ("replica_dns_name_format", &balancer.replica_dns_name_format),
        (
            "replica_legacy_dns_name_format",
            &balancer.replica_legacy_dns_name_format,
        ),
    ]
    .into_iter()
    .filter_map(move |(name, format)| Some(Fault::new(name, dns_problem(format, length)?)))
}

/// The zone is looked at by itself.
fn dns_problem(format: &Template, length: usize) -> Option<String> {
    let cluster = "c".repeat(length);
    let values = [
        ("cluster", cluster.as_str()),
        ("team", "team"),
        ("namespace", "namespace"),
        ("hostedzone", "zone"),
    ];
    let made = format.fill(&values).to_lowercase();
    let bad = made.split('.').find(|part| !is_dns_label(part))?;
    Some(if bad.len() > 63 {
        format!(
            "has no room for cluster names of {length} characters: a part of the DNS name has {}, 63 are allowed",
            bad.len()
        )
    } else {
        format!("makes {made:?}: {bad:?} is no part of a DNS name")
    })
}

pub(super) fn objects(config: &OperatorConfig) -> Vec<Fault> {
    let kubernetes = &config.kubernetes;
    let cluster = ("cluster", "c");
    let made = [
        (
            "secret_name_template",
            kubernetes.secret_name_template.fill(&[
                ("username", "u"),
                cluster,
                ("tprkind", "postgresql"),
                ("tprgroup", "acid.zalan.do"),
            ]),
        ),
        ("pdb_name_format", kubernetes.pdb_name_format.fill(&[cluster])),
        (
            "logical_backup_job_prefix",
            format!("{}c", config.logical_backup.logical_backup_job_prefix),
        ),
        (
            "pod_service_account_name",
            kubernetes.pod_service_account_name.clone(),
        ),
    ];
    made.into_iter()
        .filter(|(_, name)| !is_dns_name(name))
        .map(|(parameter, name)| {
            let problem = format!(
                "makes {name:?}: no name of an object, of lower-case letters, digits, dashes and dots"
            );
            Fault::new(parameter, problem)
        })
        .collect()
}

/// That they are YAML of the right kind is known already.
pub(super) fn definitions(config: &OperatorConfig) -> Vec<Fault> {
    let kubernetes = &config.kubernetes;
    let mut faults = Vec::new();
    if let Some(text) = &kubernetes.pod_service_account_definition {
        let name = "pod_service_account_definition";
        let read = serde_yaml::from_str::<ServiceAccount>(text);
        faults.extend(read.err().map(|error| Fault::new(name, misread(&error))));
    }
    if let Some(text) = &kubernetes.pod_service_account_role_binding_definition {
        let name = "pod_service_account_role_binding_definition";
        match serde_yaml::from_str::<RoleBinding>(text) {
            Err(error) => faults.push(Fault::new(name, misread(&error))),
            Ok(binding) => {
                let role = &binding.role_ref;
                let known = ["ClusterRole", "Role"].contains(&role.kind.as_str());
                if !known || role.name.is_empty() {
                    let problem = "its roleRef names no ClusterRole or Role";
                    faults.push(Fault::new(name, problem));
                }
            }
        }
    }
    faults
}

fn misread(error: &serde_yaml::Error) -> String {
    format!("cannot be read: {error}")
}

pub(super) fn roles(config: &OperatorConfig) -> Vec<Fault> {
    let users = &config.users;
    let pooler = &config.connection_pooler.connection_pooler_user;
    let names = [
        ("super_username", &users.super_username),
        ("replication_username", &users.replication_username),
        ("connection_pooler_user", pooler),
    ];
    let long = names
        .into_iter()
        .filter(|(_, name)| name.len() > 63 || name.contains('\0'));
    let mut faults: Vec<Fault> = long
        .map(|(parameter, _)| Fault::new(parameter, "is longer than the 63 bytes of a role's name"))
        .collect();
    if users.super_username == users.replication_username {
        let problem = format!(
            "{:?} is the superuser: replicas need a role of their own",
            users.replication_username
        );
        faults.push(Fault::new("replication_username", problem).with(&["super_username"]));
    }
    if *pooler == users.replication_username {
        let problem = format!("{pooler:?} is the replication role: the pooler needs a role of its own");
        faults.push(Fault::new("connection_pooler_user", problem).with(&["replication_username"]));
    }
    if config.teams_api.protected_role_names.contains(pooler) {
        let problem = format!("{pooler:?} is a protected name: the pooler could not have it");
        faults.push(Fault::new("connection_pooler_user", problem).with(&["protected_role_names"]));
    }
    faults
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_longest_cluster_is_the_one_of_the_names() {
        assert_eq!(super::LONGEST_CLUSTER, crate::names::objects::CLUSTER_NAME_LIMIT);
    }
}
