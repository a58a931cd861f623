//! Rolls for a password that pods read when they start: one snapshot and its plan at a time.

use pgherd_model::names::annotations::{PASSWORD_CHANGED, ROLL_MARKED, ROLLING_UPDATE_REQUIRED};
use pgherd_model::units::Window;
use pgherd_planner::observed::{Observed, RoleView};
use pgherd_planner::plan::{Action, HoldReason, Plan, Reason};

use crate::simulation::Simulation;
use crate::world::known;

/// All that runs runs as wanted; these members have started with the password of this role before it changed.
fn marked(members: &[usize], role: &str) -> (Simulation, Observed) {
    let simulation = Simulation::new(3);
    let mut observed = simulation.observe();
    for member in members {
        let pod = &mut known(&mut observed.pods)[*member];
        let mark = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        pod.annotations.extend([
            mark(ROLLING_UPDATE_REQUIRED, "true"),
            mark(PASSWORD_CHANGED, role),
        ]);
    }
    (simulation, observed)
}

/// Its connection to the primary was lost, and the server does not let it in again.
fn lock_out(observed: &mut Observed, member: usize) {
    let view = &mut known(&mut observed.patroni).members[member];
    "running".clone_into(&mut view.state);
    view.lag = None;
}

fn goes(plan: &Plan) -> Option<(&str, &Reason)> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::DeletePod { target } => Some((target.name.as_str(), &step.reason)),
        _ => None,
    })
}

#[test]
fn marked_pods_are_made_anew_like_those_of_an_older_template() {
    let (simulation, observed) = marked(&[0, 1, 2], "postgres");
    let plan = simulation.plan(&observed);
    assert_eq!(goes(&plan), Some(("minimal-1", &Reason::Outdated)));
    assert_eq!(plan.rolled(), ["minimal-0", "minimal-1", "minimal-2"]);
    let (simulation, observed) = marked(&[0], "postgres");
    let moves = |step: &pgherd_planner::plan::Step| matches!(step.action, Action::Switchover { .. });
    assert!(simulation.plan(&observed).steps.iter().any(moves));
}

/// The mark of a roll for a template goes when the edit is taken back; the password stays another.
#[test]
fn a_mark_for_a_password_outlives_one_for_a_template() {
    let (simulation, mut observed) = marked(&[1], "standby");
    let pod = &mut known(&mut observed.pods)[1];
    let ours = (ROLL_MARKED.to_owned(), "true".to_owned());
    pod.annotations.extend([ours]);
    assert_eq!(
        goes(&simulation.plan(&observed)),
        Some(("minimal-1", &Reason::Outdated))
    );
}

#[test]
fn nothing_that_starts_reads_a_password_that_the_server_does_not_have_yet() {
    let (mut simulation, mut observed) = marked(&[0, 1, 2], "standby");
    simulation.config.debug.enable_database_access = true;
    let standby = RoleView {
        login: true,
        replication: true,
        password_matches: Some(false),
        ..RoleView::default()
    };
    let catalog = known(&mut observed.catalog);
    catalog.roles.insert("standby".to_owned(), standby);
    let plan = simulation.plan(&observed);
    let tells = |step: &pgherd_planner::plan::Step| step.to_string().contains("standby");
    assert!(plan.steps.iter().any(tells), "{:?}", plan.steps);
    assert_eq!(goes(&plan), None);
    assert!(plan.wake_after.is_some());
    known(&mut observed.catalog)
        .roles
        .get_mut("standby")
        .unwrap()
        .password_matches = Some(true);
    assert!(goes(&simulation.plan(&observed)).is_some());
}

/// Nobody streams to it any more, and it will not come back: waiting for it would be waiting for ever.
#[test]
fn a_replica_that_cannot_come_back_is_made_anew_at_once() {
    for (others, windows) in [(vec![0, 1, 2], ""), (vec![1], "00:03-00:04")] {
        let (mut simulation, mut observed) = marked(&others, "standby");
        lock_out(&mut observed, 1);
        if !windows.is_empty() {
            simulation.cluster.windows = vec![Window::parse(windows).unwrap()];
        }
        let plan = simulation.plan(&observed);
        let gone = goes(&plan);
        assert!(
            matches!(gone, Some(("minimal-1", Reason::Broken(why))) if why.contains("password")),
            "{gone:?}"
        );
    }
    // One that only looks for its primary finds it: not without somebody who leads, and not for a password that it does not need.
    let (simulation, mut observed) = marked(&[0, 1, 2], "postgres");
    lock_out(&mut observed, 1);
    assert_eq!(goes(&simulation.plan(&observed)), None);
    let (simulation, mut observed) = marked(&[0, 1, 2], "standby");
    lock_out(&mut observed, 1);
    "starting".clone_into(&mut known(&mut observed.patroni).members[0].state);
    assert_eq!(goes(&simulation.plan(&observed)), None);
}

#[test]
fn outside_of_the_windows_marked_pods_wait() {
    let (mut simulation, observed) = marked(&[0, 1, 2], "standby");
    simulation.cluster.windows = vec![Window::parse("00:03-00:04").unwrap()];
    let plan = simulation.plan(&observed);
    assert_eq!(goes(&plan), None);
    let waits = |hold: &pgherd_planner::plan::Hold| hold.reason == HoldReason::OutsideWindows;
    assert!(plan.holds.iter().any(waits), "{:?}", plan.holds);
}
