//! Nodes at the end of their life (zalando-behaviour 4.16): the primary is elsewhere before its node is drained, because its disruption budget
//! does not let it be evicted. Replicas are left to the drain.
//!
//! Who is to take over on such a node as well is made anew first, so that it lands elsewhere. A single member is made anew itself: nothing else
//! lets the node go.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Toleration;

use super::gate::Wait;
use super::{Next, Situation};
use crate::observed::Member;
use crate::plan::{Hold, HoldReason, Matter, Plan, Reason};

/// Who tolerates this may come back to the node that it was to leave.
const TAINT: &str = "node.kubernetes.io/unschedulable";

/// The primary and its node, if that goes.
pub(super) fn primary<'a>(situation: &Situation<'a>) -> Option<(&'a str, &'a str)> {
    let leader = situation.observed.patroni.known()?.leader()?;
    let node = situation.leaving_node(&leader.name)?;
    let is_alone = situation.members.len() == 1;
    (!is_alone || lands_elsewhere(situation)).then_some((leader.name.as_str(), node))
}

/// As long as it has not moved.
pub(super) fn hold(pod: &str, node: &str, until: Option<Timestamp>, plan: &mut Plan) {
    plan.holds.push(Hold {
        matter: Matter::Drain,
        reason: HoldReason::NodeLeaves {
            pod: pod.to_owned(),
            node: node.to_owned(),
        },
        until,
    });
}

/// The only member is all there is to make anew, be it old or on such a node.
pub(super) fn single<'a>(situation: &Situation<'a>, old: &[Member<'a>]) -> Result<Next<'a>, Wait> {
    let only = situation.members.first().ok_or_else(Wait::silent)?;
    if !old.is_empty() {
        return Ok(Next::Remake(*only, Reason::Outdated));
    }
    let node = situation.leaving_node(&only.pod.name).ok_or_else(Wait::silent)?;
    Ok(Next::Remake(*only, Reason::Drained(node.to_owned())))
}

/// What comes before `candidate` may take over from `leader`: its own way to a node that stays.
pub(super) fn candidate<'a>(
    situation: &Situation<'a>,
    leader: &str,
    candidate: &str,
) -> Result<Option<Next<'a>>, Wait> {
    let Some(node) = situation.leaving_node(candidate) else {
        return Ok(None);
    };
    if !lands_elsewhere(situation) {
        // From one such node to another helps nobody; another reason to move is as good as ever.
        return match situation.leaving_node(leader) {
            Some(_) => Err(Wait::of(HoldReason::NoCandidate("no node stays".to_owned()))),
            None => Ok(None),
        };
    }
    let mut members = situation.members.iter();
    let member = members.find(|member| member.pod.name == candidate);
    let reason = Reason::Drained(node.to_owned());
    Ok(member.map(|member| Next::Remake(*member, reason)))
}

/// A pod that is made now comes to a node that stays.
fn lands_elsewhere(situation: &Situation<'_>) -> bool {
    let nodes = situation.observed.nodes.known();
    let spec = situation.stored.and_then(|stored| stored.spec.as_ref());
    let pod = spec.and_then(|spec| spec.template.spec.as_ref());
    let mut tolerations = pod.and_then(|pod| pod.tolerations.as_ref()).into_iter().flatten();
    nodes.is_some_and(|nodes| nodes.has_others) && !tolerations.any(returns)
}

fn returns(toleration: &Toleration) -> bool {
    toleration
        .key
        .as_deref()
        .is_none_or(|key| key.is_empty() || key == TAINT)
}
