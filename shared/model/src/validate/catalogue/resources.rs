//! Rules about requests, limits and shared memory.  // table

use crate::cluster::rules::{self, reason};
use crate::validate::{
    Check, Example, Rule,
    Severity::{Deny, Warn},
    When::Changed,
    check::{container, resources},
};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: rules::QUANTITY,
        paths: &["spec.resources", "spec.sidecars[*].resources"],
        severity: Deny,
        fixed: false,
        when: Changed,
        demand: "Requests and limits are quantities that are not negative.",
        reason: "Kubernetes refuses a pod with anything else.",
        accepts: Example::of("spec: {resources: {requests: {cpu: 100m, memory: 1Gi}}}"),
        rejects: Example::of("spec: {resources: {requests: {cpu: 100 m}}}"),
        since: "0.1",
        check: Check::Parse,
    },
    Rule {
        id: "PGV-020",
        paths: &["spec.resources"],
        severity: Warn,
        fixed: false,
        when: Changed,
        demand: "Requests and limits are within the operator's limits.",
        reason: "Limits below the minimum are raised, requests above the maximum are cut.",
        accepts: Example::of("spec: {resources: {limits: {cpu: 500m}}}").under(&[("min_cpu_limit", "250m")]),
        rejects: Example::of("spec: {resources: {limits: {cpu: 100m}}}").under(&[("min_cpu_limit", "250m")]),
        since: "0.1",
        check: Check::Finding(reason::RESOURCE_LIMITS),
    },
    Rule {
        id: "PGV-021",
        paths: &["spec.resources.limits"],
        severity: Warn,
        fixed: false,
        when: Changed,
        demand: "A limit is not below its request.",
        reason: "It is raised to the request.",
        accepts: Example::of("spec: {resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}}"),
        rejects: Example::of("spec: {resources: {requests: {memory: 1Gi}, limits: {memory: 500Mi}}}"),
        since: "0.1",
        check: Check::Object(resources::limits_cover_requests),
    },
    Rule {
        id: "PGV-035",
        paths: &["spec.enableShmVolume"],
        severity: Warn,
        fixed: false,
        when: Changed,
        demand: "Shared memory is not switched off against the operator.",
        reason: "The operator's `enable_shm_volume` wins, as it always has.",
        accepts: Example::of("spec: {enableShmVolume: false}").under(&[("enable_shm_volume", "false")]),
        rejects: Example::of("spec: {enableShmVolume: false}"),
        since: "0.1",
        check: Check::Object(container::shared_memory_follows),
    },
];
