// CLAIMED by the lead, being written now: plan/provision.rs + plan/provision/ (the SQL steps). Exports `pub(super) fn provision(cluster: &Cluster, config: &OperatorConfig, observed: &Observed, plan: &mut Plan)`; call it as the last part of `plan`, and remove this line.
//! What to do next, as a value. Lives here: the plan and its parts, in the order in which an executor meets them. Must not: how a step is
//! carried out (controller).
//!
//! A plan is made from one snapshot and thrown away after use: nothing in it is remembered. The executor walks the steps in order and stops
//! at the first whose precondition does not hold any more; the next snapshot gives the next plan.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

mod action;
mod object;

pub use action::{Action, Propagation, SecretDraft};
pub use object::Object;

/// Steps to take now, what is wanted but has to wait, and when to look again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// In order; each relies on those before it.
    pub steps: Vec<Step>,
    /// What is wanted and not done now.
    pub holds: Vec<Hold>,
    /// Look again after this time although nothing is seen to change; `None`: at the next resync.
    pub wake_after: Option<SignedDuration>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// What it does to the running database.
    pub impact: Impact,
    /// What must still be true right before it is done.
    pub precondition: Precondition,
}

/// Why a step is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// It is wanted and not there.
    Missing,
    /// It is there and differs from what is wanted, at these paths.
    Differs(Vec<String>),
    /// It was there before us and becomes part of the cluster.
    Adopted,
    /// The number of members changes.
    Scaled {
        /// Members now.
        from: i32,
        /// Members wanted.
        to: i32,
    },
    /// The volumes grow.
    Grown {
        /// Size now, a quantity.
        from: String,
        /// Size wanted, a quantity.
        to: String,
    },
    /// The operator's configuration asks for it.
    Configured,
    /// The cluster is being deleted.
    Deleted,
}

/// What a step does to the running database, from harmless to grave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Impact {
    /// Nobody notices.
    #[default]
    None,
    /// Postgres reads its configuration again.
    Reload,
    /// A replica restarts or goes.
    ReplicaRestart,
    /// Another member becomes primary.
    Switchover,
    /// The primary restarts.
    PrimaryRestart,
    /// Data is rewritten or removed.
    DataRewrite,
}

/// What must still be true right before a step is done. The executor sends it with the request where Kubernetes can check it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Precondition {
    /// Nothing: the step is right whenever it is done.
    #[default]
    None,
    /// The object was not changed since it was read: its `resourceVersion`.
    Unchanged(String),
    /// It still is the same object: its `uid`.
    SameObject(String),
    /// This pod still leads.
    StillPrimary(String),
}

/// Something that is wanted and not done now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// What is wanted, one line.
    pub step: String,
    /// What it waits for.
    pub reason: HoldReason,
    /// When it will be possible, if that is known.
    pub until: Option<Timestamp>,
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
    /// Kubernetes does not allow these fields to change.
    Immutable(Vec<String>),
    /// The primary's pod would go.
    PrimaryWouldGo(String),
    /// Something that is needed does not exist, such as a role to be granted to.
    Lacking(String),
    /// The object of that name belongs to somebody else.
    NotOurs(String),
    /// The annotations that allow a deletion are not there.
    DeletionGate(String),
    /// It is not allowed to, by this parameter or field.
    SwitchedOff(String),
}

impl Plan {
    /// Nothing to do and nothing wanted.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.holds.is_empty()
    }

    /// The gravest impact of its steps.
    pub fn impact(&self) -> Impact {
        self.steps
            .iter()
            .map(|step| step.impact)
            .max()
            .unwrap_or_default()
    }

    /// Looks again after `delay`, or earlier.
    pub(crate) fn wake(&mut self, delay: SignedDuration) {
        self.wake_after = Some(self.wake_after.map_or(delay, |earlier| earlier.min(delay)));
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.action, self.reason)?;
        if self.impact > Impact::None {
            write!(f, " [{}]", self.impact)?;
        }
        Ok(())
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Differs(paths) => write!(f, "differs at {}", first_of(paths)),
            Self::Adopted => f.write_str("adopted"),
            Self::Scaled { from, to } => write!(f, "from {from} to {to} members"),
            Self::Grown { from, to } => write!(f, "from {from} to {to}"),
            Self::Configured => f.write_str("operator configuration"),
            Self::Deleted => f.write_str("cluster deleted"),
        }
    }
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Reload => "reload",
            Self::ReplicaRestart => "replica restart",
            Self::Switchover => "switchover",
            Self::PrimaryRestart => "primary restart",
            Self::DataRewrite => "data rewrite",
        })
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceUnknown { source, why } => write!(f, "{source} is not known: {why}"),
            Self::MembersNotReady {
                ready,
                wanted,
                trouble,
            } => {
                write!(f, "{ready} of {wanted} members are up")?;
                trouble
                    .as_ref()
                    .map_or(Ok(()), |trouble| write!(f, " ({trouble})"))
            }
            Self::NoPrimary => f.write_str("no primary accepts connections"),
            Self::PodsTerminating(pods) => write!(f, "waiting for pods to end: {}", pods.join(", ")),
            Self::RollPending(pods) => write!(
                f,
                "pods run an older template and are not rolled by this version: {}",
                pods.join(", ")
            ),
            Self::RestartPending(pods) => write!(
                f,
                "members wait for a restart of postgres, which this version leaves to patronictl: {}",
                pods.join(", ")
            ),
            Self::Immutable(paths) => write!(f, "kubernetes does not let {} change", paths.join(", ")),
            Self::PrimaryWouldGo(pod) => write!(
                f,
                "{pod} is the primary and would go: switch over to a member that stays first"
            ),
            Self::Lacking(what) => write!(f, "{what} does not exist"),
            Self::NotOurs(owner) => write!(f, "it belongs to {owner}"),
            Self::DeletionGate(text) => f.write_str(text),
            Self::SwitchedOff(what) => write!(f, "not allowed by {what}"),
        }
    }
}

/// The first three, and how many more there are.
fn first_of(paths: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = paths
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match paths.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
