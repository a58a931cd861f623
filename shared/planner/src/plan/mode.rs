//! How far a cluster may be acted on. Lives here: reading the annotation, and the hold that says that nothing is done. Must not: the executor
//! asks before it takes a step (controller).

use std::fmt;

use pgherd_model::config::{OperatorConfig, OperatorMode};
use pgherd_model::names::annotations;

use super::{HoldReason, Matter, Plan};
use crate::observed::ClusterView;

/// By the annotation `pgherd.io/mode` of the `postgresql` object, and the operator's own parameter; from the freest to the most careful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Plan and execute.
    Live,
    /// Plan and report.
    Observe,
    /// Report only.
    Paused,
}

impl Mode {
    /// The more careful one of the cluster's and the operator's.
    pub fn of(view: &ClusterView, config: &OperatorConfig) -> Self {
        let operators = match config.fleet.operator_mode {
            OperatorMode::Live => Self::Live,
            OperatorMode::Observe => Self::Observe,
            OperatorMode::Paused => Self::Paused,
        };
        operators.max(Self::of_cluster(view))
    }

    /// A word that we do not know is taken as the careful one.
    fn of_cluster(view: &ClusterView) -> Self {
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
pub(super) fn hold(view: &ClusterView, config: &OperatorConfig, plan: &mut Plan) {
    let mode = Mode::of(view, config);
    if mode == Mode::Live || plan.steps.is_empty() {
        return;
    }
    let origin = if mode == Mode::of_cluster(view) {
        ""
    } else {
        " (operator_mode)"
    };
    plan.hold(
        Matter::Steps(plan.steps.len()),
        HoldReason::Mode(format!("{mode}{origin}")),
    );
}

#[cfg(test)]
mod tests {
    use pgherd_model::config::Form;

    use super::*;

    fn mode(word: Option<&str>, operator: OperatorMode) -> Mode {
        let mut view = ClusterView::default();
        if let Some(word) = word {
            view.annotations
                .insert(annotations::MODE.to_owned(), word.to_owned());
        }
        let mut config = OperatorConfig::default_for(Form::ConfigMap);
        config.fleet.operator_mode = operator;
        Mode::of(&view, &config)
    }

    #[test]
    fn an_unknown_mode_is_the_careful_one() {
        let mode = |word| mode(word, OperatorMode::Live);
        assert_eq!(mode(None), Mode::Live);
        assert_eq!(
            (mode(Some("live")), mode(Some("paused")), mode(Some("Pause"))),
            (Mode::Live, Mode::Paused, Mode::Observe)
        );
    }

    #[test]
    fn of_operator_and_cluster_the_more_careful_counts() {
        assert_eq!(mode(None, OperatorMode::Observe), Mode::Observe);
        assert_eq!(mode(Some("live"), OperatorMode::Observe), Mode::Observe);
        assert_eq!(mode(Some("paused"), OperatorMode::Observe), Mode::Paused);
        assert_eq!(mode(Some("observe"), OperatorMode::Paused), Mode::Paused);
    }
}
