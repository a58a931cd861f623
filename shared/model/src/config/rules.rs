//! Rules about the operator's configuration: one row each.  // table
//!
//! Lives here: the rows, with their examples, and what they find in a configuration that could be read. Not here: reading it (`source`), or
//! what comes of a broken rule when somebody stores one (`validate`).

use super::outcome::FindingKind;
use super::{ConfigError, Finding, Form, OperatorConfig};
use crate::finding::Severity::{self, Deny, Warn};

mod limits;
mod names;
mod switches;

pub use limits::ROTATION_DAYS;

/// One rule about the operator's configuration. Its id is never used again for another one.
#[derive(Clone, Copy, Debug)]
pub struct ConfigRule {
    /// `PGC-` and three digits.
    pub id: &'static str,
    /// Parameters that it looks at; none for all.
    pub parameters: &'static [&'static str],
    /// What happens when it is broken.
    pub severity: Severity,
    /// The operator does not start with it, and keeps the configuration it has. Zalando's does not start either.
    pub is_fatal: bool,
    /// What it demands, one sentence.
    pub demand: &'static str,
    /// Why, and what to do instead.
    pub reason: &'static str,
    /// The `data` of a ConfigMap that keeps it, as YAML.
    pub accepts: &'static str,
    /// The `data` of a ConfigMap that breaks it.
    pub rejects: &'static str,
    /// First release with it.
    pub since: &'static str,
    check: Check,
}

#[derive(Clone, Copy)]
enum Check {
    /// By the parser, as an error or as a finding of some kind.
    Reading,
    /// By itself.
    Together(fn(&OperatorConfig) -> Vec<Fault>),
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Check")
    }
}

/// Something that a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    /// The parameter to change first.
    parameter: &'static str,
    /// Others that are involved.
    others: &'static [&'static str],
    /// What is wrong.
    problem: String,
}

impl Fault {
    fn new(parameter: &'static str, problem: impl Into<String>) -> Self {
        Self {
            parameter,
            others: &[],
            problem: problem.into(),
        }
    }

    fn with(mut self, others: &'static [&'static str]) -> Self {
        self.others = others;
        self
    }
}

/// Something odd about a configuration, with the rule that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The rule.
    pub rule: &'static str,
    /// What was found.
    pub finding: Finding,
}

/// A value cannot be read, or is outside of what is allowed.
pub const VALUE: &str = "PGC-001";
/// Values do not go together.
pub const CONFLICT: &str = "PGC-002";
/// The object is not made like a configuration.
pub const SHAPE: &str = "PGC-003";

impl FindingKind {
    /// The rule that a finding of the parser is about.
    pub(super) const fn rule(self) -> &'static str {
        match self {
            Self::Unknown => "PGC-004",
            Self::Retired => "PGC-005",
            Self::Deprecated => "PGC-006",
            Self::Ignored => "PGC-007",
            Self::Adjusted => "PGC-008",
            Self::Remark => "PGC-009",
        }
    }
}

/// What keeps the operator from starting.
pub(super) fn errors(config: &OperatorConfig, form: Form) -> Vec<ConfigError> {
    let place = |name: &str| super::check::place(name, form);
    let error = |(_, fault): (&ConfigRule, Fault)| ConfigError::Conflict {
        path: place(fault.parameter),
        others: fault.others.iter().map(|name| place(name)).collect(),
        problem: fault.problem,
    };
    found(config)
        .filter(|(rule, _)| rule.is_fatal)
        .map(error)
        .collect()
}

/// Everything else.
pub(super) fn remarks(config: &OperatorConfig, form: Form) -> Vec<Remark> {
    let remark = |(rule, fault): (&ConfigRule, Fault)| {
        let path = super::check::place(fault.parameter, form);
        let others: Vec<_> = fault
            .others
            .iter()
            .map(|name| super::check::place(name, form))
            .collect();
        let message = if others.is_empty() {
            fault.problem
        } else {
            format!("{}; see also {}", fault.problem, others.join(", "))
        };
        Remark {
            rule: rule.id,
            finding: Finding::new(FindingKind::Remark.reason(), path, message),
        }
    };
    found(config)
        .filter(|(rule, _)| !rule.is_fatal)
        .map(remark)
        .collect()
}

fn found(config: &OperatorConfig) -> impl Iterator<Item = (&'static ConfigRule, Fault)> {
    RULES.iter().flat_map(|rule| {
        let faults = match rule.check {
            Check::Reading => Vec::new(),
            Check::Together(check) => check(config),
        };
        faults.into_iter().map(move |fault| (rule, fault))
    })
}

/// All of them, in the order of their ids. One more is in `validate`, where the ids of the other rules are known.
#[rustfmt::skip]
pub const RULES: &[ConfigRule] = &[
    ConfigRule {
        id: VALUE,
        parameters: &[],
        severity: Deny,
        is_fatal: true,
        demand: "Every parameter has a value that it can take.",
        reason: "The message says what is allowed; the page of the operator's configuration lists all parameters.",
        accepts: "workers: '4'",
        rejects: "workers: many",
        since: "0.1",
        check: Check::Reading,
    },
    ConfigRule {
        id: CONFLICT,
        parameters: &["min_instances", "max_instances", "connection_pooler_user", "super_username"],
        severity: Deny,
        is_fatal: true,
        demand: "`min_instances` is not above `max_instances`, and the pooler's role is not the superuser.",
        reason: "Zalando's operator does not start with it either.",
        accepts: "{min_instances: '2', max_instances: '2'}",
        rejects: "{min_instances: '3', max_instances: '2'}",
        since: "0.1",
        check: Check::Together(limits::fatal),
    },
    ConfigRule {
        id: SHAPE,
        parameters: &[],
        severity: Deny,
        is_fatal: true,
        demand: "A configuration has the shape of its kind.",
        reason: "An OperatorConfiguration holds groups under `configuration`; a ConfigMap holds texts under `data`, numbers and switches in quotes.",
        accepts: "workers: '4'",
        rejects: "workers: 4",
        since: "0.1",
        check: Check::Reading,
    },
    ConfigRule {
        id: "PGC-004",
        parameters: &[],
        severity: Warn,
        is_fatal: false,
        demand: "Every key is a parameter.",
        reason: "Others are ignored: most are mistyped. The message names the nearest parameter.",
        accepts: "workers: '4'",
        rejects: "wrkers: '4'",
        since: "0.1",
        check: Check::Reading,
    },
    ConfigRule {
        id: "PGC-005",
        parameters: &[],
        severity: Warn,
        is_fatal: false,
        demand: "Parameters of earlier versions are gone.",
        reason: "They are ignored; the message says what took their place.",
        accepts: "watched_namespace: '*'",
        rejects: "namespace: '*'",
        since: "0.1",
        check: Check::Reading,
    },
    ConfigRule {
        id: "PGC-006",
        parameters: &[],
        severity: Warn,
        is_fatal: false,
        demand: "No deprecated parameter is used.",
        reason: "It still works; the message says what to use instead.",
        accepts: "workers: '4'",
        rejects: "sidecar_docker_images: 'exporter:quay.io/exporter'",
        since: "0.1",
        check: Check::Reading,
    },
    ConfigRule {
        id: "PGC-007",
        parameters: &[],
        severity: Warn,
        is_fatal: false,
        demand: "Every value has an effect.",
        reason: "What a ConfigMap cannot express can only be given in an OperatorConfiguration.",
        accepts: "sidecars: ''",
        rejects: "sidecars: '[{name: exporter}]'",
        since: "0.1",
        check: Check::Reading,
    },
    ConfigRule {
        id: "PGC-008",
        parameters: &[],
        severity: Warn,
        is_fatal: false,
        demand: "The value that counts is the one that is written.",
        reason: "An empty text cannot replace a default, for example; the message says what counts.",
        accepts: "docker_image: registry.example.org/spilo:17",
        rejects: "docker_image: ''",
        since: "0.1",
        check: Check::Reading,
    },
    ConfigRule {
        id: "PGC-009",
        parameters: &[],
        severity: Warn,
        is_fatal: false,
        demand: "Values are taken as they are meant.",
        reason: "Items of lists keep the blanks around them, for example.",
        accepts: "inherited_labels: 'environment,owner'",
        rejects: "inherited_labels: 'environment, owner'",
        since: "0.1",
        check: Check::Reading,
    },
    ConfigRule {
        id: "PGC-010",
        parameters: &["minimal_major_version", "target_major_version"],
        severity: Warn,
        is_fatal: false,
        demand: "`minimal_major_version` is not above `target_major_version`.",
        reason: "Clusters would be lifted to a version that is below the lowest wanted one.",
        accepts: "{minimal_major_version: '16', target_major_version: '17'}",
        rejects: "{minimal_major_version: '17', target_major_version: '16'}",
        since: "0.1",
        check: Check::Together(limits::versions),
    },
    ConfigRule {
        id: "PGC-011",
        parameters: &["password_rotation_user_retention", "password_rotation_interval"],
        severity: Warn,
        is_fatal: false,
        demand: "A role that rotation replaced is kept for two intervals at least.",
        reason: "Twice the interval counts otherwise: whoever still logs in with it must not be locked out.",
        accepts: "{enable_password_rotation: 'true', password_rotation_interval: '30', password_rotation_user_retention: '60'}",
        rejects: "{enable_password_rotation: 'true', password_rotation_interval: '30', password_rotation_user_retention: '31'}",
        since: "0.1",
        check: Check::Together(limits::rotation),
    },
    ConfigRule {
        id: "PGC-012",
        parameters: &["wal_s3_bucket", "wal_gs_bucket", "wal_az_storage_account"],
        severity: Warn,
        is_fatal: false,
        demand: "WAL has one destination.",
        reason: "The image takes one of them, and it is not said which.",
        accepts: "wal_s3_bucket: wal",
        rejects: "{wal_s3_bucket: wal, wal_gs_bucket: wal}",
        since: "0.1",
        check: Check::Together(switches::archives),
    },
    ConfigRule {
        id: "PGC-013",
        parameters: &["storage_resize_mode", "aws_region"],
        severity: Warn,
        is_fatal: false,
        demand: "The modes `ebs` and `mixed` know the region.",
        reason: "Volumes cannot be resized through AWS without.",
        accepts: "{storage_resize_mode: mixed, aws_region: eu-central-1}",
        rejects: "{storage_resize_mode: mixed, aws_region: ''}",
        since: "0.1",
        check: Check::Together(switches::region),
    },
    ConfigRule {
        id: "PGC-014",
        parameters: &["resource_check_interval", "ready_wait_interval", "patroni_api_check_interval"],
        severity: Warn,
        is_fatal: false,
        demand: "What is tried again is tried within its timeout.",
        reason: "With an interval above the timeout nothing is tried twice.",
        accepts: "{ready_wait_interval: 3s, ready_wait_timeout: 30s}",
        rejects: "{ready_wait_interval: 60s, ready_wait_timeout: 30s}",
        since: "0.1",
        check: Check::Together(limits::waits),
    },
    ConfigRule {
        id: "PGC-015",
        parameters: &["toleration"],
        severity: Warn,
        is_fatal: false,
        demand: "A toleration has the keys `key`, `operator`, `value`, `effect`, with words that Kubernetes knows.",
        reason: "Other keys are ignored; with other words no pod can be made.",
        accepts: "toleration: 'key:dedicated,operator:Exists,effect:NoSchedule'",
        rejects: "toleration: 'key:dedicated,operator:Is,effect:NoSchedule'",
        since: "0.1",
        check: Check::Together(switches::toleration),
    },
    ConfigRule {
        id: "PGC-017",
        parameters: &["docker_image", "connection_pooler_image", "logical_backup_docker_image", "sidecar_docker_images", "sidecars"],
        severity: Deny,
        is_fatal: false,
        demand: "Images are references that a container runtime can read.",
        reason: "Otherwise every pod that rolls stays down with InvalidImageName.",
        accepts: "docker_image: registry.example.org:5000/db/spilo:17@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        rejects: "docker_image: 'ghcr.io/zalando/Spilo 17'",
        since: "0.1",
        check: Check::Together(names::images),
    },
    ConfigRule {
        id: "PGC-018",
        parameters: &["cluster_labels", "cluster_name_label", "pod_role_label", "node_readiness_label", "custom_pod_annotations", "custom_service_annotations"],
        severity: Deny,
        is_fatal: false,
        demand: "Labels and annotations that are put on objects have keys and values that Kubernetes takes, and labels of different meaning have different keys.",
        reason: "Otherwise no object can be made at all.",
        accepts: "cluster_labels: 'application:spilo,example.org/tier:database'",
        rejects: "cluster_labels: 'application:the database'",
        since: "0.1",
        check: Check::Together(names::labels),
    },
    ConfigRule {
        id: "PGC-019",
        parameters: &["inherited_labels", "inherited_annotations", "ignored_annotations", "delete_annotation_date_key", "delete_annotation_name_key", "ignore_instance_limits_annotation_key", "ignore_resources_limits_annotation_key"],
        severity: Warn,
        is_fatal: false,
        demand: "Keys that are looked for on objects are keys that objects can have.",
        reason: "Others are never found.",
        accepts: "inherited_annotations: 'example.org/owner,note'",
        rejects: "inherited_annotations: 'example.org/owner/note'",
        since: "0.1",
        check: Check::Together(names::wanted_keys),
    },
    ConfigRule {
        id: "PGC-020",
        parameters: &["master_dns_name_format", "master_legacy_dns_name_format", "replica_dns_name_format", "replica_legacy_dns_name_format", "db_hosted_zone", "cluster_domain"],
        severity: Deny,
        is_fatal: false,
        demand: "DNS names are made of labels of at most 63 lower-case letters, digits and dashes.",
        reason: "Otherwise no name server takes them, and nobody finds the cluster.",
        accepts: "master_dns_name_format: '{cluster}.{namespace}.{hostedzone}'",
        rejects: "master_dns_name_format: '{cluster}_{namespace}.{hostedzone}'",
        since: "0.1",
        check: Check::Together(names::dns),
    },
    ConfigRule {
        id: "PGC-021",
        parameters: &["secret_name_template", "pdb_name_format", "logical_backup_job_prefix", "pod_service_account_name"],
        severity: Deny,
        is_fatal: false,
        demand: "Templates of object names make names that objects can have.",
        reason: "Otherwise the object cannot be made, for any cluster.",
        accepts: "secret_name_template: '{username}.{cluster}.credentials'",
        rejects: "secret_name_template: '{username}_{cluster}'",
        since: "0.1",
        check: Check::Together(names::objects),
    },
    ConfigRule {
        id: "PGC-022",
        parameters: &["pod_service_account_definition", "pod_service_account_role_binding_definition"],
        severity: Deny,
        is_fatal: false,
        demand: "The definitions of service account and role binding have the fields of their kind, and the binding names a role.",
        reason: "Otherwise no namespace gets them, and no cluster starts.",
        accepts: "pod_service_account_role_binding_definition: '{kind: RoleBinding, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: pod}}'",
        rejects: "pod_service_account_role_binding_definition: '{kind: RoleBinding}'",
        since: "0.1",
        check: Check::Together(names::definitions),
    },
    ConfigRule {
        id: "PGC-023",
        parameters: &["enable_cross_namespace_secret", "watched_namespace"],
        severity: Warn,
        is_fatal: false,
        demand: "Secrets in other namespaces are for operators of all namespaces.",
        reason: "An operator of one namespace mostly has no rights in others, and a secret that cannot be made stops the whole cluster.",
        accepts: "{enable_cross_namespace_secret: 'true', watched_namespace: '*'}",
        rejects: "{enable_cross_namespace_secret: 'true', watched_namespace: shop}",
        since: "0.1",
        check: Check::Together(switches::foreign_secrets),
    },
    ConfigRule {
        id: "PGC-024",
        parameters: &["default_cpu_request", "default_cpu_limit", "default_memory_request", "default_memory_limit", "min_cpu_limit", "max_cpu_request"],
        severity: Warn,
        is_fatal: false,
        demand: "Default requests are not above default limits, and defaults are within the operator's own limits.",
        reason: "They are cut or raised for every cluster, with an event each time.",
        accepts: "{default_cpu_request: 100m, default_cpu_limit: '1', min_cpu_limit: 250m}",
        rejects: "{default_cpu_request: '2', default_cpu_limit: '1'}",
        since: "0.1",
        check: Check::Together(limits::resources),
    },
    ConfigRule {
        id: "PGC-025",
        parameters: &["connection_pooler_max_db_connections", "connection_pooler_number_of_instances"],
        severity: Warn,
        is_fatal: false,
        demand: "Each pod of a pooler gets a server connection at least.",
        reason: "The connections are shared out among the pods: none is left for some.",
        accepts: "{connection_pooler_max_db_connections: '60', connection_pooler_number_of_instances: '2'}",
        rejects: "{connection_pooler_max_db_connections: '1', connection_pooler_number_of_instances: '2'}",
        since: "0.1",
        check: Check::Together(limits::pooler),
    },
    ConfigRule {
        id: "PGC-026",
        parameters: &["max_instances"],
        severity: Warn,
        is_fatal: false,
        demand: "`max_instances` is not 0.",
        reason: "It takes the pods of every cluster away; no limit is written as -1.",
        accepts: "max_instances: '-1'",
        rejects: "max_instances: '0'",
        since: "0.1",
        check: Check::Together(limits::no_instances),
    },
    ConfigRule {
        id: "PGC-027",
        parameters: &["super_username", "replication_username", "connection_pooler_user", "protected_role_names"],
        severity: Deny,
        is_fatal: false,
        demand: "Superuser, replication role and the pooler's role are three names that Postgres takes, and the pooler's is not protected.",
        reason: "One role cannot serve two ends: the secrets of both would fight for its password.",
        accepts: "{super_username: postgres, replication_username: standby}",
        rejects: "{super_username: postgres, replication_username: postgres}",
        since: "0.1",
        check: Check::Together(names::roles),
    },
    ConfigRule {
        id: "PGC-028",
        parameters: &["spilo_privileged", "spilo_allow_privilege_escalation"],
        severity: Deny,
        is_fatal: false,
        demand: "Privileged containers may escalate privileges.",
        reason: "Kubernetes refuses every StatefulSet otherwise.",
        accepts: "{spilo_privileged: 'true', spilo_allow_privilege_escalation: 'true'}",
        rejects: "{spilo_privileged: 'true', spilo_allow_privilege_escalation: 'false'}",
        since: "0.1",
        check: Check::Together(switches::privileges),
    },
    ConfigRule {
        id: "PGC-029",
        parameters: &["enable_owner_references", "delete_annotation_date_key", "delete_annotation_name_key"],
        severity: Warn,
        is_fatal: false,
        demand: "The annotations that protect from deletion are not combined with owner references.",
        reason: "With owner references Kubernetes itself deletes a cluster's objects, and nobody asks for the annotations.",
        accepts: "{enable_owner_references: 'false', delete_annotation_name_key: delete-name}",
        rejects: "{enable_owner_references: 'true', delete_annotation_name_key: delete-name}",
        since: "0.1",
        check: Check::Together(switches::gate),
    },
    ConfigRule {
        id: "PGC-030",
        parameters: &["enable_teams_api", "teams_api_url"],
        severity: Warn,
        is_fatal: false,
        demand: "The address of the teams API is one of HTTP.",
        reason: "Otherwise no members are found, and no role can be made for them.",
        accepts: "{enable_teams_api: 'true', teams_api_url: 'https://teams.example.org/api/'}",
        rejects: "{enable_teams_api: 'true', teams_api_url: 'teams.example.org'}",
        since: "0.1",
        check: Check::Together(switches::teams),
    },
    ConfigRule {
        id: "PGC-031",
        parameters: &["logical_backup_provider", "logical_backup_azure_storage_account_name", "logical_backup_azure_storage_container"],
        severity: Warn,
        is_fatal: false,
        demand: "Dumps to Azure know account and container.",
        reason: "The job fails otherwise, for every cluster with dumps.",
        accepts: "{logical_backup_provider: az, logical_backup_azure_storage_account_name: acme, logical_backup_azure_storage_container: dumps}",
        rejects: "logical_backup_provider: az",
        since: "0.1",
        check: Check::Together(switches::dumps),
    },
    ConfigRule {
        id: "PGC-032",
        parameters: &["additional_secret_mount", "additional_secret_mount_path"],
        severity: Warn,
        is_fatal: false,
        demand: "A secret to mount has a path, and a path has a secret.",
        reason: "A path alone mounts nothing, and a secret without a path makes pods that Kubernetes refuses.",
        accepts: "{additional_secret_mount: keys, additional_secret_mount_path: /keys}",
        rejects: "additional_secret_mount: keys",
        since: "0.1",
        check: Check::Together(switches::secret_mount),
    },
    ConfigRule {
        id: "PGC-033",
        parameters: &["master_dns_name_format", "master_legacy_dns_name_format", "replica_dns_name_format", "replica_legacy_dns_name_format"],
        severity: Warn,
        is_fatal: false,
        demand: "Formats of DNS names have room for the longest name of a cluster, 58 characters.",
        reason: "A part of a DNS name has 63 characters at most: clusters with long names would get none.",
        accepts: "replica_dns_name_format: '{cluster}-repl.{namespace}.{hostedzone}'",
        rejects: "replica_dns_name_format: '{cluster}-replicas.{namespace}.{hostedzone}'",
        since: "0.1",
        check: Check::Together(names::long_dns),
    },
    ConfigRule {
        id: "PGC-034",
        parameters: &["password_rotation_interval", "password_rotation_user_retention"],
        severity: Warn,
        is_fatal: false,
        demand: "Times of rotation are between a day and a century.",
        reason: "Names of rotated roles tell days, so that nothing can rotate more often; what is beyond counts as the nearest that is not.",
        accepts: "{password_rotation_interval: '1', password_rotation_user_retention: '36500'}",
        rejects: "password_rotation_interval: '0'",
        since: "0.1",
        check: Check::Together(limits::rotation_days),
    },
];
