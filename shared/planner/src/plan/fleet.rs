//! What becomes of a plan in a fleet that rolls by turns. Lives here: the steps that wait, and what is told. Must not: whose turn it is
//! (`crate::fleet`).

use jiff::{SignedDuration, Timestamp};

use super::stateful_set::STEP as STATEFUL_SET;
use super::{ASK_AGAIN, Action, Hold, HoldReason, Object, Plan, Reason, Step};
use crate::fleet::Why;

const STEP: &str = "roll the pods";
/// Whoever gives out the turns tells when it comes; this is for the case that it forgets.
const FALLBACK: SignedDuration = SignedDuration::from_mins(5);

impl Plan {
    /// The StatefulSet that is there is written.
    pub fn changes_stateful_set(&self) -> bool {
        self.steps.iter().any(is_of_template)
    }

    /// Nothing that tells which pods are older was unreadable.
    pub fn knows_templates(&self) -> bool {
        let is_of_templates = |hold: &Hold| hold.step == STEP || hold.step == STATEFUL_SET;
        let is_unknown = |hold: &Hold| matches!(hold.reason, HoldReason::SourceUnknown { .. });
        !self
            .holds
            .iter()
            .any(|hold| is_of_templates(hold) && is_unknown(hold))
    }

    /// It is not this cluster's turn: its template stays as it is, so that a pod which dies comes back as it was, and none goes for a newer
    /// one. What does not run is mended all the same.
    pub fn withhold(&mut self, why: &Why, now: Timestamp) {
        self.steps
            .retain(|step| !is_of_template(step) && !is_of_roll(step));
        let mut holds = std::mem::take(&mut self.holds);
        holds.retain(|hold| !matches!(hold.reason, HoldReason::RollPending(_)) && hold.step != STEP);
        let waits_for_more = !holds.is_empty();
        let until = match why {
            Why::Closed(until) => *until,
            _ => None,
        };
        holds.push(Hold {
            step: STEP.to_owned(),
            reason: HoldReason::Fleet(why.to_string()),
            until,
        });
        self.holds = holds;
        // The next look was for the roll's own progress.
        self.wake_after = Some(if waits_for_more { ASK_AGAIN } else { FALLBACK });
        if let Some(until) = until {
            self.wake(until.duration_since(now));
        }
    }

    /// It is this cluster's turn as long as these members are not up.
    pub fn keep_turn(&mut self, pods: Vec<String>) {
        self.holds.push(Hold {
            step: STEP.to_owned(),
            reason: HoldReason::Remade(pods),
            until: None,
        });
    }
}

fn is_of_template(step: &Step) -> bool {
    let is_stateful_set = match &step.action {
        Action::Apply(object) | Action::CheckObject(object) => matches!(**object, Object::StatefulSet(_)),
        Action::Patch { target, .. } | Action::Delete { target, .. } => target.kind == "StatefulSet",
        _ => false,
    };
    is_stateful_set && !matches!(step.reason, Reason::Missing | Reason::Deleted)
}

fn is_of_roll(step: &Step) -> bool {
    let disturbs = matches!(
        step.action,
        Action::CheckTemplate { .. }
            | Action::DeletePod { .. }
            | Action::Checkpoint { .. }
            | Action::Switchover { .. }
    );
    // Whoever is given the cluster makes anew what is marked.
    let marks = matches!(step.action, Action::Relabel { .. }) && step.reason == Reason::Marked;
    marks || disturbs && step.reason == Reason::Outdated
}
