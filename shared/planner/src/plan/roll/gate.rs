//! Whether a member may be disturbed now. Lives here: every condition that all disturbances share. Must not: which member.

use jiff::{SignedDuration, Timestamp};
use pgherd_model::units::window;

use super::Situation;
use crate::observed::{Member, PatroniView};
use crate::plan::{ASK_AGAIN, Hold, HoldReason, Matter, Plan};

/// While something of ours is under way.
pub(super) const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// Not now.
pub(super) struct Wait {
    /// Why, unless another part of the plan says it.
    reason: Option<HoldReason>,
    until: Option<Timestamp>,
    /// When to look again where no end is known.
    again: SignedDuration,
}

impl Wait {
    /// For something of ours that will be over in a moment.
    pub(super) fn silent() -> Self {
        Self {
            reason: None,
            until: None,
            again: LOOK_AGAIN,
        }
    }

    /// For something that the plan says elsewhere, and that may take its time.
    pub(super) fn patient() -> Self {
        Self {
            again: ASK_AGAIN,
            ..Self::silent()
        }
    }

    pub(super) fn of(reason: HoldReason) -> Self {
        Self {
            reason: Some(reason),
            ..Self::patient()
        }
    }

    /// Puts the wait into the plan, with a wake-up at its end if it has one; gives that.
    pub(super) fn hold(self, matter: &Matter, now: Timestamp, plan: &mut Plan) -> Option<Timestamp> {
        let Self { reason, until, again } = self;
        if let Some(reason) = reason {
            let matter = matter.clone();
            plan.holds.push(Hold {
                matter,
                reason,
                until,
            });
        }
        plan.wake(until.map_or(again, |until| until.duration_since(now)));
        until
    }
}

/// Passes when a member may be disturbed: it is time for maintenance, somebody leads, and every member that stays is up and has caught up. A defect of one
/// that is `old` does not count: making it anew is what mends it.
pub(super) fn pass<'a>(situation: &Situation<'a>, old: &[Member<'_>]) -> Result<&'a PatroniView, Wait> {
    let (windows, now) = (&situation.cluster.windows, situation.now);
    if !window::is_open(windows, now) {
        return Err(Wait {
            reason: Some(HoldReason::OutsideWindows),
            until: window::next_start(windows, now),
            ..Wait::patient()
        });
    }
    let patroni = situation.observed.patroni.known().ok_or_else(Wait::patient)?;
    if patroni.is_paused() {
        return Err(Wait::of(HoldReason::PatroniPaused));
    }
    // Whatever comes next, it needs somebody who leads.
    if patroni.running_leader().is_none() || patroni.is_being_promoted() {
        return Err(Wait::silent());
    }
    let wanted = usize::try_from(situation.cluster.instances).unwrap_or(usize::MAX);
    let mended = |member: &Member<'_>| member.defect().is_some() && old.contains(member);
    let present = situation.members.iter();
    let missing: Vec<&Member<'_>> = present
        .filter(|member| !member.is_up() && !mended(member))
        .collect();
    if missing.iter().any(|member| member.defect().is_some()) {
        return Err(Wait::patient());
    }
    if situation.members.len() < wanted || !missing.is_empty() {
        return Err(Wait::silent());
    }
    let behind: Vec<String> = situation
        .members
        .iter()
        .filter(|member| !mended(member) && !has_caught_up(member, patroni.lag_limit()))
        .map(|member| member.pod.name.clone())
        .collect();
    if !behind.is_empty() {
        return Err(Wait::of(HoldReason::Lagging(behind)));
    }
    Ok(patroni)
}

/// It leads, or is known to be near to the one that does.
fn has_caught_up(member: &Member<'_>, limit: i64) -> bool {
    member
        .view
        .is_some_and(|view| view.leads() || view.lag.is_some_and(|lag| lag <= limit))
}
