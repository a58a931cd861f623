//! Who becomes primary in a planned switchover (zalando-behaviour A.20). Lives here: the choice among members that are up and have caught up.

use std::cmp::Reverse;

use super::Situation;
use crate::observed::{MemberRole, MemberView, PatroniView};
use crate::plan::HoldReason;

/// The replica with the smallest lag among those that are in sync, or among all where none is; in synchronous mode only one in sync will
/// do. One on a node that stays comes before one on a node that goes. Of equals the one with the highest
/// `failover_priority`, then the first in Patroni's order. A member that leaves with a
/// scale-down, that does not stream yet, or whose tags keep it from leading, is none.
pub(super) fn best<'a>(situation: &Situation<'a>, patroni: &'a PatroniView) -> Result<&'a str, HoldReason> {
    let stays = |member: &&MemberView| {
        let mut members = situation.members.iter();
        members.any(|staying| staying.pod.name == member.name)
    };
    let suits = |member: &&MemberView| !member.leads() && !member.never_leads && member.keeps_up();
    let suitable: Vec<&MemberView> = patroni.members.iter().filter(suits).filter(stays).collect();
    let in_sync =
        |member: &&&MemberView| matches!(member.role, MemberRole::SyncStandby | MemberRole::QuorumStandby);
    let nearest = |member: &&&MemberView| {
        let leaves = situation.leaving_node(&member.name).is_some();
        (leaves, member.lag.unwrap_or(i64::MAX), Reverse(member.priority))
    };
    let all = suitable.iter();
    let chosen = match all.clone().filter(in_sync).min_by_key(nearest) {
        None if patroni.is_synchronous() => {
            return Err(HoldReason::NoCandidate("no replica is synchronous".to_owned()));
        }
        None => all.min_by_key(nearest),
        found => found,
    };
    chosen
        .map(|member| member.name.as_str())
        .ok_or_else(|| HoldReason::NoCandidate("no replica may lead".to_owned()))
}
