//! Passwords that pods read when they start: the superuser's and the replication user's. Lives here: when such a password may change, and the
//! mark on the pods that know the one before. Must not: when it is to change (`provision` for one that was edited, `rotation`).
//!
//! The mark comes before the change: a pod that is marked in vain is made anew in vain, one that is not cannot come back. As long as the change has
//! not come to pass nothing goes for the mark's sake.

use jiff::Timestamp;
use pgherd_model::cluster::{Cluster, Role, RoleOrigin};
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::annotations::{PASSWORD_CHANGED, ROLLING_UPDATE_REQUIRED};
use pgherd_model::units::window;

use super::{Action, Hold, HoldReason, Matter, NewPassword, Plan, Precondition, Reason, Step};
use crate::observed::{Member, ObjectRef, Observed, PodView};
use crate::sql::{Statement, Subject};

/// Its password is among them.
pub(super) fn is_read(role: &Role) -> bool {
    role.origin == RoleOrigin::System
}

/// Whether the pods may be made anew for it now; else the plan says when, and wakes then.
pub(super) fn is_time(cluster: &Cluster, matter: Matter, now: Timestamp, plan: &mut Plan) -> bool {
    if window::is_open(&cluster.windows, now) {
        return true;
    }
    let until = window::next_start(&cluster.windows, now);
    plan.holds.push(Hold {
        matter,
        reason: HoldReason::OutsideWindows,
        until,
    });
    if let Some(until) = until {
        plan.wake(until.duration_since(now));
    }
    false
}

/// Marks the pods that have started with the password so far, each once.
pub(super) fn mark(
    role: &Role,
    cluster: &Cluster,
    observed: &Observed,
    config: &OperatorConfig,
    plan: &mut Plan,
) {
    for pod in observed.pods.known().into_iter().flatten() {
        let known = whose(pod);
        let is_graver = role.name == config.users.replication_username && known != Some(&role.name);
        if pod.terminating || (known.is_some() && !is_graver) {
            continue;
        }
        let target = ObjectRef {
            kind: "Pod".to_owned(),
            namespace: cluster.identity.namespace.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            resource_version: String::new(),
        };
        let mark = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        let action = Action::Relabel {
            target,
            labels: std::collections::BTreeMap::new(),
            annotations: [
                mark(ROLLING_UPDATE_REQUIRED, "true"),
                mark(PASSWORD_CHANGED, &role.name),
            ]
            .into(),
        };
        let same = Precondition::SameObject(pod.uid.clone());
        let is_new = !plan.steps.iter().any(|step| step.action == action);
        if is_new {
            plan.quiet(action, Reason::Marked, same);
        }
    }
}

/// Whose new password the pod does not know, by its mark.
pub(crate) fn whose(pod: &PodView) -> Option<&String> {
    pod.annotations.get(PASSWORD_CHANGED)
}

/// A replica that has lost its primary, and does not find back because the replication user has another password by now.
pub(super) fn is_locked_out(member: &Member<'_>, observed: &Observed, config: &OperatorConfig) -> bool {
    let is_old = whose(member.pod) == Some(&config.users.replication_username);
    let patroni = observed.patroni.known();
    let has_leader = patroni.is_some_and(|patroni| patroni.running_leader().is_some());
    let is_lost = member
        .view
        .is_some_and(|view| !view.leads() && view.state == "running" && !view.keeps_up());
    is_old && has_leader && is_lost && !member.pod.terminating
}

/// It gives such a role another password, which a pod that starts before it would know too early.
pub(super) fn changes_one(step: &Step, cluster: &Cluster) -> bool {
    let is_one = |name: &str| cluster.role(name).is_some_and(is_read);
    match &step.action {
        Action::RunSql { subject, .. } => {
            sets_password(step) && matches!(subject, Subject::Role(name) if is_one(name))
        }
        Action::ChangeSecret(change) => {
            change.password != NewPassword::Keep && is_one(&change.draft.username)
        }
        _ => false,
    }
}

/// One of its statements is about a password.
pub(super) fn sets_password(step: &Step) -> bool {
    let is_of_password = |it: &Statement| matches!(it, Statement::SetPassword { .. });
    matches!(&step.action, Action::RunSql { statements, .. } if statements.iter().any(is_of_password))
}

/// It says of a pod that it knows an old one.
pub(super) fn is_mark(step: &Step) -> bool {
    matches!(&step.action, Action::Relabel { annotations, .. } if annotations.contains_key(PASSWORD_CHANGED))
}
