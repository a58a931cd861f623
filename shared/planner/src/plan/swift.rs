//! A planned switchover that does not wait for Patroni's glance. A primary that hands over ends its Postgres, and its Patroni looks once a second
//! whether that has ended before it gives the lock away: for most of that second nobody leads. Told to end Postgres with a command of its
//! own (`postgresql.before_stop`, dynamic), which returns at the end, it has nothing to look for. Lives here: when the command is in
//! Patroni's configuration. Must not: who moves where (`roll`).
//!
//! It is there from right before a switchover until the next turn, so that a stop for any other reason is as it always was; nothing is
//! remembered: the command itself is the mark by which a later turn, or another controller, knows what to take away.

use pgherd_model::config::OperatorConfig;
use serde_json::{Value, json};

use super::{Action, Plan, Precondition, Reason};
use crate::observed::{MemberRole, Observed, PatroniView};

const POSTGRESQL: &str = "postgresql";
const BEFORE_STOP: &str = "before_stop";
const PLACE: &str = "/postgresql/before_stop";
/// Asks Postgres for a fast shutdown, as Patroni does right afterwards, and waits until it has ended, for ten seconds at most: what takes longer
/// Patroni takes care of as ever.
const COMMAND: &str = "sh -c 'read pid < \"${PGDATA:-/home/postgres/pgdata/pgroot/data}/postmaster.pid\" && kill -INT $pid; i=0; while \
                       kill -0 $pid 2>/dev/null && [ $i -lt 500 ]; do sleep 0.02; i=$((i+1)); done' pgherd";

/// The shell is given this name for itself, which it does not use: by it the command is known as ours, whichever pgherd wrote it.
const MARK: &str = " pgherd";

/// Before a switchover, where the leader writes and nobody else has a command there.
pub(super) fn prepare(
    view: &PatroniView,
    config: &OperatorConfig,
    still: &Precondition,
    reason: &Reason,
    plan: &mut Plan,
) {
    let is_primary = view
        .leader()
        .is_some_and(|leader| leader.role == MemberRole::Leader);
    let is_known = view.config.as_object().is_some_and(|config| !config.is_empty());
    if config.fleet.fast_switchover && is_primary && is_known && found(view).is_none() {
        plan.quiet(set(&Value::from(COMMAND)), reason.clone(), still.clone());
    }
}

/// When no switchover is under way.
pub(super) fn take_back(observed: &Observed, plan: &mut Plan) {
    let Some(view) = observed.patroni.known() else {
        return;
    };
    let moves = |action: &Action| matches!(action, Action::Switchover { .. });
    let is_needed = view.request.is_some() || plan.steps.iter().any(|step| moves(&step.action));
    if found(view).is_some_and(is_ours) && !is_needed {
        let reason = Reason::Differs(vec![PLACE.to_owned()]);
        plan.quiet(set(&Value::Null), reason, Precondition::None);
    }
}

/// The change of Patroni's configuration is about nothing else: without it a switchover is as good, and takes a second longer.
pub(super) fn is_swiftness(action: &Action) -> bool {
    let Action::PatchPatroni(patch) = action else {
        return false;
    };
    let is_alone = |value: &Value, key: &str| {
        let object = value.as_object();
        object.is_some_and(|object| object.len() == 1 && object.contains_key(key))
    };
    is_alone(patch, POSTGRESQL) && is_alone(&patch[POSTGRESQL], BEFORE_STOP)
}

fn is_ours(command: &Value) -> bool {
    let text = command.as_str();
    text.is_some_and(|text| text.starts_with("sh -c ") && text.ends_with(MARK))
}

fn set(command: &Value) -> Action {
    Action::PatchPatroni(json!({ POSTGRESQL: { BEFORE_STOP: command } }))
}

fn found(view: &PatroniView) -> Option<&Value> {
    view.config
        .get(POSTGRESQL)?
        .get(BEFORE_STOP)
        .filter(|command| !command.is_null())
}
