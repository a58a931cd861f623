//! Requests and limits (zalando-behaviour 3.2). The order of the steps matters: a request capped to the operator's maximum stays capped.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity as Amount,
};

use super::{
    reading::Reading,
    rules::{self, reason::RESOURCE_LIMITS},
};
use crate::{
    api::postgresql::{self as written, ResourceDescription},
    config::OperatorConfig,
    units::Quantity,
};

/// Cores.
pub const CPU: &str = "cpu";
/// Bytes.
pub const MEMORY: &str = "memory";
const HUGE_2MI: &str = "hugepages-2Mi";
const HUGE_1GI: &str = "hugepages-1Gi";
const PATH: &str = "spec.resources";

/// Requests and limits of a container, by the name of the resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// What the scheduler reserves.
    pub requests: BTreeMap<String, Quantity>,
    /// What the container may use at most.
    pub limits: BTreeMap<String, Quantity>,
}

impl Resources {
    /// As Kubernetes wants it, in the spelling that the API server itself would choose.
    pub fn to_kubernetes(&self) -> ResourceRequirements {
        let amounts = |side: &BTreeMap<String, Quantity>| {
            let amounts = side
                .iter()
                .map(|(name, amount)| (name.clone(), Amount(amount.to_string())));
            Some(amounts.collect()).filter(|amounts: &BTreeMap<_, _>| !amounts.is_empty())
        };
        ResourceRequirements {
            requests: amounts(&self.requests),
            limits: amounts(&self.limits),
            claims: None,
        }
    }

    /// As a manifest would say it.
    pub fn to_written(&self) -> written::Resources {
        let side = |side: &BTreeMap<String, Quantity>| {
            let text = |name: &str| side.get(name).map(ToString::to_string);
            Some(ResourceDescription {
                cpu: text(CPU),
                memory: text(MEMORY),
                hugepages_2mi: text(HUGE_2MI),
                hugepages_1gi: text(HUGE_1GI),
            })
            .filter(|side| *side != ResourceDescription::default())
        };
        written::Resources {
            requests: side(&self.requests),
            limits: side(&self.limits),
        }
    }
}

/// What a manifest says about one side, before it is read.
type Written = BTreeMap<String, String>;

/// Those of the database container: within the operator's limits, unless an annotation lifts them.
pub(super) fn of_postgres(reading: &mut Reading<'_>) -> Resources {
    let written = reading.spec.resources.clone().unwrap_or_default();
    let sides = (texts(written.requests.as_ref()), texts(written.limits.as_ref()));
    let defaults = Defaults::of_pods(reading.config);
    let mut resources = fill(reading, &sides, &defaults, PATH);
    let config = reading.config;
    let exempt = reading.has_switch(config.general.ignore_resources_limits_annotation_key.as_ref());
    if !exempt {
        raise_limits(reading, &mut resources);
    }
    settle(&mut resources, config);
    if !exempt {
        cut_requests(reading, &mut resources);
    }
    resources
}

/// Those of a sidecar from the manifest or from `sidecar_docker_images`: the operator's defaults, none of its limits.
pub(super) fn of_sidecar(
    reading: &mut Reading<'_>,
    written: Option<&ResourceRequirements>,
    path: &str,
) -> Resources {
    let side = |side: Option<&BTreeMap<String, Amount>>| -> Written {
        side.into_iter()
            .flatten()
            .map(|(name, amount)| (name.clone(), amount.0.clone()))
            .collect()
    };
    let sides = written.map(|written| (side(written.requests.as_ref()), side(written.limits.as_ref())));
    let defaults = Defaults::of_pods(reading.config);
    let mut resources = fill(reading, &sides.unwrap_or_default(), &defaults, path);
    settle(&mut resources, reading.config);
    resources
}

/// Those of a pooler's pod: defaults of their own, none of the operator's limits.
pub(super) fn of_pooler(reading: &mut Reading<'_>, written: Option<&written::Resources>) -> Resources {
    let written = written.cloned().unwrap_or_default();
    let sides = (texts(written.requests.as_ref()), texts(written.limits.as_ref()));
    let config = &reading.config.connection_pooler;
    let defaults = Defaults {
        requests: [
            (CPU, config.connection_pooler_default_cpu_request),
            (MEMORY, config.connection_pooler_default_memory_request),
        ],
        limits: [
            (CPU, config.connection_pooler_default_cpu_limit),
            (MEMORY, config.connection_pooler_default_memory_limit),
        ],
    };
    let mut resources = fill(reading, &sides, &defaults, "spec.connectionPooler.resources");
    settle(&mut resources, reading.config);
    resources
}

/// Those of the backup job: the operator's for it, or else the defaults of databases.
pub(super) fn of_backup(reading: &mut Reading<'_>) -> Resources {
    let (config, pods) = (
        &reading.config.logical_backup,
        &reading.config.postgres_pod_resources,
    );
    let defaults = Defaults {
        requests: [
            (
                CPU,
                config.logical_backup_cpu_request.or(pods.default_cpu_request),
            ),
            (
                MEMORY,
                config
                    .logical_backup_memory_request
                    .or(pods.default_memory_request),
            ),
        ],
        limits: [
            (CPU, config.logical_backup_cpu_limit.or(pods.default_cpu_limit)),
            (
                MEMORY,
                config.logical_backup_memory_limit.or(pods.default_memory_limit),
            ),
        ],
    };
    let mut resources = fill(reading, &<(Written, Written)>::default(), &defaults, "");
    settle(&mut resources, reading.config);
    resources
}

fn texts(side: Option<&ResourceDescription>) -> Written {
    let Some(side) = side else { return Written::new() };
    let ResourceDescription {
        cpu,
        memory,
        hugepages_2mi,
        hugepages_1gi,
    } = side;
    [
        (CPU, cpu),
        (MEMORY, memory),
        (HUGE_2MI, hugepages_2mi),
        (HUGE_1GI, hugepages_1gi),
    ]
    .into_iter()
    .filter_map(|(name, text)| Some((name.to_owned(), text.clone()?)))
    .collect()
}

/// What the operator gives where a manifest gives nothing.
struct Defaults {
    requests: [(&'static str, Option<Quantity>); 2],
    limits: [(&'static str, Option<Quantity>); 2],
}

impl Defaults {
    fn of_pods(config: &OperatorConfig) -> Self {
        let config = &config.postgres_pod_resources;
        Self {
            requests: [
                (CPU, config.default_cpu_request),
                (MEMORY, config.default_memory_request),
            ],
            limits: [
                (CPU, config.default_cpu_limit),
                (MEMORY, config.default_memory_limit),
            ],
        }
    }
}

/// The manifest's amounts, the operator's where the manifest has none of CPU or memory.
fn fill(
    reading: &mut Reading<'_>,
    (requests, limits): &(Written, Written),
    defaults: &Defaults,
    path: &str,
) -> Resources {
    Resources {
        requests: fill_side(reading, requests, defaults.requests, &format!("{path}.requests")),
        limits: fill_side(reading, limits, defaults.limits, &format!("{path}.limits")),
    }
}

fn fill_side(
    reading: &mut Reading<'_>,
    written: &Written,
    defaults: [(&str, Option<Quantity>); 2],
    path: &str,
) -> BTreeMap<String, Quantity> {
    let mut side: BTreeMap<String, Quantity> = BTreeMap::new();
    for (name, text) in written {
        let has_default = defaults.iter().any(|(known, _)| known == name);
        if has_default && matches!(text.as_str(), "" | "0" | "null") {
            continue;
        }
        if let Some(amount) = reading.quantity(rules::QUANTITY, &format!("{path}.{name}"), text) {
            side.insert(name.clone(), amount);
        }
    }
    for (name, default) in defaults {
        if let Some(default) = default.filter(|default| !default.is_zero()) {
            side.entry(name.to_owned()).or_insert(default);
        }
    }
    side
}

/// Limits below the operator's minimum are raised to it; a missing limit counts as none at all, and so is raised too.
fn raise_limits(reading: &mut Reading<'_>, resources: &mut Resources) {
    let config = &reading.config.postgres_pod_resources;
    for (name, min) in [(CPU, config.min_cpu_limit), (MEMORY, config.min_memory_limit)] {
        let Some(min) = min else { continue };
        let limit = resources.limits.get(name).copied();
        if limit.is_some_and(|limit| limit >= min) {
            continue;
        }
        resources.limits.insert(name.to_owned(), min);
        let was = limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
        let message = format!("{was} becomes {min}, the operator's minimum");
        reading.note(RESOURCE_LIMITS, format!("{PATH}.limits.{name}"), message);
    }
}

/// A limit is never below its request; and with the switch for it, memory is requested up to its limit.
fn settle(resources: &mut Resources, config: &OperatorConfig) {
    for name in [CPU, MEMORY] {
        let request = resources.requests.get(name).copied();
        if let (Some(request), Some(limit)) = (request, resources.limits.get_mut(name)) {
            *limit = request.max(*limit);
        }
    }
    let limit = resources
        .limits
        .get(MEMORY)
        .copied()
        .filter(|limit| !limit.is_zero());
    if let Some(limit) = limit.filter(|_| config.general.set_memory_request_to_limit) {
        let request = resources.requests.entry(MEMORY.to_owned()).or_insert(limit);
        *request = limit.max(*request);
    }
}

/// Requests above the operator's maximum are cut to it.
fn cut_requests(reading: &mut Reading<'_>, resources: &mut Resources) {
    let config = &reading.config.postgres_pod_resources;
    for (name, max) in [(CPU, config.max_cpu_request), (MEMORY, config.max_memory_request)] {
        let (Some(max), Some(request)) = (max, resources.requests.get_mut(name)) else {
            continue;
        };
        if *request > max {
            let message = format!("{request} becomes {max}, the operator's maximum");
            *request = max;
            reading.note(RESOURCE_LIMITS, format!("{PATH}.requests.{name}"), message);
        }
    }
}

#[cfg(test)]
mod tests;
