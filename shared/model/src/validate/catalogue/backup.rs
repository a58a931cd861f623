//! Rules about regular dumps.  // table

use crate::validate::{
    Check, Example, Rule,
    Severity::{Deny, Warn},
    When::Changed,
    check::backup,
};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "PGV-065",
        paths: &["spec.logicalBackupSchedule"],
        severity: Deny,
        fixed: false,
        when: Changed,
        demand: "The schedule of dumps has five fields, each a number or `*`, perhaps with a step.",
        reason: "The schema knows no names, lists or ranges, so that a schedule means the same to every operator.",
        accepts: Example::of(r#"spec: {logicalBackupSchedule: "*/30 1 * * *", enableLogicalBackup: true}"#).under(&[("logical_backup_s3_bucket", "dumps")]),
        rejects: Example::of(r#"spec: {logicalBackupSchedule: "0 1 * * MON-FRI"}"#),
        since: "0.1",
        check: Check::Object(backup::schedule_is_plain),
    },
    Rule {
        id: "PGV-066",
        paths: &["spec.enableLogicalBackup", "spec.logicalBackupSchedule", "spec.logicalBackupRetention"],
        severity: Warn,
        fixed: false,
        when: Changed,
        demand: "Dumps that are asked for have a place to go to, and settings of dumps stand beside their switch.",
        reason: "Without a bucket every job fails; only dumps in S3 are ever deleted.",
        accepts: Example::of(r#"spec: {enableLogicalBackup: true, logicalBackupRetention: "2 weeks"}"#).under(&[("logical_backup_s3_bucket", "dumps")]),
        rejects: Example::of("spec: {enableLogicalBackup: true}"),
        since: "0.1",
        check: Check::Object(backup::dumps_go_somewhere),
    },
];
