//! What goes on while the API server refuses what is wanted of the StatefulSet, or of its pods: an admission policy, a rule of Kubernetes. Lives
//! here: the plan beside such a refusal. Must not: what is refused, and for how long that is believed (controller).

use jiff::{SignedDuration, Timestamp};
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;

use super::{Action, Hold, HoldReason, Matter, Plan, Step, roll, walk};
use crate::build::Desired;
use crate::observed::{Observed, RefusedStep, Source};

/// It is tried again after this: nothing tells when a policy changes.
const TRY_AGAIN: SignedDuration = SignedDuration::from_mins(2);

/// The plan, if it does not ask for what was just refused. Otherwise one for the StatefulSet as it is: members that do not run are mended, a
/// primary leaves its node, Postgres restarts, services, secrets and roles are kept, and pods of an older template are as good as others.
pub fn beside_refusal(
    plan: Plan,
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    config: &OperatorConfig,
    now: Timestamp,
) -> Plan {
    let is_refused = |step: &Step, refused: &RefusedStep| step.to_string() == refused.step;
    let asked = |refused| Some((refused, plan.steps.iter().find(|step| is_refused(step, refused))?));
    let (Some((refused, step)), Source::Known(Some(stored))) =
        (observed.refused.as_ref().and_then(asked), &observed.stateful_set)
    else {
        return plan;
    };
    let desired = Desired {
        stateful_set: Source::Known(stored.clone()),
        ..desired.clone()
    };
    let mut cluster = cluster.clone();
    let members = stored.spec.as_ref().and_then(|spec| spec.replicas);
    if let (Action::Scale { .. }, Some(members)) = (&step.action, members) {
        cluster.instances = members;
    }
    let mut beside = walk(&cluster, &desired, observed, config, now, roll::Turn::Waiting);
    // A pod that does not run may need the very template that is refused.
    if let Some(place) = beside.steps.iter().position(|step| is_refused(step, refused)) {
        let refused = beside.steps.remove(place);
        let home = &cluster.identity.namespace;
        let mut number = 0;
        beside.steps.retain(|step| {
            number += 1;
            number <= place || !refused.hinders(step, home)
        });
    }
    // What is wanted is not carried out.
    beside.template = None;
    let waits = |hold: &Hold| matches!(hold.reason, HoldReason::Fleet(_) | HoldReason::Remade(_));
    beside.holds.extend(plan.holds.into_iter().filter(waits));
    beside.holds.push(Hold {
        matter: Matter::Refused(refused.step.clone()),
        reason: HoldReason::Declined(refused.why.clone()),
        until: None,
    });
    beside.wake(TRY_AGAIN);
    beside
}

impl Step {
    /// When it is refused, the plan beside that is another one.
    pub fn shapes_members(&self) -> bool {
        self.action.is_of_stateful_set()
            || matches!(self.action, Action::Scale { .. } | Action::CheckTemplate { .. })
    }
}
