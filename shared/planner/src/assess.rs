//! How a cluster is doing, for its status. Lives here: the judgement. Must not: when the status is written (controller).

/// How the execution of the plan went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All steps were taken (there may have been none).
    Done,
    /// A precondition did not hold any more, or the operator only observes: later steps were not taken.
    Stopped {
        /// The step that was not taken, as displayed.
        step: String,
        /// Why.
        reason: String,
    },
    /// A step failed.
    Failed {
        /// The step, as displayed.
        step: String,
        /// The error with its sources in one line, without secrets.
        error: String,
    },
    /// The operator is told not to touch this cluster.
    Paused,
}
