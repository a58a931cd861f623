//! How far a cluster may be acted on. Lives here: reading the annotation, and the hold that says that nothing is done. Must not: the executor
//! asks before it takes a step (controller).

use std::fmt;

use pgherd_model::names::annotations;

use super::{HoldReason, Plan};
use crate::observed::ClusterView;

/// By the annotation `pgherd.io/mode` of the `postgresql` object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Plan and execute.
    Live,
    /// Plan and report.
    Observe,
    /// Report only.
    Paused,
}

impl Mode {
    /// A word that we do not know is taken as the careful one.
    pub fn of(view: &ClusterView) -> Self {
        match view.annotations.get(annotations::MODE).map(String::as_str) {
            None | Some("live" | "") => Self::Live,
            Some("paused") => Self::Paused,
            Some(_) => Self::Observe,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Observe => "observe",
            Self::Paused => "paused",
        })
    }
}

/// The steps stay in the plan: they are what would be done.
pub(super) fn hold(view: &ClusterView, plan: &mut Plan) {
    let mode = Mode::of(view);
    if mode != Mode::Live && !plan.steps.is_empty() {
        let wanted = format!("{} steps", plan.steps.len());
        plan.hold(wanted, HoldReason::Mode(mode.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_mode_is_the_careful_one() {
        let mode = |word: &str| {
            let mut view = ClusterView::default();
            view.annotations
                .insert(annotations::MODE.to_owned(), word.to_owned());
            Mode::of(&view)
        };
        assert_eq!(Mode::of(&ClusterView::default()), Mode::Live);
        assert_eq!(
            (mode("live"), mode("paused"), mode("Pause")),
            (Mode::Live, Mode::Paused, Mode::Observe)
        );
    }
}
