//! The command that shortens a planned switchover: when it comes and goes.

use pgherd_planner::observed::{HandoverRequest, MemberRole, Observed};
use pgherd_planner::plan::{Action, Plan};
use serde_json::{Value, json};

use crate::gate::before_the_switchover;
use crate::simulation::Simulation;
use crate::world::known;

/// What is put into `before_stop`, and whether a switchover follows it.
fn commands(plan: &Plan) -> Vec<(Value, bool)> {
    let steps = plan.steps.iter().enumerate();
    let patches = steps.filter_map(|(place, step)| match &step.action {
        Action::PatchPatroni(patch) => Some((place, patch["postgresql"]["before_stop"].clone())),
        _ => None,
    });
    let moves = |place: usize| {
        let mut later = plan.steps[place..].iter();
        later.any(|step| matches!(step.action, Action::Switchover { .. }))
    };
    patches.map(|(place, command)| (command, moves(place))).collect()
}

fn set(observed: &mut Observed, command: &Value) {
    known(&mut observed.patroni).config["postgresql"]["before_stop"] = command.clone();
}

fn command() -> Value {
    let (simulation, observed) = before_the_switchover();
    commands(&simulation.plan(&observed)).remove(0).0
}

#[test]
fn it_comes_right_before_a_switchover() {
    let (simulation, observed) = before_the_switchover();
    let found = commands(&simulation.plan(&observed));
    let [(Value::String(command), true)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(command.contains("kill -INT"), "{command}");
}

#[test]
fn it_goes_when_no_switchover_is_under_way() {
    let simulation = Simulation::new(3);
    let mut observed = simulation.observe();
    assert_eq!(commands(&simulation.plan(&observed)), []);
    set(&mut observed, &command());
    assert_eq!(commands(&simulation.plan(&observed)), [(Value::Null, false)]);
    known(&mut observed.patroni).request = Some(HandoverRequest::default());
    assert_eq!(commands(&simulation.plan(&observed)), [], "it is in use");
}

#[test]
fn one_that_is_there_already_is_not_sent_again() {
    let (simulation, mut observed) = before_the_switchover();
    set(&mut observed, &command());
    assert_eq!(commands(&simulation.plan(&observed)), []);
}

#[test]
fn a_command_of_somebody_else_stays() {
    let (simulation, mut observed) = before_the_switchover();
    set(&mut observed, &json!("/usr/local/bin/farewell"));
    assert_eq!(commands(&simulation.plan(&observed)), []);
    let simulation = Simulation::new(3);
    let mut observed = simulation.observe();
    set(&mut observed, &json!("/usr/local/bin/farewell"));
    assert_eq!(commands(&simulation.plan(&observed)), []);
}

#[test]
fn the_command_of_another_pgherd_goes_like_ours() {
    let simulation = Simulation::new(3);
    let mut observed = simulation.observe();
    set(&mut observed, &json!("sh -c 'pg_ctl stop -m fast' pgherd"));
    assert_eq!(commands(&simulation.plan(&observed)), [(Value::Null, false)]);
    for other in [
        "/opt/notify pgherd",
        "sh -c 'echo pgherd'",
        "sh -c 'true' pgherd-exporter",
    ] {
        set(&mut observed, &json!(other));
        assert_eq!(commands(&simulation.plan(&observed)), [], "{other}");
    }
    let Value::String(command) = command() else {
        panic!("no text")
    };
    assert!(command.contains("kill -0 $pid 2>/dev/null"), "{command}");
}

#[test]
fn who_writes_nothing_needs_none_and_it_can_be_switched_off() {
    let (mut simulation, mut observed) = before_the_switchover();
    simulation.config.fleet.fast_switchover = false;
    assert_eq!(commands(&simulation.plan(&observed)), []);
    simulation.config.fleet.fast_switchover = true;
    let leader = &mut known(&mut observed.patroni).members[0];
    leader.role = MemberRole::StandbyLeader;
    "streaming".clone_into(&mut leader.state);
    known(&mut observed.patroni).config["standby_cluster"] = json!({"host": "elsewhere"});
    assert_eq!(commands(&simulation.plan(&observed)), []);
}
