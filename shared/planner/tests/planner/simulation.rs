//! One cluster's members under a planner that is watched: Kubernetes makes and ends pods, Patroni elects, nodes vanish, reads are old, calls
//! fail. Lives here: the truth, what is seen of it, and what steps do to it. Must not: what happens by itself (`nature`), what must never
//! happen (`laws`), when things go wrong (`schedule`).
//!
//! Time goes in ticks of a second. Only what a roll depends on is modelled; objects and catalog have a world of their own (`world`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::units::{Window, window};
use pgherd_planner::build::Desired;
use pgherd_planner::observed::{Observed, PatroniView, PodView, Source};
use pgherd_planner::plan::{Action, Plan, Precondition, Step, plan};

use crate::recorded::{config, manifest};

pub(crate) mod laws;
mod nature;
pub(crate) mod schedule;
mod view;

use laws::Broken;

/// A StatefulSet's template, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) version: u32,
    /// Its pods never run.
    pub(crate) broken: bool,
    /// The API server takes no pod of it.
    pub(crate) refused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Comes up in so many ticks.
    Starting(u8),
    Serving,
    /// Will never run.
    Broken,
    /// Its node does not answer for so many ticks.
    Lost(u8),
}

#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) uid: u32,
    pub(crate) revision: u32,
    pub(crate) condition: Condition,
    /// Ticks until it is gone.
    pub(crate) ending: Option<u8>,
    /// Bytes behind the leader.
    pub(crate) lag: i64,
    /// `max_connections` in force.
    pub(crate) connections: i64,
    /// Zalando's mark.
    pub(crate) marked: bool,
}

impl Pod {
    pub(crate) fn serves(&self) -> bool {
        self.condition == Condition::Serving && self.ending.is_none()
    }
}

/// What is so.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) now: Timestamp,
    /// As the API server stores it.
    pub(crate) template: Template,
    pub(crate) replicas: u32,
    pub(crate) generation: i64,
    /// As far as the StatefulSet's controller got: generation, template.
    pub(crate) seen: (i64, u32),
    pub(crate) pods: BTreeMap<u32, Pod>,
    pub(crate) leader: Option<u32>,
    /// Ticks without a leader that serves.
    pub(crate) leaderless: u8,
    /// Members that a step of ours took down, and that were not up since.
    pub(crate) ours: BTreeSet<u32>,
    /// `max_connections` in Patroni's configuration.
    pub(crate) connections: i64,
    pub(crate) templates: BTreeMap<u32, Template>,
    uids: u32,
}

/// What goes wrong with the controller's own doing, until it is over.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Patroni does not answer for so many ticks.
    pub(crate) silent: u8,
    /// The pods that are seen are so many ticks old.
    pub(crate) stale: usize,
    /// The controller is away for so many ticks.
    pub(crate) away: u8,
    /// This many of the next steps fail; odd ones after they took effect.
    pub(crate) failing: u8,
}

/// What wakes a controller: watched objects, the manifest, and for a while its own change of Patroni's configuration. Patroni tells nothing by
/// itself.
#[derive(Debug, Clone, PartialEq)]
struct Noticed {
    pods: Vec<PodView>,
    /// Its generation, and what its controller has seen.
    stateful_set: (i64, (i64, u32)),
    wanted: Template,
    instances: i32,
    windows: Vec<Window>,
    connections: i64,
}

/// The part of the controller that a test replaces to plant a bug: looks at what was seen, and changes the plan.
pub(crate) type Mutation = fn(&Simulation, &Observed, &mut Plan);

#[derive(Clone)]
pub(crate) struct Simulation {
    pub(crate) cluster: Cluster,
    pub(crate) config: OperatorConfig,
    /// What the manifest wants.
    pub(crate) wanted: Template,
    pub(crate) truth: Truth,
    pub(crate) faults: Faults,
    /// What the watch of pods will deliver, oldest first.
    past: VecDeque<Vec<PodView>>,
    past_patroni: PatroniView,
    /// What the last turn saw and when it wanted the next one at the latest; none when it did something, or was kept from it.
    last: Option<(Noticed, Timestamp)>,
    /// A snapshot, whether it was time for maintenance, and the plan that came of it.
    known: Option<(Observed, bool, Plan)>,
    /// Template and members that it was made for.
    wish: (Template, i32),
    /// Steps that took effect, without trials.
    pub(crate) taken: Vec<String>,
    pub(crate) switchovers: u32,
    pub(crate) deletions: u32,
    pub(crate) mutation: Option<Mutation>,
}

/// Read once: there are thousands of simulations.
static PLAIN: LazyLock<(Cluster, OperatorConfig)> = LazyLock::new(|| {
    let mut config = config("A");
    config.debug.enable_database_access = false;
    config.kubernetes.enable_finalizers = false;
    (Cluster::parse(&manifest("minimal"), &config).unwrap(), config)
});

impl Simulation {
    pub(crate) fn new(members: u32) -> Self {
        let (mut cluster, config) = PLAIN.clone();
        cluster.instances = i32::try_from(members).unwrap();
        let template = Template {
            version: 1,
            broken: false,
            refused: false,
        };
        let mut simulation = Self {
            config,
            wanted: template.clone(),
            truth: Truth::new(template, members),
            faults: Faults::default(),
            past: VecDeque::new(),
            past_patroni: PatroniView::default(),
            last: None,
            known: None,
            wish: (Template::default(), 0),
            taken: Vec::new(),
            switchovers: 0,
            deletions: 0,
            mutation: None,
            cluster,
        };
        simulation.remember();
        simulation
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.truth.now
    }

    /// One tick: nature first, then perhaps a turn of the controller. `luck` decides what is left open.
    pub(crate) fn tick(&mut self, luck: &mut Luck) -> Result<(), Broken> {
        self.truth.now += SignedDuration::from_secs(1);
        self.truth.pass(luck);
        self.remember();
        let Faults { silent, away, .. } = self.faults;
        self.faults.silent = silent.saturating_sub(1);
        self.faults.away = away.saturating_sub(1);
        if away == 0 {
            self.turn(luck)?;
        }
        Ok(())
    }

    fn turn(&mut self, luck: &mut Luck) -> Result<(), Broken> {
        let now = self.now();
        // The controller wakes for what its watches tell, and when the plan asked for it. Nothing else.
        let last = self.last.take();
        let noticed = self.noticed();
        if let Some(last) = last.filter(|(before, wake)| now < *wake && *before == noticed) {
            self.last = Some(last);
            return Ok(());
        }
        let observed = self.observe();
        let mut plan = self.plan_again(&observed, &noticed);
        self.mutate(&observed, &mut plan);
        if luck.one_in(16) {
            laws::determinism(&plan, &self.planned(&observed))?;
        }
        laws::tried_first(&plan)?;
        if plan.steps.is_empty() {
            let wake = plan.wake_after.map_or(Timestamp::MAX, |delay| now + delay);
            self.last = Some((noticed, wake));
            return Ok(());
        }
        self.carry_out(&plan, &observed)
    }

    /// Steps in order, until one is refused, fails, or was overtaken.
    fn carry_out(&mut self, plan: &Plan, observed: &Observed) -> Result<(), Broken> {
        for step in &plan.steps {
            if !self.holds(&step.precondition) {
                return Ok(());
            }
            let fails = self.faults.failing > 0;
            self.faults.failing = self.faults.failing.saturating_sub(1);
            // Of calls that fail, every other one did what it should.
            if !fails || self.faults.failing % 2 == 1 {
                laws::before(self, observed, step)?;
                if !self.take(step) {
                    return Ok(());
                }
                if !matches!(step.action, Action::CheckTemplate { .. }) {
                    self.taken.push(step.action.to_string());
                }
            }
            if fails {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Thousands of plans are of the same snapshot: most ticks are waiting.
    fn plan_again(&mut self, observed: &Observed, noticed: &Noticed) -> Plan {
        let open = window::is_open(&noticed.windows, self.now());
        let same = |(seen, was_open, _): &&(Observed, bool, Plan)| seen == observed && open && *was_open;
        let same_wish = self.wish == (noticed.wanted.clone(), noticed.instances);
        if let Some((_, _, plan)) = self.known.as_ref().filter(same).filter(|_| same_wish) {
            return plan.clone();
        }
        let plan = self.plan(observed);
        self.wish = (noticed.wanted.clone(), noticed.instances);
        self.known = Some((observed.clone(), open, plan.clone()));
        plan
    }

    /// The plan as it would be carried out.
    pub(crate) fn planned(&self, observed: &Observed) -> Plan {
        let mut plan = self.plan(observed);
        self.mutate(observed, &mut plan);
        plan
    }

    fn mutate(&self, observed: &Observed, plan: &mut Plan) {
        if let Some(mutate) = self.mutation {
            mutate(self, observed, plan);
        }
    }

    fn noticed(&self) -> Noticed {
        Noticed {
            pods: self.past.front().cloned().unwrap_or_default(),
            stateful_set: (self.truth.generation, self.truth.seen),
            wanted: self.wanted.clone(),
            instances: self.cluster.instances,
            windows: self.cluster.windows.clone(),
            connections: self.truth.connections,
        }
    }

    pub(crate) fn plan(&self, observed: &Observed) -> Plan {
        let desired = Desired {
            stateful_set: Source::Known(
                self.stateful_set(&self.wanted, self.cluster.instances.unsigned_abs()),
            ),
            ..Desired::default()
        };
        plan(&self.cluster, &desired, observed, &self.config, self.now())
    }

    pub(crate) fn observe(&self) -> Observed {
        let stored = self.truth.stored(self);
        let pods = self.past.front().cloned().unwrap_or_default();
        let patroni = match (self.faults.silent, self.faults.stale) {
            (0, 0) => Source::Known(self.patroni()),
            (0, _) => Source::Known(self.past_patroni.clone()),
            _ => Source::Unknown("no answer".to_owned()),
        };
        Observed {
            templates: self.templates(&pods),
            stateful_set: Source::Known(Some(stored)),
            services: Source::Known(Vec::new()),
            endpoints: Source::Known(None),
            disruption_budgets: Source::Known(Vec::new()),
            service_account: Source::Known(Some(ServiceAccount::default())),
            role_binding: Source::Known(Some(RoleBinding::default())),
            secrets: Source::Known(Vec::new()),
            claims: Source::Known(Vec::new()),
            pods: Source::Known(pods),
            patroni,
            ..Observed::default()
        }
    }

    /// Members that stay.
    pub(crate) fn stays(&self, ordinal: u32) -> bool {
        i64::from(ordinal) < i64::from(self.cluster.instances)
    }

    fn holds(&self, precondition: &Precondition) -> bool {
        match precondition {
            Precondition::StillPrimary(pod) => self.truth.leader.map(name).as_ref() == Some(pod),
            Precondition::Unchanged(version) => *version == self.truth.generation.to_string(),
            Precondition::None | Precondition::SameObject(_) => true,
        }
    }

    /// What a step does. False: it was refused.
    fn take(&mut self, step: &Step) -> bool {
        match &step.action {
            Action::Apply(_) | Action::Patch { .. } => {
                self.truth.store(self.wanted.clone());
                true
            }
            Action::Scale { replicas, .. } => {
                self.truth.replicas = replicas.unsigned_abs();
                self.truth.generation += 1;
                true
            }
            Action::CheckTemplate { .. } => !self.truth.template.refused,
            Action::Checkpoint { .. } => true,
            Action::DeletePod { target } => {
                self.end(&target.uid);
                true
            }
            Action::Switchover { leader, candidate } => self.switch_over(leader, candidate),
            Action::RestartPostgres { member } => self.restart(member),
            other => panic!("not in this world: {other}"),
        }
    }

    /// The controller notes in its cache what it did.
    fn end(&mut self, uid: &str) {
        for pods in &mut self.past {
            let seen = pods.iter_mut().filter(|pod| pod.uid == uid);
            seen.for_each(|pod| pod.terminating = true);
        }
        let mut pods = self.truth.pods.iter_mut();
        let found = pods.find(|(_, pod)| pod.uid.to_string() == uid && pod.ending.is_none());
        if let Some((ordinal, pod)) = found {
            pod.ending = Some(2);
            self.truth.ours.insert(*ordinal);
            self.deletions += 1;
        }
    }

    fn switch_over(&mut self, leader: &str, candidate: &str) -> bool {
        let truth = &mut self.truth;
        let candidate = ordinal(candidate);
        let can = truth.pods.get(&candidate).is_some_and(Pod::serves);
        let leads = truth.leader.map(name).as_deref() == Some(leader);
        if can && leads {
            truth.leader = Some(candidate);
            self.switchovers += 1;
        }
        can && leads
    }

    fn restart(&mut self, member: &str) -> bool {
        let member = ordinal(member);
        let floor = self.truth.floor(member);
        let connections = self.truth.connections.max(floor);
        let Some(pod) = self.truth.pods.get_mut(&member).filter(|pod| pod.serves()) else {
            return false;
        };
        // Patroni asks itself once more whether anything is pending.
        if pod.connections != self.truth.connections {
            pod.connections = connections;
            pod.condition = Condition::Starting(1);
            self.truth.ours.insert(member);
        }
        true
    }

    /// Nothing is under way and all is as wanted.
    pub(crate) fn is_settled(&self) -> bool {
        let truth = &self.truth;
        let fits = |pod: &Pod| {
            pod.serves()
                && truth.templates[&pod.revision] == self.wanted
                && pod.connections == truth.connections
                && !pod.marked
        };
        truth.pods.len() == usize::try_from(self.cluster.instances).unwrap()
            && truth.pods.values().all(fits)
            && truth.leader.is_some_and(|leader| self.stays(leader))
    }
}

/// A member's name, which is its pod's.
pub(crate) fn name(ordinal: u32) -> String {
    format!("minimal-{ordinal}")
}

pub(crate) fn ordinal(name: &str) -> u32 {
    name.rsplit_once('-').unwrap().1.parse().unwrap()
}

/// A small generator of its own, so that a schedule is its seed.
#[derive(Debug, Clone)]
pub(crate) struct Luck(u64);

impl Luck {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    /// The generator `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit)).unwrap()
    }

    pub(crate) fn one_in(&mut self, limit: u32) -> bool {
        self.below(limit) == 0
    }
}

impl Simulation {
    /// The StatefulSet with a template.
    pub(crate) fn stateful_set(&self, template: &Template, replicas: u32) -> StatefulSet {
        let identity = &self.cluster.identity;
        StatefulSet {
            metadata: ObjectMeta {
                name: Some(identity.name.clone()),
                namespace: Some(identity.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(StatefulSetSpec {
                replicas: i32::try_from(replicas).ok(),
                template: pod_template(template),
                ..StatefulSetSpec::default()
            }),
            status: None,
        }
    }
}

pub(crate) fn pod_template(template: &Template) -> PodTemplateSpec {
    let missing = if template.broken { "-missing" } else { "" };
    let container = Container {
        name: "postgres".to_owned(),
        image: Some(format!("spilo:{}{missing}", template.version)),
        ..Container::default()
    };
    PodTemplateSpec {
        metadata: None,
        spec: Some(PodSpec {
            containers: vec![container],
            priority_class_name: template.refused.then(|| "none".to_owned()),
            ..PodSpec::default()
        }),
    }
}
