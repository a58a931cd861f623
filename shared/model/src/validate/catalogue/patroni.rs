//! Rules about Patroni and `pg_hba`.  // table

use crate::validate::{
    Check, Example, Rule,
    Severity::{Deny, Warn},
    When::Changed,
    check::patroni,
};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "PGV-044",
        paths: &["spec.patroni.pg_hba"],
        severity: Warn,
        fixed: false,
        when: Changed,
        demand: "Own lines of `pg_hba.conf` let in Patroni (`local`), the operator (superuser over the network) and the replicas.",
        reason: "The lines replace those of the image, and who is locked out cannot repair it.",
        accepts: Example::of(r#"spec: {patroni: {pg_hba: ["local all all trust", "hostssl all all all scram-sha-256", "hostssl replication standby all scram-sha-256"]}}"#),
        rejects: Example::of(r#"spec: {patroni: {pg_hba: ["hostssl all all all scram-sha-256"]}}"#),
        since: "0.1",
        check: Check::Object(patroni::nobody_is_locked_out),
    },
    Rule {
        id: "PGV-045",
        paths: &["spec.patroni.ttl", "spec.patroni.loop_wait", "spec.patroni.retry_timeout"],
        severity: Deny,
        fixed: false,
        when: Changed,
        demand: "`ttl` is at least `loop_wait` plus twice `retry_timeout`. (Absent or 0: 30, 10, 10.)",
        reason: "Otherwise one slow answer of the store costs the primary its lease.",
        accepts: Example::of("spec: {patroni: {ttl: 40, loop_wait: 10, retry_timeout: 15}}"),
        rejects: Example::of("spec: {patroni: {ttl: 20}}"),
        since: "0.1",
        check: Check::Object(patroni::lease_outlives_retries),
    },
    Rule {
        id: "PGV-046",
        paths: &["spec.patroni.synchronous_mode_strict"],
        severity: Deny,
        fixed: false,
        when: Changed,
        demand: "Strict synchronous mode has more than one instance.",
        reason: "Without a replica no commit ever finishes.",
        accepts: Example::of("spec: {numberOfInstances: 2, patroni: {synchronous_mode: true, synchronous_mode_strict: true}}"),
        rejects: Example::of("spec: {numberOfInstances: 1, patroni: {synchronous_mode: true, synchronous_mode_strict: true}}"),
        since: "0.1",
        check: Check::Object(patroni::strict_mode_has_replicas),
    },
    Rule {
        id: "PGV-056",
        paths: &["spec.patroni.synchronous_node_count"],
        severity: Warn,
        fixed: false,
        when: Changed,
        demand: "There are as many replicas as a commit waits for.",
        reason: "Patroni waits for fewer, or in strict mode for ever.",
        accepts: Example::of("spec: {numberOfInstances: 3, patroni: {synchronous_mode: true, synchronous_node_count: 2}}"),
        rejects: Example::of("spec: {numberOfInstances: 2, patroni: {synchronous_mode: true, synchronous_node_count: 2}}"),
        since: "0.1",
        check: Check::Object(patroni::enough_synchronous_nodes),
    },
];
