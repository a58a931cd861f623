//! Pods of an older template are made anew, one by one, and the primary moves once (zalando-behaviour 4.5, A.20, A.21). Lives here: what
//! is next. Must not: what counts as older, as best candidate or as allowed now; the files below say that.
//!
//! No state is kept: which pods are old is seen on the pods, whether the last one is back is asked of Patroni. The order follows from
//! that: a replica is the only thing that goes as long as one is old, the primary moves when none is, and then it is a replica.
//!
//! ```text
//! outdated ─► broken ones go at once ─► gate: may anything be disturbed now? ─► next old replica ─► switchover ─► the old primary
//! ```
//!
//! A primary on a node that goes moves in the same way, before the node is drained (zalando-behaviour 4.16).

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;

use super::{Action, Hold, HoldReason, Matter, Plan, Reason, Step, dynamic, pod_passwords, provision};
use crate::build::Desired;
use crate::observed::{Member, MemberView, Observed, Source};

mod candidate;
mod drain;
mod gate;
mod outdated;
mod restart;
mod steps;
mod worn;

use gate::{LOOK_AGAIN, Wait};

/// What keeps a member from coming back by itself.
const LOCKED_OUT: &str = "it knows the replication user's password before";

/// Whether the cluster may roll now, in a fleet that rolls by turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Taken,
    /// Pods of an older template are as good as others, as long as they run.
    Waiting,
}

/// What the decisions are made of.
struct Situation<'a> {
    cluster: &'a Cluster,
    config: &'a OperatorConfig,
    observed: &'a Observed,
    /// None while there is none: it was deleted, and its pods wait for the next one.
    stored: Option<&'a StatefulSet>,
    now: Timestamp,
    turn: Turn,
    /// The members that stay, by ordinal: those of a scale-down under way are not looked after any more.
    members: Vec<Member<'a>>,
    /// The number of members is about to change, by this very plan.
    scales: bool,
    /// Pods of a scale-down are still there.
    shrinks: bool,
}

/// What is next.
enum Next<'a> {
    Remake(Member<'a>, Reason),
    MovePrimary {
        leader: &'a str,
        candidate: &'a str,
        reason: Reason,
    },
}

/// Takes the next step of a roll, of a primary that has to leave, or of pending restarts; at most one of them, and only one at a time.
pub(super) fn ensure(
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    config: &OperatorConfig,
    now: Timestamp,
    turn: Turn,
    plan: &mut Plan,
) {
    let (Some(wanted), Some(stored)) = (desired.stateful_set.known(), observed.stateful_set.known()) else {
        return;
    };
    if cluster.instances == 0 {
        return;
    }
    let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
    let stays = |member: &Member<'_>| i64::from(member.ordinal) < i64::from(cluster.instances);
    let (members, going): (Vec<Member<'_>>, Vec<Member<'_>>) =
        observed.members(&names).into_iter().partition(stays);
    let scales = |step: &Step| matches!(step.action, Action::Scale { .. });
    let situation = Situation {
        cluster,
        config,
        observed,
        stored: stored.as_ref(),
        now,
        turn,
        members,
        scales: plan.steps.iter().any(scales),
        shrinks: !going.is_empty(),
    };
    let mut old = outdated::find(&situation, wanted, plan);
    if turn == Turn::Waiting {
        old.retain(|member| situation.down(member).is_some());
    }
    worn::ensure(&situation, wanted, &old, plan);
    let leaving = situation.leader_that_leaves(&names);
    let drained = drain::primary(&situation);
    if old.is_empty() && leaving.is_none() && drained.is_none() {
        return restart::ensure(&situation, plan);
    }
    let until = match next(&situation, &old, leaving, plan) {
        Ok(next) => {
            steps::take(&situation, next, plan);
            plan.wake(LOOK_AGAIN);
            None
        }
        Err(wait) => wait.hold(&Matter::Roll, now, plan),
    };
    if let Some((pod, node)) = drained {
        drain::hold(pod, node, until, plan);
    }
    hold(&old, until, plan);
}

/// As long as some are old.
fn hold(old: &[Member<'_>], until: Option<Timestamp>, plan: &mut Plan) {
    if old.is_empty() {
        return;
    }
    let pods = old.iter().map(|member| member.pod.name.clone()).collect();
    plan.holds.push(Hold {
        matter: Matter::Roll,
        reason: HoldReason::RollPending(pods),
        until,
    });
}

fn next<'a>(
    situation: &Situation<'a>,
    old: &[Member<'a>],
    leaving: Option<&'a str>,
    plan: &Plan,
) -> Result<Next<'a>, Wait> {
    // A pod that goes before Kubernetes knows the new template comes back with the old one.
    let changes_stateful_set = plan.steps.iter().any(|step| step.action.is_of_stateful_set());
    // Nor does anything move while the one that leads becomes a primary.
    let promotes = plan.steps.iter().any(|step| dynamic::promotes(&step.action));
    if changes_stateful_set || promotes || situation.observed.latest_revision().is_none() {
        return Err(Wait::silent());
    }
    // One change at a time: which members stay comes first.
    if situation.scales {
        return Err(Wait::patient());
    }
    // Nobody misses what does not run, and what runs out of it may be unable to answer until it is mended.
    if let Some((member, defect)) = old
        .iter()
        .find_map(|member| Some((member, situation.down(member)?)))
    {
        return Ok(Next::Remake(*member, Reason::Broken(defect.to_owned())));
    }
    // One that starts now would read a password that the server does not have yet.
    let changes_password = |step: &Step| pod_passwords::changes_one(step, situation.cluster);
    if plan.steps.iter().any(changes_password) {
        return Err(Wait::silent());
    }
    // A leader that leaves has to move before they can go.
    if situation.shrinks && leaving.is_none() {
        return Err(Wait::patient());
    }
    let patroni = gate::pass(situation, old)?;
    let leader = patroni.running_leader().ok_or_else(Wait::silent)?;
    if let Some(replica) = old.iter().find(|member| member.pod.name != leader.name) {
        return Ok(Next::Remake(*replica, Reason::Outdated));
    }
    // What is old now, if anything, is the primary.
    if situation.members.len() == 1 && leaving.is_none() {
        return drain::single(situation, old);
    }
    let candidate = candidate::best(situation, patroni).map_err(Wait::of)?;
    if let Some(next) = drain::candidate(situation, &leader.name, candidate)? {
        return Ok(next);
    }
    Ok(Next::MovePrimary {
        leader: &leader.name,
        candidate,
        reason: match (leaving, situation.leaving_node(&leader.name)) {
            (Some(pod), _) => Reason::Leaves(pod.to_owned()),
            (None, Some(node)) => Reason::Drained(node.to_owned()),
            (None, None) => Reason::Outdated,
        },
    })
}

impl<'a> Situation<'a> {
    /// The pod that leads although it is not among the members that stay.
    fn leader_that_leaves(&self, names: &Names) -> Option<&'a str> {
        let leader = self.observed.patroni.known()?.leader()?;
        let ordinal = names.ordinal(&leader.name)?;
        (i64::from(ordinal) >= i64::from(self.cluster.instances)).then_some(leader.name.as_str())
    }

    /// The node of a member, if it is at the end of its life.
    fn leaving_node(&self, pod: &str) -> Option<&'a str> {
        let nodes = self.observed.nodes.known()?;
        let mut members = self.members.iter();
        let node = members.find(|member| member.pod.name == pod)?.pod.node.as_str();
        nodes.leaving.contains(node).then_some(node)
    }

    /// Why a member's database does not run and will not by itself. While Patroni is silent nobody knows who serves: then only as long as
    /// no other member is on its way.
    fn down<'m>(&self, member: &'m Member<'_>) -> Option<&'m str> {
        let mut others = self
            .members
            .iter()
            .filter(|other| other.pod.name != member.pod.name);
        let is_answered = self.observed.patroni.known().is_some();
        if !is_answered && others.any(Member::is_on_its_way) {
            return None;
        }
        if pod_passwords::is_locked_out(member, self.observed, self.config) {
            return Some(LOCKED_OUT);
        }
        member.database_defect().filter(|_| !member.serves())
    }

    fn leads(&self, member: &Member<'_>) -> bool {
        match &self.observed.patroni {
            Source::Known(_) => member.view.is_some_and(MemberView::leads),
            Source::Unknown(_) => member.is_labelled_primary(),
        }
    }

    /// The database can be asked for a checkpoint.
    fn has_sql(&self) -> bool {
        provision::unwanted(self.cluster, self.config).is_none() && self.observed.catalog.known().is_some()
    }
}
