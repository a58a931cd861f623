//! Rolls, switchovers and restarts: random schedules against the laws, each law against a bug, and the order of steps in plain cases.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::SignedDuration;
use pgherd_model::units::Window;
use pgherd_planner::observed::{HandoverRequest, MemberRole, ObjectRef, Observed, PodView, Source};
use pgherd_planner::plan::{Action, Hold, HoldReason, Impact, Object, Plan, Precondition, Reason, Step};

use crate::simulation::laws::{self, Broken};
use crate::simulation::schedule::Schedule;
use crate::simulation::{Condition, Luck, Mutation, Request, Simulation, Template};

/// How many schedules a run tries, out of a debug build in half a minute; `PGHERD_SCHEDULES` says another number, `PGHERD_SEED` runs one.
const SCHEDULES: u64 = 2_000;
/// How many where nobody waits: under `CI`.
const MANY_SCHEDULES: u64 = 10_000;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The smallest form of the first failure among these seeds.
fn search(seeds: impl Iterator<Item = u64>, mutation: Option<Mutation>) -> Option<(Schedule, Broken)> {
    for seed in seeds {
        let schedule = Schedule::draw(seed);
        if let Err(broken) = schedule.run(mutation) {
            let small = schedule.shrunk(broken.law, mutation);
            let broken = small.run(mutation).err().unwrap_or(broken);
            return Some((small, broken));
        }
    }
    None
}

#[test]
fn no_schedule_breaks_a_law() {
    let usual = if std::env::var_os("CI").is_some() {
        MANY_SCHEDULES
    } else {
        SCHEDULES
    };
    let count = from_environment("PGHERD_SCHEDULES").unwrap_or(usual);
    let seeds = match from_environment("PGHERD_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..count,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let failure = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| {
                let seeds = seeds.clone().filter(move |seed| seed % threads == part);
                scope.spawn(move || search(seeds, None))
            })
            .collect();
        parts.into_iter().find_map(|part| part.join().unwrap())
    });
    if let Some((schedule, broken)) = failure {
        panic!("seed {}: {broken:#?} in {schedule:?}", schedule.seed);
    }
}

fn step(action: Action) -> Step {
    Step {
        action,
        reason: Reason::Outdated,
        impact: Impact::None,
        precondition: Precondition::None,
    }
}

fn remake(pod: &PodView) -> Step {
    let target = ObjectRef {
        kind: "Pod".to_owned(),
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        ..ObjectRef::default()
    };
    step(Action::DeletePod { target })
}

fn deletes(step: &Step) -> bool {
    matches!(step.action, Action::DeletePod { .. })
}

/// Pods as seen, of this role.
fn seen<'a>(observed: &'a Observed, role: &'static str) -> impl Iterator<Item = &'a PodView> {
    let pods = observed.pods.known().unwrap().iter();
    pods.filter(move |pod| pod.role_label == role && !pod.terminating)
}

/// Each bug, and the law that has to notice it.
const PLANTED: [(&str, Mutation); 17] = [
    (laws::ONE_AT_A_TIME, |_, observed, plan| {
        if plan.steps.iter().any(deletes) {
            plan.steps.extend(seen(observed, "replica").map(remake));
        }
    }),
    (laws::OTHERS_UP, |_, observed, plan| {
        if plan.steps.is_empty() && !plan.rolled().is_empty() {
            plan.steps.extend(seen(observed, "replica").take(1).map(remake));
        }
        try_all(plan);
    }),
    (laws::PRIMARY_LAST, |_, observed, plan| {
        if let Some(found) = plan.steps.iter_mut().find(|step| deletes(step)) {
            seen(observed, "master").for_each(|pod| *found = remake(pod));
        }
    }),
    (laws::POSTGRES_ORDER, |_, observed, plan| {
        for step in &mut plan.steps {
            if let Action::RestartPostgres { member } = &mut step.action {
                seen(observed, "master").for_each(|pod| member.clone_from(&pod.name));
            }
        }
    }),
    (laws::WINDOWS, |_, observed, plan| {
        if plan
            .holds
            .iter()
            .any(|hold| hold.reason == HoldReason::OutsideWindows)
        {
            plan.steps.extend(seen(observed, "replica").take(1).map(remake));
        }
        try_all(plan);
    }),
    (laws::TRIED, |_, _, plan| {
        plan.steps
            .retain(|step| !matches!(step.action, Action::CheckTemplate { .. }));
    }),
    (laws::DETERMINISM, |_, _, plan| {
        static MOOD: AtomicI64 = AtomicI64::new(0);
        plan.wake_after = Some(SignedDuration::from_secs(MOOD.fetch_add(1, Ordering::Relaxed)));
    }),
    (laws::ONE_SWITCHOVER, |simulation, observed, plan| {
        if simulation.switchovers < 3 && plan.steps.iter().any(deletes) {
            let (leader, candidate) = (seen(observed, "master").next(), seen(observed, "replica").next());
            if let (Some(leader), Some(candidate)) = (leader, candidate) {
                plan.steps = vec![step(Action::Switchover {
                    leader: leader.name.clone(),
                    candidate: candidate.name.clone(),
                })];
            }
        }
    }),
    (laws::UNNEEDED, |_, observed, plan| {
        let annotates = |step: &Step| matches!(step.action, Action::Relabel { .. });
        if plan.steps.iter().any(annotates) && plan.rolled().is_empty() {
            plan.steps.extend(seen(observed, "replica").take(1).map(remake));
            try_all(plan);
        }
    }),
    (laws::MADE_ANEW, |_, observed, plan| {
        if observed.stateful_set.known().is_some_and(Option::is_none) {
            plan.steps = seen(observed, "replica").take(1).map(remake).collect();
            try_all(plan);
        }
    }),
    (laws::IN_VAIN, |_, _, plan| {
        plan.steps
            .retain(|step| !matches!(step.action, Action::CheckObject(_)));
    }),
    (laws::GIVEN_TIME, |_, observed, plan| {
        let request = observed.patroni.known().and_then(|view| view.request.clone());
        plan.steps.extend(request.map(|request| {
            step(Action::TakeBackHandover {
                target: request.kept_in,
                candidate: request.candidate,
            })
        }));
    }),
    (laws::HEALTHY_STAY, |simulation, observed, plan| {
        let waits = |hold: &Hold| matches!(hold.reason, HoldReason::HealthyWouldGo(_));
        let stored = observed.stateful_set.known().and_then(Option::as_ref);
        if let (true, Some(stored)) = (plan.holds.iter().any(waits), stored) {
            plan.steps = vec![step(Action::Scale {
                target: Object::StatefulSet(Box::new(stored.clone())).reference(),
                replicas: simulation.cluster.instances,
            })];
        }
    }),
    (laws::GOOD_NODE, |_, observed, plan| {
        let leaving = &observed.nodes.known().unwrap().leaving;
        for step in &mut plan.steps {
            if let Action::Switchover { candidate, .. } = &mut step.action {
                let mut worse = seen(observed, "replica").filter(|pod| leaving.contains(&pod.node));
                worse
                    .next()
                    .iter()
                    .for_each(|pod| candidate.clone_from(&pod.name));
            }
        }
    }),
    (laws::KEPT, |_, observed, plan| {
        if observed.refused.is_some() {
            plan.steps.clear();
        }
    }),
    (laws::PROGRESS, |_, _, plan| {
        plan.steps.retain(|step| !deletes(step));
    }),
    (laws::FIXPOINT, |_, _, plan| {
        if plan.is_empty() {
            plan.steps.push(step(Action::Checkpoint {
                member: "minimal-0".to_owned(),
            }));
        }
    }),
];

/// A bug of its own does not hide behind the law about trying first.
fn try_all(plan: &mut Plan) {
    let check = Action::CheckTemplate {
        stateful_set: ObjectRef::default(),
        pod: String::new(),
    };
    plan.steps.insert(0, step(check));
}

#[test]
fn each_law_catches_a_planted_bug() {
    for (law, bug) in PLANTED {
        let caught = (0..2000).map(Schedule::draw).find(|schedule| {
            let outcome = schedule.run(Some(bug));
            outcome.is_err_and(|broken| broken.law == law)
        });
        let schedule = caught.unwrap_or_else(|| panic!("not caught: {law}"));
        if law == laws::DETERMINISM {
            // A second run of this bug is another one.
            continue;
        }
        let small = schedule.shrunk(law, Some(bug));
        let kept = small.run(Some(bug)).is_err_and(|broken| broken.law == law);
        assert!(kept, "shrinking loses {law}: {schedule:?} {small:?}");
    }
}

/// The steps that were taken until all is as wanted, without those that change nothing.
pub(crate) fn story(simulation: &mut Simulation) -> Vec<String> {
    let mut luck = Luck::new(7);
    for _ in 0..100 {
        simulation.tick(&mut luck).unwrap();
        if simulation.is_settled() {
            return std::mem::take(&mut simulation.taken);
        }
    }
    panic!("does not settle: {:?}", simulation.taken);
}

pub(crate) fn edited(simulation: &mut Simulation) {
    let version = simulation.wanted.version + 1;
    simulation.wanted = Template {
        version,
        image: version,
        ..Template::default()
    };
}

#[test]
fn replicas_go_first_then_the_primary_moves_and_its_pod_is_the_last() {
    let mut simulation = Simulation::new(3);
    edited(&mut simulation);
    assert_eq!(
        story(&mut simulation),
        [
            "apply StatefulSet default/minimal",
            "make Pod default/minimal-1 anew",
            "make Pod default/minimal-2 anew",
            "switch over from minimal-0 to minimal-1",
            "make Pod default/minimal-0 anew",
        ]
    );
}

#[test]
fn a_single_member_goes_without_a_switchover() {
    let mut simulation = Simulation::new(1);
    edited(&mut simulation);
    assert_eq!(
        story(&mut simulation),
        [
            "apply StatefulSet default/minimal",
            "make Pod default/minimal-0 anew"
        ]
    );
}

#[test]
fn restarts_go_up_from_the_replicas_and_down_from_the_primary() {
    let restart = |member: u32| format!("restart postgres on minimal-{member}");
    let mut simulation = Simulation::new(3);
    simulation.truth.connections = 200;
    assert_eq!(story(&mut simulation), [restart(1), restart(2), restart(0)]);
    simulation.truth.connections = 50;
    assert_eq!(story(&mut simulation), [restart(0), restart(1), restart(2)]);
    assert_eq!(simulation.deletions, 0);
    // Patroni before 4.0 does not say what waits: the same order, by what is in force.
    simulation.truth.says_nothing = true;
    simulation.truth.connections = 200;
    assert_eq!(story(&mut simulation), [restart(1), restart(2), restart(0)]);
    simulation.truth.connections = 50;
    assert_eq!(story(&mut simulation), [restart(0), restart(1), restart(2)]);
}

#[test]
fn a_primary_that_is_scaled_away_moves_first_and_only_once() {
    let mut simulation = Simulation::new(3);
    simulation.truth.leader = Some(2);
    simulation.cluster.instances = 2;
    edited(&mut simulation);
    assert_eq!(
        story(&mut simulation),
        [
            "apply StatefulSet default/minimal",
            "make Pod default/minimal-0 anew",
            "make Pod default/minimal-1 anew",
            "switch over from minimal-2 to minimal-0",
            "scale StatefulSet default/minimal to 2",
        ]
    );
    assert_eq!(simulation.switchovers, 1);
}

#[test]
fn a_template_that_never_runs_costs_one_replica_and_mending_it_heals() {
    let mut simulation = Simulation::new(3);
    edited(&mut simulation);
    simulation.wanted.broken = true;
    let mut luck = Luck::new(1);
    for _ in 0..60 {
        simulation.tick(&mut luck).unwrap();
    }
    assert_eq!(simulation.deletions, 1);
    assert_eq!(simulation.truth.pods[&1].condition, Condition::Broken);
    simulation.taken.clear();
    edited(&mut simulation);
    let story = story(&mut simulation);
    assert_eq!(story[1], "make Pod default/minimal-1 anew", "{story:?}");
    assert_eq!(simulation.switchovers, 1);
}

#[test]
fn a_switchover_that_hangs_is_taken_back_and_somebody_leads() {
    let mut simulation = Simulation::new(3);
    let since = simulation.now();
    simulation.truth.leader = None;
    simulation.truth.request = Some(Request { to: 1, since });
    let mut luck = Luck::new(1);
    for _ in 0..29 {
        simulation.tick(&mut luck).unwrap();
    }
    let plan = simulation.plan(&simulation.observe());
    let pending = HoldReason::HandoverPending(Some("minimal-1".to_owned()));
    let told = plan.holds.iter().find(|hold| hold.reason == pending).unwrap();
    assert_eq!(told.until, Some(since + SignedDuration::from_secs(30)));
    assert!(simulation.taken.is_empty() && simulation.truth.leader.is_none());
    assert_eq!(story(&mut simulation), ["take back the switchover to minimal-1"]);
    assert_eq!((simulation.deletions, simulation.switchovers), (0, 0));
}

#[test]
fn a_switchover_that_hangs_is_left_to_who_paused_patroni() {
    let simulation = Simulation::new(2);
    let mut observed = simulation.observe();
    let Source::Known(view) = &mut observed.patroni else {
        panic!()
    };
    view.members
        .iter_mut()
        .for_each(|member| member.role = MemberRole::Replica);
    view.request = Some(HandoverRequest::default());
    let long_after = |observed: &Observed| simulation.plan(observed).steps.len();
    let at_the_epoch = long_after(&observed);
    let Source::Known(view) = &mut observed.patroni else {
        panic!()
    };
    view.request.as_mut().unwrap().since = simulation.now() - SignedDuration::from_secs(31);
    let due = long_after(&observed);
    let Source::Known(view) = &mut observed.patroni else {
        panic!()
    };
    view.config["pause"] = serde_json::json!(true);
    assert_eq!((at_the_epoch, due, long_after(&observed)), (0, 1, 0));
}

#[test]
fn a_template_that_is_refused_costs_nothing() {
    let mut simulation = Simulation::new(3);
    edited(&mut simulation);
    simulation.wanted.refused = true;
    let mut luck = Luck::new(1);
    for _ in 0..30 {
        simulation.tick(&mut luck).unwrap();
    }
    assert_eq!((simulation.deletions, simulation.switchovers), (0, 0));
}

#[test]
fn outside_of_its_windows_a_roll_waits_and_says_until_when() {
    let mut simulation = Simulation::new(2);
    simulation.cluster.windows = vec![Window::parse("00:03-00:04").unwrap()];
    edited(&mut simulation);
    let mut luck = Luck::new(1);
    for _ in 0..5 {
        simulation.tick(&mut luck).unwrap();
    }
    let plan = simulation.plan(&simulation.observe());
    let reasons: Vec<&HoldReason> = plan.holds.iter().map(|hold| &hold.reason).collect();
    assert!(reasons.contains(&&HoldReason::OutsideWindows), "{reasons:?}");
    assert_eq!(plan.rolled(), ["minimal-0", "minimal-1"]);
    let opens = "1970-01-01T00:03:00Z".parse().unwrap();
    assert!(plan.holds.iter().all(|hold| hold.until == Some(opens)));
    let pods = &simulation.truth.pods;
    assert!(pods.values().all(|pod| !pod.marked), "marked before its time");
    assert_eq!(plan.wake_after, Some(opens.duration_since(simulation.now())));
    for _ in 0..200 {
        simulation.tick(&mut luck).unwrap();
    }
    assert!(simulation.is_settled());
}
