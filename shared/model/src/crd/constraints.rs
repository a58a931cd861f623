// table
//! What values of the fields may be, as the API server checks it: one row per constraint.
//!
//! Lives here: what Zalando's schema demands, constants, and of the catalogue's rules those that hold also when the webhook is away. A rule is
//! one of these only when nobody's cluster can break it and run: Kubernetes or Zalando's operator fails on it, or the data is lost. Must not:
//! what a setting of the operator may allow (a volume that shrinks, a version that falls: severities can be overridden, and a schema knows no
//! settings); what is inert where it stands (a node port without its switch); what costs Zalando's operator something and leaves the pods
//! running (a user's name that it cannot take); what goes beyond CEL's budget (a window's two times: lists and texts have no limit).
//!
//! What is stored already is spared: the API server (Kubernetes 1.30 and later) does not look at a value that did not change. A rule about
//! the whole object or the whole spec sees a change with every edit, so it spares by itself: `oldSelf` is optional in it.

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
    /// Not fewer characters.
    Longer(u32),
    /// An explicit null is kept and means empty. Elsewhere the API server drops a null.
    Nullable,
    /// Filled in by the API server. Only where absence means exactly this, for Zalando's operator too.
    Default(DefaultValue),
    /// A rule in CEL.
    Rule(Rule),
    /// Anything goes below.
    Anything,
    /// A type of Kubernetes' own: its required fields stand, its descriptions go, or the CRD would not fit into an annotation.
    Embedded,
}

/// A rule in CEL, and what it says when it is broken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rule {
    pub(super) rule: &'static str,
    pub(super) message: &'static str,
    /// The field below that is named as broken.
    pub(super) field: Option<&'static str>,
    /// `oldSelf` is optional: the rule is looked at for new objects too.
    pub(super) spares: bool,
}

impl Rule {
    const fn of(rule: &'static str, message: &'static str) -> Self {
        Self {
            rule,
            message,
            field: None,
            spares: false,
        }
    }

    const fn at(self, field: &'static str) -> Self {
        Self {
            field: Some(field),
            ..self
        }
    }

    const fn sparing(self) -> Self {
        Self { spares: true, ..self }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum DefaultValue {
    Switch(bool),
    Text(&'static str),
}

use Constraint::{
    Anything, AtLeast, AtMost, Default, Embedded, Format, Longer, Nullable, OneOf, Pattern, Required,
};

const POSTGRESQL: &[(&str, Constraint)] = &[
    ("", Required(&["spec"])),
    ("", Constraint::Rule(NAME)),
    (
        "spec",
        Required(&["numberOfInstances", "postgresql", "teamId", "volume"]),
    ),
    ("spec", Constraint::Rule(ONE_ORIGIN)),
    ("spec.numberOfInstances", AtLeast(0)),
    ("spec.nodeAffinity", Embedded),
    ("spec.topologySpreadConstraints", Embedded),
    ("spec.tolerations", Embedded),
    ("spec.livenessProbe", Embedded),
    ("spec.env", Embedded),
    ("spec.env", Nullable),
    ("spec.env.[].name", Longer(1)),
    ("spec.envFrom", Embedded),
    ("spec.sidecars", Embedded),
    ("spec.sidecars", Nullable),
    // Without a name it is called sidecar-<index>.
    ("spec.sidecars.[]", Required(&["image"])),
    ("spec.sidecars.[].image", Longer(1)),
    ("spec.sidecars.[]", Constraint::Rule(NOT_POSTGRES)),
    ("spec.initContainers", Embedded),
    ("spec.initContainers", Nullable),
    ("spec.initContainers.[]", Required(&["image", "name"])),
    ("spec.initContainers.[].image", Longer(1)),
    ("spec.initContainers.[]", Constraint::Rule(NOT_POSTGRES)),
    ("spec.init_containers", Embedded),
    ("spec.init_containers", Nullable),
    ("spec.allowedSourceRanges", Nullable),
    ("spec.allowedSourceRanges.[]", Pattern(cidr::PATTERN)),
    ("spec.users.*", Nullable),
    ("spec.users.*.[]", OneOf(FLAGS)),
    ("spec.usersWithSecretRotation", Nullable),
    ("spec.usersWithInPlaceSecretRotation", Nullable),
    ("spec.usersIgnoringSecretRotation", Nullable),
    ("spec.userOptions.*.connectionLimit", AtLeast(-1)),
    ("spec.userOptions.*.passwordFrom", Required(&["name"])),
    ("spec.userOptions.*.passwordFrom.name", Longer(1)),
    ("spec.userOptions.*.passwordFrom.key", Longer(1)),
    ("spec.databaseOptions.*.connectionLimit", AtLeast(-1)),
    (
        "spec.databaseOptions.*.localeProvider",
        OneOf(&["libc", "icu", "builtin"]),
    ),
    ("spec.removalPolicy.users", OneOf(&["keep", "revoke", "drop"])),
    ("spec.removalPolicy.memberships", OneOf(&["keep", "revoke"])),
    ("spec.removalPolicy.flags", OneOf(&["keep", "revoke"])),
    ("spec.removalPolicy.databases", OneOf(&["keep", "drop"])),
    ("spec.removalPolicy", Constraint::Rule(HEIR)),
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
    ("spec.volume", Constraint::Rule(SUB_PATH_STAYS)),
    ("spec.volume.size", Pattern(quantity::MEMORY_PATTERN)),
    ("spec.volume.size", Constraint::Rule(SIZE)),
    ("spec.volume.selector", Embedded),
    ("spec.volume.iops", AtMost(80_000)),
    ("spec.volume.throughput", AtMost(2_000)),
    (
        "spec.additionalVolumes.[]",
        Required(&["mountPath", "name", "volumeSource"]),
    ),
    ("spec.additionalVolumes.[].mountPath", Longer(1)),
    ("spec.additionalVolumes.[].targetContainers", Nullable),
    ("spec.additionalVolumes.[].volumeSource", Anything),
    ("spec.clone", Required(&["cluster"])),
    ("spec.clone.uid", Format("uuid")),
    ("spec.clone.timestamp", Pattern(TIMESTAMP_PATTERN)),
    ("spec.standby", Constraint::Rule(STANDBY_SOURCE)),
    ("spec.standby", Constraint::Rule(STANDBY_ONE_ARCHIVE)),
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

/// PGV-002. Names of services end in `-repl`, and Kubernetes wants a letter first.
const NAME: Rule = Rule::of(
    "oldSelf.hasValue() || self.metadata.name.matches('^[a-z]([-a-z0-9]{0,56}[a-z0-9])?$')",
    "metadata.name must be at most 58 lower-case letters, digits and dashes, a letter first and no dash at the end",
)
.sparing();

/// PGV-036. A clone without a source is no clone.
const ONE_ORIGIN: Rule = Rule::of(
    "!(has(self.clone) && has(self.clone.cluster) && self.clone.cluster != '' && has(self.standby)) || \
     (oldSelf.hasValue() && has(oldSelf.value().clone) && has(oldSelf.value().standby))",
    "stands beside standby: a cluster is a copy or a follower, not both; remove one of the two",
)
.at(".clone")
.sparing();

/// PGV-136. What dropped users own must go somewhere.
const HEIR: Rule = Rule::of(
    "!has(self.users) || self.users != 'drop' || (has(self.reassignOwnedTo) && self.reassignOwnedTo != '')",
    "users: drop needs reassignOwnedTo: the role that gets what they own",
);

/// PGV-012. The pattern, which is Zalando's, lets through what Kubernetes cannot read (`1K`, `1e3Gi`), and nothing at all (`0`).
const SIZE: Rule = Rule::of(
    "isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
    "must be a quantity above 0 as in 10Gi; the suffixes are k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei",
);

/// PGV-019.
const BYTES: Rule = Rule::of(
    "isQuantity(self)",
    "must be a quantity as in 500Mi; the suffixes are k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei",
);

/// PGV-032.
const NOT_POSTGRES: Rule = Rule::of(
    "!has(self.name) || self.name != 'postgres'",
    "the name postgres is that of the database's own container; choose another one",
);

/// PGV-039, as in Zalando's schema.
const STANDBY_SOURCE: Rule = Rule::of(
    "has(self.s3_wal_path) || has(self.gs_wal_path) || has(self.standby_host)",
    "set one of s3_wal_path, gs_wal_path and standby_host",
);

/// PGV-040, as in Zalando's schema.
const STANDBY_ONE_ARCHIVE: Rule = Rule::of(
    "!(has(self.s3_wal_path) && has(self.gs_wal_path))",
    "s3_wal_path and gs_wal_path exclude each other",
);

/// PGV-015. An empty path is none, and then it does not matter how it would be read.
const SUB_PATH_STAYS: Rule = Rule::of(
    "(has(self.subPath) ? self.subPath : '') == (has(oldSelf.subPath) ? oldSelf.subPath : '') && \
     (!has(self.subPath) || self.subPath == '' || \
     (has(self.isSubPathExpr) && self.isSubPathExpr) == (has(oldSelf.isSubPathExpr) && oldSelf.isSubPathExpr))",
    "cannot be changed: the data lies there",
)
.at(".subPath");

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
                let path = format!("{place}.{side}.{amount}");
                if *pattern == quantity::MEMORY_PATTERN {
                    rows.push((path.clone(), Constraint::Rule(BYTES)));
                }
                rows.push((path, Pattern(pattern)));
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
