//! Rules about services: ports, load balancers, source ranges.  // table

use crate::validate::{
    Check, Example, Rule,
    Severity::{Deny, Warn},
    When::Changed,
    check::exposure,
};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "PGV-047",
        paths: &["spec.masterNodePort", "spec.replicaNodePort", "spec.masterPoolerNodePort", "spec.replicaPoolerNodePort"],
        severity: Deny,
        fixed: false,
        when: Changed,
        demand: "Node ports are ports, each for one service.",
        reason: "Kubernetes refuses the second service.",
        accepts: Example::of("spec: {enableMasterNodePort: true, masterNodePort: 31432, enableReplicaNodePort: true, replicaNodePort: 31433}"),
        rejects: Example::of("spec: {enableMasterNodePort: true, masterNodePort: 31432, enableReplicaNodePort: true, replicaNodePort: 31432}"),
        since: "0.1",
        check: Check::Object(exposure::node_ports_are_distinct),
    },
    Rule {
        id: "PGV-048",
        paths: &["spec.masterNodePort", "spec.replicaNodePort", "spec.masterPoolerNodePort", "spec.replicaPoolerNodePort"],
        severity: Warn,
        fixed: false,
        when: Changed,
        demand: "A node port stands beside its switch, and in the range that Kubernetes gives out.",
        reason: "Without the switch it is ignored; outside of the range only a Kubernetes with another range takes it.",
        accepts: Example::of("spec: {enableMasterNodePort: true, masterNodePort: 31432}"),
        rejects: Example::of("spec: {masterNodePort: 31432}"),
        since: "0.1",
        check: Check::Object(exposure::node_ports_count),
    },
    Rule {
        id: "PGV-049",
        paths: &["spec.allowedSourceRanges[*]"],
        severity: Deny,
        fixed: false,
        when: Changed,
        demand: "Source ranges are networks: an address and the length of its prefix.",
        reason: "Kubernetes refuses the service.",
        accepts: Example::of(r#"spec: {allowedSourceRanges: [10.0.0.0/8, "fd01::/48"]}"#),
        rejects: Example::of("spec: {allowedSourceRanges: [10.0.0.0]}"),
        since: "0.1",
        check: Check::Object(exposure::ranges_are_networks),
    },
    Rule {
        id: "PGV-050",
        paths: &["spec.allowedSourceRanges"],
        severity: Warn,
        fixed: false,
        when: Changed,
        demand: "A load balancer that the manifest asks for lets somebody in.",
        reason: "Without ranges only 127.0.0.1 may reach it: nobody.",
        accepts: Example::of("spec: {enableMasterLoadBalancer: true, allowedSourceRanges: [10.0.0.0/8]}"),
        rejects: Example::of("spec: {enableMasterLoadBalancer: true}"),
        since: "0.1",
        check: Check::Object(exposure::balancers_let_somebody_in),
    },
];
