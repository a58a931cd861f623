//! What is wanted and has to wait. Lives here: a hold and its reasons. Must not: what it is that waits (`matter`), or the words (`text`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Matter;

/// Something that is wanted and not done now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// What waits.
    pub matter: Matter,
    /// What it waits for.
    pub reason: HoldReason,
    /// When it will be possible, if that is known.
    pub until: Option<Timestamp>,
}

impl Hold {
    /// A role or something of a database that cannot be as it is wanted, until somebody changes something.
    pub fn is_of_catalog(&self) -> bool {
        let is_lasting = matches!(
            self.reason,
            HoldReason::Lacking(_) | HoldReason::NotOurs(_) | HoldReason::Conflict(_)
        );
        is_lasting && (self.matter.is_of_roles() || self.matter.is_of_databases())
    }
}

/// What a hold waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HoldReason {
    /// A source of the snapshot did not answer.
    SourceUnknown {
        /// Which.
        source: String,
        /// Why.
        why: String,
    },
    /// Members are not up.
    MembersNotReady {
        /// Up.
        ready: i32,
        /// Wanted.
        wanted: i32,
        /// The first trouble of a pod that has one, as in `demo-0: ImagePullBackOff`.
        trouble: Option<String>,
    },
    /// No member leads and accepts connections.
    NoPrimary,
    /// Pods have not gone yet.
    PodsTerminating(Vec<String>),
    /// Pods run an older template than the StatefulSet has.
    RollPending(Vec<String>),
    /// Members wait for a restart of Postgres.
    RestartPending(Vec<String>),
    /// No maintenance window is open.
    OutsideWindows,
    /// Nobody leads, because Patroni was asked to make a certain member the primary: which, if it is named.
    HandoverPending(Option<String>),
    /// Replicas are too far behind.
    Lagging(Vec<String>),
    /// The primary shall move, and nobody can take over: why.
    NoCandidate(String),
    /// Somebody told Patroni to leave its members alone.
    PatroniPaused,
    /// The operator is told not to touch this cluster: the mode.
    Mode(String),
    /// Kubernetes does not allow these fields to change.
    Immutable(Vec<String>),
    /// Kubernetes does not allow these fields to change, and somebody makes another value of what a new object is sent with.
    Rewritten(Vec<String>),
    /// Members that are up would go, and these would stay, which are not.
    HealthyWouldGo(Vec<String>),
    /// The primary's pod would go.
    PrimaryWouldGo(String),
    /// The primary's node is at the end of its life: the pod and the node.
    NodeLeaves {
        /// The pod.
        pod: String,
        /// Its node.
        node: String,
    },
    /// Something that is needed does not exist, such as a role to be granted to.
    Lacking(String),
    /// The object of that name belongs to somebody else.
    NotOurs(String),
    /// What allows a deletion is not there: annotations, or that somebody deleted this very object.
    DeletionGate(String),
    /// It is not allowed to, by this parameter or field.
    SwitchedOff(String),
    /// Other clusters of the fleet roll before: why.
    Fleet(String),
    /// The cluster's members are told to be something else than they are: what, and what to do.
    Refused(String),
    /// Members that were made anew are not up yet.
    Remade(Vec<String>),
    /// A source of roles did not answer: what it says cannot be told, and nothing is concluded from that.
    Unheard {
        /// Which.
        source: String,
        /// Why.
        why: String,
    },
    /// The API server refuses it, for this reason.
    Declined(String),
    /// Only this pgherd would make the pods otherwise than the one before.
    Deferred,
    /// Something that is there does not go together with it.
    Conflict(String),
}
