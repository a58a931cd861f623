//! Ideas for rules that were looked at and are not rules, each with its reason.  // table

/// An idea that is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// A word for it.
    pub key: &'static str,
    /// What it would demand or do.
    pub idea: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Why it is none.
    pub reason: &'static str,
}

const UPSTREAM: &str = "what Zalando's operator accepts and later fails on";
const RIVALS: &str = "what other operators check";

#[rustfmt::skip]
pub(super) const REJECTED: &[Rejected] = &[
    Rejected { key: "clone-source-exists", idea: "The source of a clone runs in the same namespace.", source: UPSTREAM, reason: "It needs a look at other objects. They may be applied later than this one, and an answer that depends on them differs between two tries. The controller says what it waits for." },
    Rejected { key: "namespace-exists", idea: "The namespace of a secret exists, and its owners agreed.", source: UPSTREAM, reason: "The same: it needs a look at other objects. That secrets leave their namespace at all is the operator's decision (PGV-078); whether one could be made is in the status." },
    Rejected { key: "secret-exists", idea: "The secrets of `tls` exist and have the files.", source: RIVALS, reason: "The same: certificates are often made after the cluster, by others." },
    Rejected { key: "class-can-grow", idea: "A volume grows only where its storage class allows it.", source: RIVALS, reason: "The same; classes change, and claims that exist may be of another class than the manifest names. A claim that cannot grow is reported by the controller." },
    Rejected { key: "team-exists", idea: "The team is one that the teams API or a PostgresTeam knows.", source: RIVALS, reason: "A call to another service must not stand between a user and an object; the service being away would refuse every change." },
    Rejected { key: "team-members-as-users", idea: "Users are not called like members of the team, or like the role that all people belong to.", source: RIVALS, reason: "Who is in a team is known to the controller only, and changes. Names that manifests must not take are listed by `protected_role_names` (PGV-024)." },
    Rejected { key: "version-of-the-status", idea: "A new version is compared with the one that runs, as the status tells it.", source: RIVALS, reason: "The status is written later than what it tells, so that one change would get two answers. The stored manifest counts (PGV-010, PGV-011); the controller compares with what runs." },
    Rejected { key: "change-outside-window", idea: "A change that rolls pods outside of a maintenance window is warned about.", source: RIVALS, reason: "What an edit does, and when it will, is told with every edit; a rule has no clock." },
    Rejected { key: "time-in-the-future", idea: "The point in time of a clone is not in the future.", source: RIVALS, reason: "A rule has no clock: the same object gets the same answer today and tomorrow." },
    Rejected { key: "time-zone-reminder", idea: "A manifest with windows is reminded that they are in UTC.", source: RIVALS, reason: "A warning that nothing can be done about is not read, and the next one is not either. The CRD and the refusals say it." },
    Rejected { key: "half-an-hour", idea: "Maintenance windows last at least 30 minutes.", source: RIVALS, reason: "How long is long enough depends on how often the operator looks: PGV-077." },
    Rejected { key: "refuse-deletion", idea: "A cluster without its delete annotations cannot be deleted.", source: UPSTREAM, reason: "Deleting the namespace would hang, and scripts that rely on Zalando's gate would break. PGV-121 warns; the gate is the controller's." },
    Rejected { key: "inject-selector", idea: "A spread constraint without a selector gets the cluster's.", source: UPSTREAM, reason: "What the user wrote is never rewritten: tools that compare it with its source would fight that. PGV-092 says what to write." },
    Rejected { key: "rewrite-times", idea: "`Z` in a timestamp becomes `+00:00`.", source: UPSTREAM, reason: "The same; PGV-038 says what to write." },
    Rejected { key: "numbers-to-texts", idea: "Numbers become texts where texts are needed.", source: UPSTREAM, reason: "The same; and clients that validate strictly refuse such a manifest before it is sent. PGV-001 names the field." },
    Rejected { key: "move-old-fields", idea: "Fields of version 1 are moved to their new names.", source: UPSTREAM, reason: "The same; old names count in memory (PGV-051)." },
    Rejected { key: "store-effective-resources", idea: "Requests and limits are stored as they take effect.", source: UPSTREAM, reason: "A change of the operator's limits would no longer reach the cluster. The status shows them; PGV-020 and PGV-021 tell." },
    Rejected { key: "refuse-low-limits", idea: "A limit below its request is refused.", source: RIVALS, reason: "Zalando's operator raises the limit, and so does this one; a manifest that runs is not refused. PGV-021 warns." },
    Rejected { key: "refuse-another-team", idea: "The team cannot be changed.", source: RIVALS, reason: "Teams are renamed. PGV-005 says what comes of it." },
    Rejected { key: "refuse-late-standby", idea: "A standby section cannot be added to a cluster that exists.", source: RIVALS, reason: "It is how a primary that was lost is brought back as a follower, after its data was removed. PGV-042 warns." },
    Rejected { key: "refuse-reserved-variables", idea: "Variables that the operator sets are refused.", source: RIVALS, reason: "Zalando's operator leaves them out, and so does this one; PGV-034 warns." },
    Rejected { key: "refuse-postgres-database", idea: "`postgres`, `template0` and `template1` cannot be declared.", source: RIVALS, reason: "Zalando's operator takes them and changes their owner; PGV-099 warns." },
    Rejected { key: "refuse-unknown-initdb", idea: "Only known options of initdb are allowed.", source: RIVALS, reason: "A new version of Postgres may know more; PGV-074 warns." },
    Rejected { key: "an-instance-to-start-from", idea: "A clone or a standby has at least one instance.", source: RIVALS, reason: "0 prepares it to be started later." },
    Rejected { key: "small-volumes", idea: "A volume below 1Gi is warned about.", source: RIVALS, reason: "Tests run on less, and who needs more finds out without us." },
    Rejected { key: "ratio-of-gp3", idea: "Throughput and operations of an EBS volume are in the ratio that AWS allows.", source: RIVALS, reason: "The cloud's limits change with its types of volumes; it says so itself." },
    Rejected { key: "number-of-ranges", idea: "There are no more source ranges than the cloud takes.", source: RIVALS, reason: "Every cloud has another number." },
    Rejected { key: "repeated-flags", idea: "A user's flag that is there twice is warned about.", source: RIVALS, reason: "It does no harm." },
    Rejected { key: "shape-of-archives", idea: "Paths of archives are addresses such as `s3://bucket/path`.", source: RIVALS, reason: "The image takes more than that, for other stores and through variables." },
    Rejected { key: "shape-of-events", idea: "Types of events have a pattern.", source: RIVALS, reason: "The pattern is that of whoever takes the events, and is not known here." },
    Rejected { key: "failed-upgrade-note", idea: "The note of a failed upgrade (`last-major-upgrade-failure`) is guarded.", source: RIVALS, reason: "Removing it is how an upgrade is tried again." },
    Rejected { key: "pruned-fields", idea: "Fields that the API server prunes are refused.", source: UPSTREAM, reason: "They are gone before a webhook looks; `kubectl --validate=strict` refuses them, and a look at the file (PGV-052) finds them." },
];

/// Every idea that is no rule.
pub fn rejected() -> &'static [Rejected] {
    REJECTED
}
