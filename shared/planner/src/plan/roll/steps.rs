//! The steps themselves, with what must still be true right before each.

use super::{Next, Situation};
use crate::observed::{Member, ObjectRef};
use crate::plan::{Action, Impact, Plan, Precondition, Reason, Step, swift};

pub(super) fn take(situation: &Situation<'_>, next: Next<'_>, plan: &mut Plan) {
    match next {
        Next::Remake(member, reason) => remake(situation, &member, reason, plan),
        Next::MovePrimary {
            leader,
            candidate,
            reason,
        } => move_primary(situation, leader, candidate, reason, plan),
    }
}

/// A member's pod, exactly this one.
pub(super) fn pod(situation: &Situation<'_>, member: &Member<'_>) -> ObjectRef {
    ObjectRef {
        kind: "Pod".to_owned(),
        namespace: situation.cluster.identity.namespace.clone(),
        name: member.pod.name.clone(),
        uid: member.pod.uid.clone(),
        resource_version: String::new(),
    }
}

/// The template is tried before a pod goes for it: one that the API server would refuse must not cost a member.
fn remake(situation: &Situation<'_>, member: &Member<'_>, reason: Reason, plan: &mut Plan) {
    let target = pod(situation, member);
    let pod = member.pod;
    let metadata = situation
        .stored
        .map(|stored| stored.metadata.clone())
        .unwrap_or_default();
    let stateful_set = ObjectRef {
        kind: "StatefulSet".to_owned(),
        namespace: target.namespace.clone(),
        name: metadata.name.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        resource_version: metadata.resource_version.unwrap_or_default(),
    };
    let check = Action::CheckTemplate {
        stateful_set,
        pod: pod.name.clone(),
    };
    plan.quiet(check, reason.clone(), Precondition::None);
    let leads = situation.leads(member);
    plan.steps.push(Step {
        action: Action::DeletePod { target },
        reason,
        impact: if leads {
            Impact::PrimaryRestart
        } else {
            Impact::ReplicaRestart
        },
        precondition: still(situation, leads).unwrap_or_else(|| Precondition::SameObject(pod.uid.clone())),
    });
}

/// What Postgres has not yet written it writes while it still takes connections: the pause is shorter.
fn move_primary(situation: &Situation<'_>, leader: &str, candidate: &str, reason: Reason, plan: &mut Plan) {
    let still = Precondition::StillPrimary(leader.to_owned());
    if let Some(patroni) = situation.observed.patroni.known() {
        swift::prepare(patroni, situation.config, &still, &reason, plan);
    }
    if situation.has_sql() {
        let action = Action::Checkpoint {
            member: leader.to_owned(),
        };
        plan.quiet(action, reason.clone(), still.clone());
    }
    plan.steps.push(Step {
        action: Action::Switchover {
            leader: leader.to_owned(),
            candidate: candidate.to_owned(),
        },
        reason,
        impact: Impact::Switchover,
        precondition: still,
    });
}

pub(super) fn restart(situation: &Situation<'_>, member: Member<'_>, plan: &mut Plan) {
    let leads = situation.leads(&member);
    let name = &member.pod.name;
    let view = member.view;
    let reason = Reason::Pending(
        view.map(|view| view.restart_reasons.keys().cloned().collect())
            .unwrap_or_default(),
    );
    let precondition = still(situation, leads).unwrap_or_else(|| Precondition::StillPrimary(name.clone()));
    if leads && situation.has_sql() {
        let action = Action::Checkpoint { member: name.clone() };
        plan.quiet(action, reason.clone(), precondition.clone());
    }
    plan.steps.push(Step {
        action: Action::RestartPostgres { member: name.clone() },
        reason,
        impact: if leads {
            Impact::PrimaryRestart
        } else {
            Impact::ReplicaRestart
        },
        precondition,
    });
}

/// A replica is disturbed only as long as the primary is the one that was seen.
fn still(situation: &Situation<'_>, leads: bool) -> Option<Precondition> {
    let patroni = situation.observed.patroni.known().filter(|_| !leads)?;
    let leader = patroni.running_leader()?;
    Some(Precondition::StillPrimary(leader.name.clone()))
}
