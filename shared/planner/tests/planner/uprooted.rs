//! Plain cases of what has lost, or is about to lose, what it stands on: members on nodes that go, pods without their StatefulSet, pods that
//! never ran.

use pgherd_model::units::Window;
use pgherd_planner::plan::HoldReason;

use crate::rolling::{edited, story};
use crate::simulation::{Condition, Luck, Simulation, StatefulSetIs};

/// Members on these nodes, the first of which goes; the first member leads.
fn cordoned(nodes: &[u32]) -> Simulation {
    let mut simulation = Simulation::new(u32::try_from(nodes.len()).unwrap());
    for (pod, node) in simulation.truth.pods.values_mut().zip(nodes) {
        pod.node = *node;
    }
    simulation.truth.cordoned.insert(nodes[0]);
    simulation.remember();
    simulation
}

#[test]
fn a_primary_moves_off_a_node_that_goes_and_no_pod_goes_for_it() {
    let mut simulation = cordoned(&[0, 1, 2]);
    assert_eq!(
        story(&mut simulation),
        ["switch over from minimal-0 to minimal-1"]
    );
    assert_eq!(simulation.deletions, 0);
}

#[test]
fn a_candidate_on_a_node_that_stays_comes_before_a_nearer_one() {
    let mut simulation = cordoned(&[0, 0, 2]);
    simulation.truth.pods.get_mut(&2).unwrap().lag = 900;
    simulation.remember();
    assert_eq!(
        story(&mut simulation),
        ["switch over from minimal-0 to minimal-2"]
    );
}

#[test]
fn who_is_to_take_over_leaves_the_same_node_first() {
    let mut simulation = cordoned(&[0, 0]);
    assert_eq!(
        story(&mut simulation),
        [
            "make Pod default/minimal-1 anew",
            "switch over from minimal-0 to minimal-1"
        ]
    );
}

#[test]
fn a_single_member_goes_itself() {
    let mut simulation = cordoned(&[0]);
    assert_eq!(story(&mut simulation), ["make Pod default/minimal-0 anew"]);
}

#[test]
fn outside_of_its_windows_a_primary_stays_and_says_until_when() {
    let mut simulation = cordoned(&[0, 1]);
    simulation.cluster.windows = vec![Window::parse("00:03-00:04").unwrap()];
    let mut luck = Luck::new(1);
    for _ in 0..5 {
        simulation.tick(&mut luck).unwrap();
    }
    assert_eq!(simulation.switchovers, 0);
    let plan = simulation.plan(&simulation.observe());
    let opens = "1970-01-01T00:03:00Z".parse().unwrap();
    let says = |hold: &&pgherd_planner::plan::Hold| matches!(hold.reason, HoldReason::NodeLeaves { .. });
    let hold = plan.holds.iter().find(says).unwrap();
    assert_eq!(hold.until, Some(opens));
    assert_eq!(plan.wake_after, Some(opens.duration_since(simulation.now())));
    for _ in 0..200 {
        simulation.tick(&mut luck).unwrap();
    }
    assert!(simulation.is_settled() && simulation.switchovers == 1);
}

#[test]
fn pods_without_their_stateful_set_get_it_back_and_stay() {
    let mut simulation = Simulation::new(3);
    simulation.truth.set = StatefulSetIs::Going;
    assert_eq!(story(&mut simulation), ["apply StatefulSet default/minimal"]);
    assert_eq!(simulation.deletions + simulation.switchovers, 0);
}

/// The set that is made anew has room for the member that leaves, so that it leaves in its order.
#[test]
fn a_scale_down_without_the_stateful_set_moves_the_primary_first() {
    let mut simulation = Simulation::new(3);
    simulation.truth.set = StatefulSetIs::Absent;
    simulation.truth.leader = Some(2);
    simulation.cluster.instances = 2;
    assert_eq!(
        story(&mut simulation),
        [
            "apply StatefulSet default/minimal",
            "switch over from minimal-2 to minimal-0",
            "scale StatefulSet default/minimal to 2"
        ]
    );
}

#[test]
fn what_kubernetes_does_not_let_change_costs_no_pod() {
    let mut simulation = Simulation::new(3);
    simulation.wanted.parallel = true;
    simulation.wanted.version += 1;
    assert_eq!(
        story(&mut simulation),
        [
            "delete StatefulSet default/minimal",
            "apply StatefulSet default/minimal"
        ]
    );
    assert_eq!(simulation.deletions + simulation.switchovers, 0);
}

#[test]
fn what_a_policy_rewrites_is_tried_once_and_then_said() {
    let mut simulation = Simulation::new(2);
    simulation.wanted.parallel = true;
    simulation.wanted.version += 1;
    simulation.truth.rewrites = true;
    let mut luck = Luck::new(1);
    for _ in 0..300 {
        simulation.tick(&mut luck).unwrap();
    }
    assert_eq!(simulation.taken, [""; 0]);
    let plan = simulation.plan(&simulation.observe());
    let reason = HoldReason::Rewritten(vec!["/spec/podManagementPolicy".to_owned()]);
    let reasons: Vec<_> = plan.holds.iter().map(|hold| &hold.reason).collect();
    assert_eq!((plan.steps.len(), reasons), (0, vec![&reason]));
    // Another change goes on meanwhile.
    edited(&mut simulation);
    simulation.wanted.parallel = true;
    for _ in 0..100 {
        simulation.tick(&mut luck).unwrap();
    }
    assert_eq!(simulation.deletions, 2, "{:?}", simulation.taken);
}

/// Nobody leads, nobody answers, and every pod fails: an edit still gets through (zalando-behaviour A.21).
#[test]
fn a_cluster_that_never_ran_is_mended_by_an_edit() {
    let mut simulation = Simulation::new(2);
    let truth = &mut simulation.truth;
    truth.leader = None;
    truth.templates.get_mut(&1).unwrap().broken = true;
    truth.template.broken = true;
    for pod in truth.pods.values_mut() {
        pod.condition = Condition::Broken;
    }
    simulation.faults.silent = 30;
    simulation.remember();
    edited(&mut simulation);
    assert_eq!(
        story(&mut simulation),
        [
            "apply StatefulSet default/minimal",
            "make Pod default/minimal-0 anew",
            "make Pod default/minimal-1 anew"
        ]
    );
}
