//! What a cluster waits for, as its last turn found, in the words of metrics.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use pgherd_model::api::status::PostgresqlStatus;
use pgherd_planner::assess::roll_reason;
use pgherd_planner::plan::Plan;

/// What a cluster waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waits {
    /// What holds something back: the kinds of reasons.
    pub holds: BTreeSet<String>,
    /// How far the roll of its pods is, and since when it is wanted; none when no pod has to be made anew.
    pub roll: Option<(RollState, Timestamp)>,
}

/// How far the roll of a cluster's pods is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RollState {
    Rolling,
    /// In part, and the rest waits for its time.
    Held,
    /// Other clusters go first.
    Waiting,
}

impl RollState {
    pub const ALL: [Self; 3] = [Self::Rolling, Self::Held, Self::Waiting];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::Held => "held",
            Self::Waiting => "waiting",
        }
    }
}

impl Waits {
    /// Out of a plan, and of the status that was made of it.
    pub fn of(plan: &Plan, status: &PostgresqlStatus) -> Self {
        let mut conditions = status.conditions.iter();
        let is_roll = |it: &&Condition| it.type_ == roll_reason::CONDITION && it.status == "True";
        let roll = conditions.find(is_roll).map(|condition| {
            let state = match condition.reason.as_str() {
                roll_reason::WAITING => RollState::Waiting,
                roll_reason::HELD | roll_reason::MODE => RollState::Held,
                _ => RollState::Rolling,
            };
            (state, condition.last_transition_time.0)
        });
        Self {
            holds: plan.holds.iter().map(|hold| hold.reason.kind()).collect(),
            roll,
        }
    }
}
