//! What must never happen, whatever goes wrong. Each law is checked on every step or after every tick, by the truth where the planner is
//! answerable for it, by what it saw where it could not know better.

use pgherd_model::units::window;
use pgherd_planner::observed::{Observed, PodView};
use pgherd_planner::plan::{Action, Plan, Step};

use super::{Condition, Pod, Simulation, name, ordinal};

/// A broken law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) law: &'static str,
    pub(crate) how: String,
}

pub(crate) const ONE_AT_A_TIME: &str = "never two members down by us";
pub(crate) const OTHERS_UP: &str = "nobody is disturbed while another member is not up";
pub(crate) const PRIMARY_LAST: &str = "the primary's pod goes last, and never while it leads others";
pub(crate) const POSTGRES_ORDER: &str = "no replica has less than its primary";
pub(crate) const WINDOWS: &str = "who serves is disturbed inside of the windows only";
pub(crate) const TRIED: &str = "a template is tried before a pod goes for it";
pub(crate) const DETERMINISM: &str = "the same snapshot gives the same plan";
pub(crate) const ONE_SWITCHOVER: &str = "at most one switchover per roll when nothing else fails";
pub(crate) const UNNEEDED: &str = "what running pods can do without disturbs none";
pub(crate) const MADE_ANEW: &str = "no pod goes while nothing would make it anew";
pub(crate) const IN_VAIN: &str = "no StatefulSet goes for what an admission policy would rewrite";
pub(crate) const GIVEN_TIME: &str = "a switchover is taken back only when nobody has led for a while";
pub(crate) const HEALTHY_STAY: &str = "no member that is up goes for one that is not";
pub(crate) const GOOD_NODE: &str = "no primary is moved to a node that goes";
pub(crate) const KEPT: &str = "while the StatefulSet may not change, members are kept all the same";
pub(crate) const PROGRESS: &str = "when nothing fails any more, all becomes as wanted";
pub(crate) const FIXPOINT: &str = "when all is as wanted, nothing is planned";

pub(crate) fn broken(law: &'static str, how: impl Into<String>) -> Result<(), Broken> {
    Err(Broken { law, how: how.into() })
}

pub(super) fn determinism(plan: &Plan, again: &Plan) -> Result<(), Broken> {
    if plan == again {
        return Ok(());
    }
    broken(DETERMINISM, format!("{plan:?} {again:?}"))
}

/// Right before the first pod of a plan goes, its template was tried.
pub(super) fn tried_first(plan: &Plan) -> Result<(), Broken> {
    let deletes = |step: &Step| matches!(step.action, Action::DeletePod { .. });
    let tries = |step: &Step| matches!(step.action, Action::CheckTemplate { .. });
    let first = plan.steps.iter().find(|step| deletes(step) || tries(step));
    if first.is_some_and(deletes) {
        return broken(TRIED, format!("{:?}", plan.steps));
    }
    Ok(())
}

/// A step that is about to take effect.
pub(super) fn before(simulation: &Simulation, observed: &Observed, step: &Step) -> Result<(), Broken> {
    let pods = &simulation.truth.pods;
    let disturbed = match &step.action {
        Action::DeletePod { target } => {
            let found = pods.iter().find(|(_, pod)| pod.uid.to_string() == target.uid);
            // Gone, or on its way: nothing happens.
            match found.filter(|(_, pod)| pod.ending.is_none()) {
                None => return Ok(()),
                Some((ordinal, _)) => *ordinal,
            }
        }
        Action::RestartPostgres { member } => ordinal(member),
        Action::Switchover { leader, .. } => ordinal(leader),
        Action::Delete { .. } if simulation.truth.rewrites => return broken(IN_VAIN, step.to_string()),
        Action::TakeBackHandover { .. } => return given_time(simulation, step),
        Action::Scale { replicas, .. } => return healthy_stay(observed, *replicas, step),
        _ => return Ok(()),
    };
    let Some(pod) = pods.get(&disturbed) else {
        return Ok(());
    };
    if pod.condition == Condition::Broken {
        return Ok(());
    }
    let line = || format!("{step} at {}", simulation.now());
    if !window::is_open(&simulation.cluster.windows, simulation.now()) {
        return broken(WINDOWS, line());
    }
    let mut ours = simulation.truth.ours.iter();
    if ours.any(|ordinal| *ordinal != disturbed && simulation.stays(*ordinal)) {
        return broken(ONE_AT_A_TIME, line());
    }
    lands_well(simulation, observed, step, &line)?;
    others_up(simulation, observed, disturbed, &line)?;
    primary_last(simulation, observed, step, disturbed, &line)?;
    postgres_order(simulation, step, disturbed, &line)
}

/// As far as could be seen.
fn healthy_stay(observed: &Observed, replicas: i32, step: &Step) -> Result<(), Broken> {
    let stays = |pod: &&PodView| i64::from(ordinal(&pod.name)) < i64::from(replicas);
    let (staying, going): (Vec<&PodView>, Vec<&PodView>) =
        observed.pods.known().unwrap().iter().partition(stays);
    let is_up = |pod: &&PodView| pod.ready && !pod.terminating;
    let are_up = staying.into_iter().filter(is_up).count();
    let is_whole = i64::try_from(are_up).unwrap() == i64::from(replicas);
    if !is_whole && going.iter().any(|pod| is_up(pod) && runs(observed, pod)) {
        return broken(HEALTHY_STAY, step.to_string());
    }
    Ok(())
}

/// Patroni says so.
fn runs(observed: &Observed, pod: &PodView) -> bool {
    let members = observed.patroni.known().map(|view| view.members.as_slice());
    let member = members
        .unwrap_or_default()
        .iter()
        .find(|member| member.name == pod.name);
    member.is_some_and(|member| ["running", "streaming"].contains(&member.state.as_str()))
}

/// As long as Patroni believes in a leader that is silent.
fn given_time(simulation: &Simulation, step: &Step) -> Result<(), Broken> {
    let request = simulation.truth.request;
    let asked = request.is_some_and(|request| simulation.now().duration_since(request.since).as_secs() >= 30);
    if simulation.truth.leader.is_none() && asked {
        return Ok(());
    }
    broken(GIVEN_TIME, format!("{step} at {}", simulation.now()))
}

/// By what was seen of the StatefulSet and of the nodes.
fn lands_well(
    simulation: &Simulation,
    observed: &Observed,
    step: &Step,
    line: &dyn Fn() -> String,
) -> Result<(), Broken> {
    let stored = observed.stateful_set.known().and_then(Option::as_ref);
    let is_there = stored.is_some_and(|stored| stored.metadata.deletion_timestamp.is_none());
    match &step.action {
        Action::DeletePod { .. } if !is_there => broken(MADE_ANEW, line()),
        Action::Switchover { candidate, .. } if !simulation.truth.is_on_good_node(ordinal(candidate)) => {
            broken(GOOD_NODE, line())
        }
        _ => Ok(()),
    }
}

/// By what was seen: a member that fell over a moment ago nobody could know of.
fn others_up(
    simulation: &Simulation,
    observed: &Observed,
    disturbed: u32,
    line: &dyn Fn() -> String,
) -> Result<(), Broken> {
    let seen = observed.pods.known().unwrap();
    let up = |pod: &&PodView| pod.ready && !pod.terminating && runs(observed, pod);
    let others = |pod: &&PodView| {
        let number = ordinal(&pod.name);
        number != disturbed && simulation.stays(number)
    };
    let count = seen.iter().filter(others).filter(up).count();
    let staying = usize::from(simulation.stays(disturbed));
    if count + staying < usize::try_from(simulation.cluster.instances).unwrap() {
        return broken(OTHERS_UP, line());
    }
    Ok(())
}

/// While another pod serves, as far as could be seen.
fn primary_last(
    simulation: &Simulation,
    observed: &Observed,
    step: &Step,
    disturbed: u32,
    line: &dyn Fn() -> String,
) -> Result<(), Broken> {
    let leads = simulation.truth.leader == Some(disturbed);
    let goes = matches!(step.action, Action::DeletePod { .. });
    let is_seen = |ordinal: u32| {
        let mut seen = observed.pods.known().unwrap().iter();
        seen.any(|pod| pod.name == name(ordinal))
    };
    let other = |(ordinal, pod): (&u32, &Pod)| *ordinal != disturbed && pod.serves() && is_seen(*ordinal);
    if leads && goes && simulation.truth.pods.iter().any(other) {
        return broken(PRIMARY_LAST, line());
    }
    Ok(())
}

/// Raised on replicas first, lowered on the primary first.
fn postgres_order(
    simulation: &Simulation,
    step: &Step,
    disturbed: u32,
    line: &dyn Fn() -> String,
) -> Result<(), Broken> {
    let truth = &simulation.truth;
    let restarts = matches!(step.action, Action::RestartPostgres { .. });
    if !restarts || truth.leader != Some(disturbed) {
        return Ok(());
    }
    let less = |(ordinal, pod): (&u32, &Pod)| {
        *ordinal != disturbed && simulation.stays(*ordinal) && pod.connections < truth.connections
    };
    if truth.pods.iter().any(less) {
        return broken(POSTGRES_ORDER, line());
    }
    Ok(())
}
