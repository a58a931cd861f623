//! What the API server does not let us change, and what goes on beside it.

use pgherd_planner::observed::{Observed, RefusedStep};
use pgherd_planner::plan::{Action, Plan, Step};

use crate::simulation::Simulation;

/// The snapshot in which this step of the plan was just refused.
fn after_refusal(simulation: &Simulation, is: fn(&Step) -> bool) -> Observed {
    let mut observed = simulation.observe();
    let plan = simulation.plan(&observed);
    let step = plan.steps.iter().find(|step| is(step)).unwrap();
    assert!(step.shapes_members());
    observed.refused = Some(RefusedStep {
        step: step.to_string(),
        why: "denied by a policy".to_owned(),
    });
    observed
}

fn scales(step: &Step) -> bool {
    matches!(step.action, Action::Scale { .. })
}

fn applies(step: &Step) -> bool {
    matches!(step.action, Action::Apply(_))
}

fn tries(step: &Step) -> bool {
    matches!(step.action, Action::CheckTemplate { .. })
}

fn moves(step: &Step) -> bool {
    matches!(step.action, Action::Switchover { .. })
}

/// What is told, once.
fn told(plan: &Plan) -> String {
    let failure = plan.declined().unwrap();
    assert!(failure.hinders);
    failure.to_string()
}

/// The leader's node goes, which waits for the change as long as nothing was refused.
fn drained() -> Simulation {
    let mut simulation = Simulation::new(3);
    simulation.truth.cordoned.insert(0);
    simulation
}

#[test]
fn a_number_of_members_that_is_refused_keeps_no_primary_on_its_node() {
    let mut simulation = drained();
    simulation.cluster.instances = 4;
    assert!(!simulation.plan(&simulation.observe()).steps.iter().any(moves));
    let observed = after_refusal(&simulation, scales);
    let plan = simulation.plan(&observed);
    assert!(plan.steps.iter().any(moves), "{plan:?}");
    assert!(!plan.steps.iter().any(scales), "{plan:?}");
    assert!(
        told(&plan).ends_with("to 4 (from 3 to 4 members): denied by a policy"),
        "{}",
        told(&plan)
    );
    simulation.cluster.instances = 5;
    assert!(
        simulation.plan(&observed).declined().is_none(),
        "another number is another question"
    );
}

#[test]
fn beside_a_template_that_is_refused_primaries_move_and_members_come() {
    let mut simulation = drained();
    simulation.wanted.version = 2;
    simulation.wanted.image = 2;
    assert!(!simulation.plan(&simulation.observe()).steps.iter().any(moves));
    let observed = after_refusal(&simulation, applies);
    let plan = simulation.plan(&observed);
    assert!(plan.steps.iter().any(moves), "{plan:?}");
    assert!(!plan.steps.iter().any(applies), "{plan:?}");
    assert_eq!(plan.template, None, "what is wanted is not carried out");
    assert!(plan.wake_after.is_some(), "it is tried again");
    simulation.cluster.instances = 4;
    let plan = simulation.plan(&observed);
    assert!(plan.steps.iter().any(scales), "{plan:?}");
}

#[test]
fn a_trial_that_is_refused_is_not_repeated_and_a_broken_member_waits_for_it() {
    use crate::simulation::{Condition, Template};

    let mut simulation = Simulation::new(3);
    let newer = Template {
        version: 2,
        image: 2,
        ..simulation.wanted.clone()
    };
    simulation.wanted = newer.clone();
    simulation.truth.store(newer);
    simulation.truth.seen = (simulation.truth.generation, 2);
    simulation.truth.pods.get_mut(&2).unwrap().condition = Condition::Broken;
    simulation.remember();
    let observed = after_refusal(&simulation, tries);
    let plan = simulation.plan(&observed);
    assert!(plan.steps.is_empty(), "{plan:?}");
    assert!(told(&plan).contains("denied by a policy"));
}
