//! What becomes of a plan in a fleet that rolls by turns. Lives here: what it says of the roll, and what is told. Must not: whose turn it is
//! (`crate::fleet`).

use jiff::{SignedDuration, Timestamp};

use super::{Hold, HoldReason, Matter, Plan, Reason, Step};

/// Whoever gives out the turns tells when it comes; this is for the case that it forgets.
const FALLBACK: SignedDuration = SignedDuration::from_mins(5);

impl Plan {
    /// The StatefulSet that is there is written.
    pub fn changes_stateful_set(&self) -> bool {
        let was_there = |step: &Step| !matches!(step.reason, Reason::Missing | Reason::Deleted);
        self.steps
            .iter()
            .any(|step| step.action.is_of_stateful_set() && was_there(step))
    }

    /// Nothing that tells which pods are older was unreadable.
    pub fn knows_templates(&self) -> bool {
        let is_unknown = |hold: &Hold| matches!(hold.reason, HoldReason::SourceUnknown { .. });
        !self
            .holds
            .iter()
            .any(|hold| hold.matter.is_of_templates() && is_unknown(hold))
    }

    /// Says that the roll waits for others, and looks again in case that nobody tells when it may.
    pub(super) fn wait_for_turn(&mut self, wait: Hold, now: Timestamp) {
        self.wake(wait.until.map_or(FALLBACK, |until| until.duration_since(now)));
        self.holds.push(wait);
    }

    /// It is this cluster's turn as long as these members are not up.
    pub fn keep_turn(&mut self, pods: Vec<String>) {
        self.holds.push(Hold {
            matter: Matter::Roll,
            reason: HoldReason::Remade(pods),
            until: None,
        });
    }
}
