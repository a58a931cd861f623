//! Several simulated clusters that roll by turns, with the plans that each would have alone and the book that all share.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as Ready, Time};
use pgherd_model::names::annotations;
use pgherd_planner::fleet::{Book, Verdict, roll};
use pgherd_planner::observed::{MemberView, Observed, Source};
use pgherd_planner::plan::{Plan, plan_waiting};

use crate::simulation::{Condition, Luck, Pod, Simulation, Template};
use crate::world::known;

mod stopped;

const FLEET: u32 = 4;
/// Shorter than a waiting cluster that nobody wakes takes to look again, for all of them.
const PATIENCE: u32 = 600;

thread_local! {
    static BOOK: RefCell<Book<String>> = RefCell::default();
    /// Whose turn it is in the simulation, and how many may roll at once.
    static TURN: RefCell<(String, usize)> = RefCell::default();
    /// Who is to be looked at.
    static WOKEN: RefCell<Vec<String>> = RefCell::default();
    /// Who takes no turns.
    static APART: RefCell<BTreeMap<String, Apart>> = RefCell::default();
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Apart {
    Paused,
    /// Its manifest.
    Edited,
}

/// What the controller does between planning and acting.
fn by_turns(simulation: &Simulation, observed: &Observed, plan: &mut Plan) {
    let (cluster, config, now) = (&simulation.cluster, &simulation.config, simulation.now());
    let (name, budget) = TURN.with_borrow(Clone::clone);
    let apart = APART.with_borrow(|apart| apart.get(&name).copied());
    let mut observed = observed.clone();
    if apart == Some(Apart::Paused) {
        let paused = (annotations::MODE.to_owned(), "paused".to_owned());
        observed.cluster.annotations.extend([paused]);
    }
    let observed = &observed;
    let is_edited = apart == Some(Apart::Edited) && !plan.rolled().is_empty();
    let found = roll(cluster, config, observed, plan, is_edited, now);
    let answer = BOOK.with_borrow_mut(|book| book.hear(&name, &found, FLEET as usize, budget));
    WOKEN.with_borrow_mut(|woken| woken.extend(answer.wake));
    match answer.verdict {
        Verdict::Go => {}
        Verdict::Finish => plan.keep_turn(Vec::new()),
        Verdict::Wait(why) => {
            *plan = plan_waiting(cluster, &simulation.desired(), observed, config, now, why.hold());
        }
    }
    if apart == Some(Apart::Paused) {
        plan.steps.clear();
    }
}

struct Fleet {
    clusters: Vec<Simulation>,
    luck: Luck,
    budget: usize,
    most: usize,
}

impl Fleet {
    fn new(members: u32, budget: usize) -> Self {
        BOOK.with_borrow_mut(|book| *book = Book::default());
        APART.with_borrow_mut(BTreeMap::clear);
        let made = (0..FLEET).map(|_| {
            let mut simulation = Simulation::new(members);
            simulation.mutation = Some(by_turns);
            simulation
        });
        Self {
            clusters: made.collect(),
            luck: Luck::new(11),
            budget,
            most: 0,
        }
    }

    /// The operator's configuration now wants this of every cluster.
    fn want(&mut self, template: &Template) {
        BOOK.with_borrow_mut(Book::renew);
        for cluster in &mut self.clusters {
            cluster.wanted = template.clone();
        }
    }

    fn tick(&mut self) {
        for (number, cluster) in self.clusters.iter_mut().enumerate() {
            let name = format!("n/c{number}");
            if WOKEN.with_borrow_mut(|woken| woken.extract_if(.., |woken| *woken == name).count()) > 0 {
                cluster.wake();
            }
            TURN.with_borrow_mut(|turn| *turn = (name, self.budget));
            cluster.tick(&mut self.luck).unwrap();
        }
        let disturbed = |cluster: &&Simulation| !cluster.truth.pods.values().all(Pod::serves);
        let disturbed = self.clusters.iter().filter(disturbed).count();
        self.most = self.most.max(disturbed);
    }

    /// Until all are as wanted, or patience is over.
    fn settles(&mut self) -> bool {
        (0..PATIENCE).any(|_| {
            self.tick();
            self.clusters.iter().all(Simulation::is_settled)
        })
    }

    fn run(&mut self, ticks: u32) {
        (0..ticks).for_each(|_| self.tick());
    }

    fn deletions(&self) -> Vec<u32> {
        self.clusters.iter().map(|cluster| cluster.deletions).collect()
    }
}

fn template(version: u32) -> Template {
    Template {
        version,
        image: version,
        ..Template::default()
    }
}

#[test]
fn all_roll_and_no_more_at_once_than_may() {
    for (members, budget) in [(3, 1), (2, 2), (1, 1), (1, 3)] {
        let mut fleet = Fleet::new(members, budget);
        fleet.want(&template(2));
        assert!(fleet.settles(), "{members} members, budget {budget}");
        assert!(fleet.most <= budget, "{} at once", fleet.most);
        assert_eq!(fleet.deletions(), [members; 4], "every pod once");
    }
}

#[test]
fn a_template_that_does_not_run_costs_one_pod_of_the_fleet() {
    for members in [1, 2, 3] {
        let mut fleet = Fleet::new(members, 2);
        let broken = Template {
            broken: true,
            ..template(2)
        };
        fleet.want(&broken);
        fleet.run(1000);
        assert_eq!(fleet.deletions().iter().sum::<u32>(), 1, "{members} members");
        // A controller that starts anew sees it on the pods; of a single member only its status tells, which is not simulated.
        if members > 1 {
            BOOK.with_borrow_mut(|book| *book = Book::default());
        }
        fleet.run(1000);
        assert_eq!(fleet.deletions().iter().sum::<u32>(), 1, "{members} members");
        fleet.want(&template(3));
        assert!(fleet.settles(), "a third one heals: {members} members");
    }
}

#[test]
fn setting_it_back_touches_only_what_was_touched() {
    let mut fleet = Fleet::new(2, 1);
    let broken = Template {
        broken: true,
        ..template(2)
    };
    fleet.want(&broken);
    fleet.run(200);
    fleet.want(&Template {
        version: 3,
        ..template(1)
    });
    assert!(fleet.settles());
    let touched: Vec<u32> = fleet.deletions().into_iter().filter(|count| *count > 0).collect();
    assert_eq!(touched, [2], "the same pod twice");
}

#[test]
fn statefulsets_that_are_ahead_of_their_pods_roll_by_turns_as_well() {
    for (members, budget) in [(1, 1), (2, 1), (2, 2)] {
        let mut fleet = Fleet::new(members, budget);
        // Images that waited for something else to make the pods anew, and now do not.
        fleet.want(&template(2));
        for cluster in &mut fleet.clusters {
            cluster.truth.store(template(2));
        }
        assert!(fleet.settles(), "{members} members, budget {budget}");
        assert!(fleet.most <= budget, "{} at once", fleet.most);
        assert_eq!(fleet.deletions(), [members; 4], "every pod once");
    }
}

#[test]
fn who_waits_gets_no_mark_by_which_another_operator_would_roll_it() {
    let mut fleet = Fleet::new(2, 1);
    fleet.want(&Template {
        broken: true,
        ..template(2)
    });
    fleet.run(400);
    let marked = |cluster: &&Simulation| cluster.truth.pods.values().any(|pod| pod.marked);
    assert_eq!(fleet.clusters.iter().filter(marked).count(), 1, "the canary's");
}

#[test]
fn what_cannot_be_read_proves_nothing_and_lets_nothing_in() {
    let broken = Template {
        broken: true,
        ..template(3)
    };
    for ahead in [false, true] {
        let mut fleet = Fleet::new(2, 4);
        if ahead {
            // Each has pods of an older template than its StatefulSet, which is older than what is wanted.
            for cluster in &mut fleet.clusters {
                cluster.config.general.enable_lazy_spilo_upgrade = true;
                cluster.truth.store(template(2));
            }
            fleet.run(5);
        }
        fleet.want(&broken);
        for _ in 0..40 {
            let wrote = |cluster: &&mut Simulation| ahead || cluster.truth.template.broken;
            for cluster in fleet.clusters.iter_mut().filter(wrote) {
                cluster.config.general.enable_lazy_spilo_upgrade = false;
                cluster.faults.unreadable = 2;
                cluster.wake();
            }
            fleet.tick();
        }
        let written = |cluster: &&Simulation| cluster.truth.template.broken;
        assert!(
            fleet.clusters.iter().filter(written).count() <= 1,
            "while nothing is read"
        );
        fleet.run(400);
        assert_eq!(fleet.clusters.iter().filter(written).count(), 1);
        assert_eq!(fleet.deletions().iter().sum::<u32>(), 1);
    }
}

#[test]
fn a_silent_patroni_proves_nothing() {
    let simulation = Simulation::new(2);
    let mut observed = simulation.observe();
    let found = |observed: &Observed| {
        let (cluster, config) = (&simulation.cluster, &simulation.config);
        let plan = simulation.plan(observed);
        roll(cluster, config, observed, &plan, false, simulation.now())
    };
    assert!(found(&observed).is_up);
    observed.patroni = Source::Unknown("no answer".to_owned());
    let found = found(&observed);
    assert!(!found.is_up && !found.is_due && !found.has_begun);
}

/// A fleet that waits for its canary, which never comes up, and one of those that wait.
fn stopped(members: u32) -> (Fleet, usize) {
    let mut fleet = Fleet::new(members, 1);
    fleet.want(&Template {
        broken: true,
        ..template(2)
    });
    fleet.run(200);
    let waits = |cluster: &Simulation| cluster.deletions == 0;
    let waiting = fleet.clusters.iter().position(waits).unwrap();
    (fleet, waiting)
}

#[test]
fn who_waits_leaves_a_node_that_is_drained() {
    let (mut fleet, waiting) = stopped(2);
    let truth = &mut fleet.clusters[waiting].truth;
    let leader = truth.leader.unwrap();
    let node = truth.pods[&leader].node;
    truth.cordoned.insert(node);
    fleet.run(200);
    let cluster = &fleet.clusters[waiting];
    assert_eq!(cluster.switchovers, 1);
    assert_ne!(cluster.truth.leader, Some(leader));
    assert_eq!(cluster.truth.template.version, 1, "its template stays");
}

#[test]
fn who_waits_scales_down_with_its_primary_among_those_that_go() {
    let (mut fleet, waiting) = stopped(3);
    let cluster = &mut fleet.clusters[waiting];
    cluster.truth.leader = Some(2);
    cluster.cluster.instances = 1;
    fleet.run(200);
    let truth = &fleet.clusters[waiting].truth;
    assert_eq!((truth.pods.len(), truth.leader), (1, Some(0)));
    assert_eq!(truth.template.version, 1, "its template stays");
}

#[test]
fn who_waits_restarts_for_its_own_parameters_and_mends_what_does_not_run() {
    let (mut fleet, waiting) = stopped(3);
    fleet.clusters[waiting].truth.connections = 200;
    fleet.run(200);
    let pods = fleet.clusters[waiting].truth.pods.values();
    let connections: Vec<i64> = pods.map(|pod| pod.connections).collect();
    assert_eq!(connections, [200; 3]);

    // A pod that is older than its StatefulSet, and does not run.
    let mut fleet = Fleet::new(2, 1);
    fleet.clusters[3].truth.store(template(2));
    let lame = fleet.clusters[3].truth.leader == Some(0);
    let lame = u32::from(lame);
    let pods = &mut fleet.clusters[3].truth.pods;
    pods.get_mut(&lame).unwrap().condition = Condition::Broken;
    fleet.want(&Template {
        broken: true,
        ..template(3)
    });
    fleet.run(200);
    let truth = &fleet.clusters[3].truth;
    let revisions: Vec<u32> = truth.pods.values().map(|pod| pod.revision).collect();
    assert!(truth.pods.values().all(Pod::serves));
    assert_eq!(revisions.iter().filter(|revision| **revision == 2).count(), 1);
    assert_eq!(fleet.clusters[3].deletions, 1);
}

/// A pod that runs, and whose Patroni never says a word.
#[test]
fn a_member_that_stays_silent_is_trouble_after_a_while() {
    let mut simulation = Simulation::new(2);
    simulation.truth.now += SignedDuration::from_hours(1);
    let mut observed = simulation.observe();
    known(&mut observed.pods)[1].role_label.clear();
    let mut trouble = |silent_for: i64, is_known: bool| {
        let members = &mut known(&mut observed.patroni).members;
        members.truncate(1);
        if is_known {
            members.push(MemberView {
                name: "minimal-1".to_owned(),
                state: "creating replica".to_owned(),
                ..MemberView::default()
            });
        }
        let since = simulation.now() - SignedDuration::from_mins(silent_for);
        observed.cluster.status.conditions = vec![Ready {
            type_: "Ready".to_owned(),
            status: "False".to_owned(),
            last_transition_time: Time(since),
            reason: "MembersNotReady".to_owned(),
            message: String::new(),
            observed_generation: None,
        }];
        let plan = simulation.plan(&observed);
        let (cluster, config, now) = (&simulation.cluster, &simulation.config, simulation.now());
        roll(cluster, config, &observed, &plan, false, now).trouble
    };
    assert_eq!(trouble(4, false), None, "it may be starting");
    assert_eq!(
        trouble(6, false).as_deref(),
        Some("minimal-1: patroni has not answered since 1970-01-01T00:54:00Z")
    );
    assert_eq!(trouble(60, true), None, "it copies the database");
}
