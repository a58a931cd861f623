//! Parameters that wait for a restart of Postgres (zalando-behaviour 4.7, A.22). Lives here: who restarts next. Pods stay.

use std::cmp::Ordering;

use pgherd_model::postgres_parameters::{HOT_STANDBY, patroni_default};

use super::gate::{self, LOOK_AGAIN, Wait};
use super::{Situation, steps};
use crate::observed::{Member, MemberView};
use crate::plan::{Action, Hold, HoldReason, Matter, Plan};

pub(super) fn ensure(situation: &Situation<'_>, plan: &mut Plan) {
    let waits = |member: &&Member<'_>| member.view.is_some_and(|view| view.pending_restart);
    let pending: Vec<Member<'_>> = situation.members.iter().filter(waits).copied().collect();
    if pending.is_empty() {
        return;
    }
    let is_changing = plan
        .steps
        .iter()
        .any(|step| matches!(step.action, Action::PatchPatroni(_)));
    let next = match next(situation, &pending) {
        // One restart for all of it.
        _ if is_changing => Err(Wait::silent()),
        _ if situation.scales || situation.shrinks => Err(Wait::patient()),
        Ok(member) => gate::pass(situation, &[]).map(|_| member),
        Err(wait) => Err(wait),
    };
    let until = match next {
        Ok(member) => {
            steps::restart(situation, member, plan);
            plan.wake(LOOK_AGAIN);
            None
        }
        Err(wait) => wait.hold(&Matter::Restart, situation.now, plan),
    };
    let names = pending.iter().map(|member| member.pod.name.clone()).collect();
    plan.holds.push(Hold {
        matter: Matter::Restart,
        reason: HoldReason::RestartPending(names),
        until,
    });
}

/// Replicas before the primary, because they must never have less than it; but what shrinks, shrinks on the primary first. A replica that
/// waits for both is restarted before and after it.
fn next<'a>(situation: &Situation<'_>, pending: &[Member<'a>]) -> Result<Member<'a>, Wait> {
    let (primary, replicas): (Vec<Member<'a>>, Vec<Member<'a>>) =
        pending.iter().partition(|member| situation.leads(member));
    let says_nothing = |member: &Member<'a>| member.view.is_some_and(|view| view.restart_reasons.is_empty());
    let shrinks = if replicas.iter().any(says_nothing) {
        primary_shrinks(situation)?
    } else {
        false
    };
    let goes_first = |replica: &&Member<'a>| match replica.view {
        Some(view) if view.restart_reasons.is_empty() => !shrinks,
        Some(view) => !follows_primary(view),
        None => true,
    };
    let first = replicas.iter().find(goes_first);
    match first.or(primary.first()) {
        Some(next) => Ok(*next),
        // The primary has not taken up the change yet that its replicas wait for: restarted before it, they come back as they were.
        None if changes(situation).is_some_and(|mut changes| changes.any(Ordering::is_lt)) => {
            Err(Wait::silent())
        }
        None => replicas.first().copied().ok_or_else(Wait::silent),
    }
}

/// How what is wanted of each parameter compares to what is in force on the primary, as far as both are numbers. None while either is not
/// known.
fn changes<'a>(situation: &Situation<'a>) -> Option<impl Iterator<Item = Ordering> + use<'a>> {
    let catalog = situation.observed.catalog.known()?;
    let patroni = situation.observed.patroni.known()?;
    let wanted = &patroni.config["postgresql"]["parameters"];
    Some(catalog.settings.iter().filter_map(|(name, found)| {
        let set = wanted.get(name).filter(|set| !set.is_null());
        let wanted = match set {
            Some(set) => set.as_str().map_or_else(|| set.to_string(), str::to_owned),
            None => patroni_default(name)?.to_owned(),
        };
        let (wanted, found) = (wanted.parse::<i64>().ok()?, found.parse::<i64>().ok()?);
        Some(wanted.cmp(&found))
    }))
}

/// Patroni before 4.0 does not say what waits. Whether it is for the primary to have less is seen from what is in force there.
fn primary_shrinks(situation: &Situation<'_>) -> Result<bool, Wait> {
    let lacking = |what: &str| Wait::of(HoldReason::Lacking(format!("{what}: restart with patronictl")));
    let Some(changes) = changes(situation) else {
        return Err(lacking(
            "patroni's word on which parameters wait (before version 4.0)",
        ));
    };
    let (mut less, mut more) = (false, false);
    for change in changes {
        less |= change == Ordering::Less;
        more |= change == Ordering::Greater;
    }
    if less && more {
        return Err(lacking(
            "an order in which some parameters shrink and others grow",
        ));
    }
    Ok(less)
}

/// All that it waits for is smaller values of what its primary must not have more of: a replica does not take smaller ones than it has.
fn follows_primary(view: &MemberView) -> bool {
    let mut reasons = view.restart_reasons.iter();
    reasons.all(|(name, change)| HOT_STANDBY.contains(&name.as_str()) && change.is_decrease())
}
