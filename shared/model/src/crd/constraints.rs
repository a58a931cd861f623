// table
//! What values of the fields may be, as the API server checks it: one row per constraint.
//!
//! Lives here: what Zalando's schema demands, so that whatever it accepts is accepted, and constants. Must not: rules that need another object,
//! the operator's configuration or a list of old sins; those are the webhook's, which can warn and can spare what is stored already.

use crate::units::{TIMESTAMP_PATTERN, cidr, cron, quantity, window};

/// A constraint and where it applies: fields from the root, `*` for the values of a map, `[]` for the items of a list.
pub(super) type Row = (String, Constraint);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Constraint {
    /// These fields of the object must be present.
    Required(&'static [&'static str]),
    Pattern(&'static str),
    Format(&'static str),
    OneOf(&'static [&'static str]),
    AtLeast(i64),
    AtMost(i64),
    /// An explicit null is kept and means empty. Elsewhere the API server drops a null.
    Nullable,
    /// Filled in by the API server. Only where absence means exactly this, for Zalando's operator too.
    Default(DefaultValue),
    /// A CEL rule and what it says when it is broken.
    Rule(&'static str, &'static str),
    /// Anything goes below.
    Anything,
    /// A type of Kubernetes' own: its required fields stand, its descriptions go, or the CRD would not fit into an annotation.
    Embedded,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum DefaultValue {
    Switch(bool),
    Text(&'static str),
}

use Constraint::{
    Anything, AtLeast, AtMost, Default, Embedded, Format, Nullable, OneOf, Pattern, Required, Rule,
};

const POSTGRESQL: &[(&str, Constraint)] = &[
    ("", Required(&["spec"])),
    (
        "spec",
        Required(&["numberOfInstances", "postgresql", "teamId", "volume"]),
    ),
    ("spec.numberOfInstances", AtLeast(0)),
    ("spec.nodeAffinity", Embedded),
    ("spec.topologySpreadConstraints", Embedded),
    ("spec.tolerations", Embedded),
    ("spec.livenessProbe", Embedded),
    ("spec.env", Embedded),
    ("spec.env", Nullable),
    ("spec.envFrom", Embedded),
    ("spec.sidecars", Embedded),
    ("spec.sidecars", Nullable),
    // Without a name it is called sidecar-<index>.
    ("spec.sidecars.[]", Required(&[])),
    ("spec.initContainers", Embedded),
    ("spec.initContainers", Nullable),
    ("spec.init_containers", Embedded),
    ("spec.init_containers", Nullable),
    ("spec.allowedSourceRanges", Nullable),
    ("spec.allowedSourceRanges.[]", Pattern(cidr::PATTERN)),
    ("spec.users.*", Nullable),
    ("spec.users.*.[]", OneOf(FLAGS)),
    ("spec.usersWithSecretRotation", Nullable),
    ("spec.usersWithInPlaceSecretRotation", Nullable),
    ("spec.usersIgnoringSecretRotation", Nullable),
    (
        "spec.preparedDatabases.*.defaultUsers",
        Default(DefaultValue::Switch(false)),
    ),
    (
        "spec.preparedDatabases.*.schemas.*.defaultRoles",
        Default(DefaultValue::Switch(true)),
    ),
    (
        "spec.preparedDatabases.*.schemas.*.defaultUsers",
        Default(DefaultValue::Switch(false)),
    ),
    ("spec.postgresql", Required(&["version"])),
    ("spec.postgresql.version", OneOf(&["14", "15", "16", "17", "18"])),
    ("spec.patroni.ttl", AtLeast(0)),
    ("spec.patroni.loop_wait", AtLeast(0)),
    ("spec.patroni.retry_timeout", AtLeast(0)),
    ("spec.patroni.synchronous_node_count", AtLeast(0)),
    ("spec.volume", Required(&["size"])),
    (
        "spec.volume",
        Rule(SUB_PATH_STAYS, "subPath cannot be changed: the data lies there"),
    ),
    ("spec.volume.size", Pattern(quantity::MEMORY_PATTERN)),
    ("spec.volume.selector", Embedded),
    ("spec.volume.iops", AtMost(80_000)),
    ("spec.volume.throughput", AtMost(2_000)),
    (
        "spec.additionalVolumes.[]",
        Required(&["mountPath", "name", "volumeSource"]),
    ),
    ("spec.additionalVolumes.[].targetContainers", Nullable),
    ("spec.additionalVolumes.[].volumeSource", Anything),
    ("spec.clone", Required(&["cluster"])),
    ("spec.clone.uid", Format("uuid")),
    ("spec.clone.timestamp", Pattern(TIMESTAMP_PATTERN)),
    (
        "spec.standby",
        Rule(
            STANDBY_SOURCE,
            "set one of s3_wal_path, gs_wal_path and standby_host",
        ),
    ),
    (
        "spec.standby",
        Rule(
            STANDBY_ONE_ARCHIVE,
            "s3_wal_path and gs_wal_path exclude each other",
        ),
    ),
    ("spec.tls", Required(&["secretName"])),
    ("spec.tls.certificateFile", Default(DefaultValue::Text("tls.crt"))),
    ("spec.tls.privateKeyFile", Default(DefaultValue::Text("tls.key"))),
    ("spec.logicalBackupSchedule", Pattern(cron::PATTERN)),
    ("spec.connectionPooler.numberOfInstances", AtLeast(1)),
    ("spec.connectionPooler.mode", OneOf(&["session", "transaction"])),
    (
        "spec.streams.[]",
        Required(&["applicationId", "database", "tables"]),
    ),
    ("spec.streams.[].tables.*", Required(&["eventType"])),
    ("spec.streams.[].batchSize", AtLeast(0)),
    ("spec.streams.[].cpu", Pattern(quantity::CPU_PATTERN)),
    ("spec.streams.[].memory", Pattern(quantity::MEMORY_PATTERN)),
    ("spec.maintenanceWindows.[]", Pattern(window::PATTERN)),
    ("status", Required(&["PostgresClusterStatus"])),
    ("status.conditions", Embedded),
    ("status.members.[]", Required(&["name"])),
    ("status.holds.[]", Required(&["reason", "step"])),
    ("status.effective.other", Anything),
    ("status.lastGoodSpec", Anything),
];

const TEAM: &[(&str, Constraint)] = &[
    ("", Required(&["spec"])),
    ("spec.additionalSuperuserTeams.*", Nullable),
    ("spec.additionalTeams.*", Nullable),
    ("spec.additionalMembers.*", Nullable),
];

const STANDBY_SOURCE: &str = "has(self.s3_wal_path) || has(self.gs_wal_path) || has(self.standby_host)";
const STANDBY_ONE_ARCHIVE: &str = "!(has(self.s3_wal_path) && has(self.gs_wal_path))";
const SUB_PATH_STAYS: &str =
    "has(self.subPath) == has(oldSelf.subPath) && (!has(self.subPath) || self.subPath == oldSelf.subPath)";

/// Flags of users, in lower or in upper case; mixed case is refused, as in Zalando's schema.
const FLAGS: &[&str] = &[
    "bypassrls",
    "BYPASSRLS",
    "nobypassrls",
    "NOBYPASSRLS",
    "createdb",
    "CREATEDB",
    "nocreatedb",
    "NOCREATEDB",
    "createrole",
    "CREATEROLE",
    "nocreaterole",
    "NOCREATEROLE",
    "inherit",
    "INHERIT",
    "noinherit",
    "NOINHERIT",
    "login",
    "LOGIN",
    "nologin",
    "NOLOGIN",
    "replication",
    "REPLICATION",
    "noreplication",
    "NOREPLICATION",
    "superuser",
    "SUPERUSER",
    "nosuperuser",
    "NOSUPERUSER",
];

/// Amounts, wherever a `Resources` stands in the spec.
const AMOUNTS: &[(&str, &str)] = &[
    ("cpu", quantity::CPU_PATTERN),
    ("memory", quantity::MEMORY_PATTERN),
    ("hugepages-2Mi", quantity::MEMORY_PATTERN),
    ("hugepages-1Gi", quantity::MEMORY_PATTERN),
];

/// The rows of `postgresql`.
pub(super) fn of_postgresql() -> Vec<Row> {
    let mut rows = owned(POSTGRESQL);
    for place in ["spec.resources", "spec.connectionPooler.resources"] {
        for side in ["requests", "limits"] {
            for (amount, pattern) in AMOUNTS {
                rows.push((format!("{place}.{side}.{amount}"), Pattern(pattern)));
            }
        }
    }
    rows
}

/// The rows of `PostgresTeam`.
pub(super) fn of_team() -> Vec<Row> {
    owned(TEAM)
}

fn owned(rows: &[(&str, Constraint)]) -> Vec<Row> {
    rows.iter()
        .map(|(path, constraint)| ((*path).to_owned(), *constraint))
        .collect()
}
