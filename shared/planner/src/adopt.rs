//! Whether a cluster that another operator made can be taken over as it runs (zalando-behaviour E.3). Lives here: the verdict. Must not: what
//! would be changed (`plan`), why a cluster cannot be taken over at all (`adopt/refusal`).
//!
//! ```text
//! Cluster, Desired, Observed ─► refusals: its identity is not the one that we would give it ─┐
//!                              plan ─► steps: which disturb, which nobody notices ──────────┴─► Adoption
//! ```

use std::fmt;

use pgherd_model::api::status::ClusterStatus;
use pgherd_model::cluster::Cluster;
use serde::{Deserialize, Serialize};

use crate::build::Desired;
use crate::observed::{Observed, Source};
use crate::plan::{Hold, HoldReason, Impact, Matter, Plan};

mod refusal;

pub use refusal::{Label, Refusal};

/// What taking over one cluster would mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adoption {
    /// In one word.
    pub verdict: Verdict,
    /// Why it must not be taken over as things are.
    pub refusals: Vec<Refusal>,
    /// What clients would notice, one line each.
    pub disturbances: Vec<String>,
    /// What would be changed without that anybody notices, one line each.
    pub changes: Vec<String>,
    /// What would stay as it is although something else is wanted, or is not known, one line each.
    pub held: Vec<String>,
}

impl Adoption {
    /// Of a manifest that cannot be used.
    pub fn impossible() -> Self {
        Self {
            verdict: Verdict::Refused,
            refusals: Vec::new(),
            disturbances: Vec::new(),
            changes: Vec::new(),
            held: Vec::new(),
        }
    }
}

/// The whole in one word, from harmless to grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Taken over without that anybody notices.
    Ready,
    /// There is nothing yet that could be taken over: the cluster would be made.
    Absent,
    /// Taken over, and then disturbed: members restart or the primary moves.
    Disturbed,
    /// Not to be taken over.
    Refused,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Absent => "not there yet",
            Self::Disturbed => "would be disturbed",
            Self::Refused => "refused",
        })
    }
}

/// Judges a cluster by what was seen of it and by the plan that was made from that.
pub fn judge(cluster: &Cluster, desired: &Desired, observed: &Observed, plan: &Plan) -> Adoption {
    let refusals = refusal::find(cluster, desired, observed);
    let disturbances = disturbances(plan);
    let quiet = plan.steps.iter().filter(|step| !disturbs(step.impact));
    let verdict = match &observed.stateful_set {
        _ if !refusals.is_empty() => Verdict::Refused,
        Source::Known(None) => Verdict::Absent,
        _ if !disturbances.is_empty() => Verdict::Disturbed,
        _ => Verdict::Ready,
    };
    Adoption {
        verdict,
        refusals,
        disturbances,
        changes: quiet.map(ToString::to_string).collect(),
        held: plan
            .holds
            .iter()
            .filter(|hold| stays(&hold.reason))
            .map(ToString::to_string)
            .collect(),
    }
}

/// In place of a plan: nothing is done to a cluster that is found, called or kept differently under this configuration. Its members are not
/// seen, or would become another cluster beside it. None where all is well, or where no member could be harmed. An object that was made anew
/// is no reason: it takes its members over, as with Zalando's operator. Nor is a hand in the StatefulSet that reached none of its members.
///
/// As long as one that was made cannot be read, nobody knows: then everything waits as well.
pub fn refuse(cluster: &Cluster, desired: &Desired, observed: &Observed) -> Option<Plan> {
    let stored = match &observed.stateful_set {
        Source::Known(stored) => stored.as_ref()?,
        Source::Unknown(why) => return unread(observed, why),
    };
    let wanted = stored.spec.as_ref().and_then(|spec| spec.replicas);
    let present = stored.status.as_ref().map(|status| status.replicas);
    if wanted.unwrap_or_default() == 0 && present.unwrap_or_default() == 0 {
        return None;
    }
    let refusals = refusal::of_members(cluster, desired, observed);
    let hold = |refusal: &Refusal| Hold {
        matter: Matter::Everything,
        reason: HoldReason::Refused(format!("{refusal}: {}", refusal.remedy())),
        until: None,
    };
    (!refusals.is_empty()).then(|| Plan {
        holds: refusals.iter().map(hold).collect(),
        ..Plan::default()
    })
}

fn unread(observed: &Observed, why: &str) -> Option<Plan> {
    let was_made = observed.cluster.status.postgres_cluster_status != ClusterStatus::Unknown;
    was_made.then(|| {
        let mut plan = Plan::default();
        plan.hold_unknown(Matter::Everything, "stateful set", why);
        plan
    })
}

/// Clients notice.
fn disturbs(impact: Impact) -> bool {
    impact > Impact::Reload
}

/// A roll is one line, whatever part of it is due now.
fn disturbances(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let rolled = plan.rolled();
    if !rolled.is_empty() {
        lines.push(format!("makes {} anew", rolled.join(", ")));
    }
    for hold in &plan.holds {
        if let HoldReason::RestartPending(members) = &hold.reason {
            lines.push(format!("restarts postgres on {}", members.join(", ")));
        }
    }
    let steps = plan.steps.iter().filter(|step| disturbs(step.impact));
    lines.extend(steps.map(ToString::to_string));
    lines
}

/// The rest of a roll is told as a disturbance, and a mode is why nobody has acted yet.
fn stays(reason: &HoldReason) -> bool {
    !matches!(
        reason,
        HoldReason::RollPending(_) | HoldReason::RestartPending(_) | HoldReason::Mode(_)
    )
}
