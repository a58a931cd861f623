//! A switchover or failover that hangs (zalando-behaviour 4.6): Patroni was asked for it, nobody leads any more, and the member that is named
//! does not take over, because it is behind or does not come up. As long as its Patroni answers, the others leave it to that member: for ever,
//! and Patroni has no end for it. Taken back, the request leaves them free to elect whom they like. Must not: choose who leads.

use jiff::{SignedDuration, Timestamp};

use super::{Action, Hold, HoldReason, LOOK_AGAIN, Matter, Plan, Precondition, Reason};
use crate::observed::Observed;

/// Takes it back when nobody has led for as long as Patroni itself believes in a leader that is silent: within that time a member that could
/// take over has had three of its rounds to do so.
pub(super) fn take_back(observed: &Observed, now: Timestamp, plan: &mut Plan) {
    let Some(patroni) = observed.patroni.known() else {
        return;
    };
    // Who told it to leave its members alone is at work.
    let (false, None, Some(request)) = (patroni.is_paused(), patroni.leader(), &patroni.request) else {
        return;
    };
    let until = request.since + SignedDuration::from_secs(patroni.leader_lease());
    if now < until {
        plan.wake(until.duration_since(now).min(LOOK_AGAIN));
        plan.holds.push(Hold {
            matter: Matter::Leader,
            reason: HoldReason::HandoverPending(request.candidate.clone()),
            until: Some(until),
        });
        return;
    }
    let target = request.kept_in.clone();
    let unchanged = Precondition::Unchanged(target.resource_version.clone());
    let action = Action::TakeBackHandover {
        target,
        candidate: request.candidate.clone(),
    };
    plan.quiet(action, Reason::Hangs, unchanged);
    plan.wake(LOOK_AGAIN);
}
