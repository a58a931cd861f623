//! The finalizer on the `postgresql` object: there when the operator's configuration wants it (`enable_finalizers`).

use pgherd_model::config::OperatorConfig;
use pgherd_model::names::annotations::FINALIZER;

use super::{Action, Plan, Precondition, Reason};
use crate::observed::Observed;

pub(super) fn keep(observed: &Observed, config: &OperatorConfig, plan: &mut Plan) {
    let unchanged = Precondition::Unchanged(observed.cluster.resource_version.clone());
    let action = match (config.kubernetes.enable_finalizers, has(observed)) {
        (true, false) => Action::AddFinalizer(FINALIZER.to_owned()),
        (false, true) => Action::RemoveFinalizer(FINALIZER.to_owned()),
        (true, true) | (false, false) => return,
    };
    plan.quiet(action, Reason::Configured, unchanged);
}

/// Our finalizer is on the object.
pub(super) fn has(observed: &Observed) -> bool {
    observed
        .cluster
        .finalizers
        .iter()
        .any(|finalizer| finalizer == FINALIZER)
}
