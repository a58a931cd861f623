//! One cluster's members under a planner that is watched: Kubernetes makes and ends pods, Patroni elects, nodes vanish, reads are old, calls
//! fail. Lives here: the truth, what is seen of it, and what steps do to it. Must not: what happens by itself (`nature`), what must never
//! happen (`laws`), when things go wrong (`schedule`).
//!
//! Time goes in ticks of a second. Only what a roll depends on is modelled; objects and catalog have a world of their own (`world`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::units::{Window, window};
use pgherd_planner::build::Desired;
use pgherd_planner::observed::{ClaimView, Observed, PatroniView, PodView, RefusedStep, Source};
use pgherd_planner::plan::{Action, Object, Plan, Precondition, Step, beside_refusal, plan};
use serde_json::Value;

use crate::recorded::{config, manifest};

pub(crate) mod laws;
mod luck;
mod nature;
pub(crate) mod schedule;
mod steps;
mod template;
mod view;

use laws::Broken;
pub(crate) use luck::Luck;
pub(crate) use nature::{NODES, StatefulSetIs};
pub(crate) use template::{Template, pod_template};

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
    /// It is ours.
    pub(crate) marked_by_us: bool,
    /// The template's annotation.
    pub(crate) note: Option<String>,
    pub(crate) node: u32,
}

impl Pod {
    pub(crate) fn serves(&self) -> bool {
        self.condition == Condition::Serving && self.ending.is_none()
    }
}

/// Nobody leads since, and this member alone may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) to: u32,
    pub(crate) since: Timestamp,
}

impl Request {
    /// Of Patroni's object.
    pub(crate) fn version(self) -> String {
        format!("request-{}-{}", self.to, self.since)
    }
}

/// What is so.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) now: Timestamp,
    pub(crate) set: StatefulSetIs,
    /// When the StatefulSet was made.
    pub(crate) made: Timestamp,
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
    /// Nodes that take no pods. There is always one that does.
    pub(crate) cordoned: BTreeSet<u32>,
    /// An admission policy makes something else of what Kubernetes does not let change.
    pub(crate) rewrites: bool,
    /// An admission policy takes no change of the StatefulSet.
    pub(crate) frozen: bool,
    /// A switchover that Patroni was asked for and that hangs.
    pub(crate) request: Option<Request>,
    /// `before_stop` in Patroni's configuration; null: none.
    pub(crate) before_stop: Value,
    /// Patroni is older than 4.0: it does not say what waits for a restart.
    pub(crate) says_nothing: bool,
    uids: u32,
}

/// What goes wrong with the controller's own doing, until it is over.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Patroni does not answer for so many ticks.
    pub(crate) silent: u8,
    /// Templates of earlier revisions cannot be read for so many ticks.
    pub(crate) unreadable: u8,
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
    set: StatefulSetIs,
    cordoned: BTreeSet<u32>,
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
    /// A larger volume and a service are wanted, and refused for ever.
    pub(crate) refuses: bool,
    /// What the watch of pods will deliver, oldest first.
    past: VecDeque<Vec<PodView>>,
    past_patroni: PatroniView,
    /// What the last turn saw and when it wanted the next one at the latest; none when it did something, or was kept from it.
    last: Option<(Noticed, Timestamp)>,
    /// A snapshot, and the plan that came of it.
    known: Option<(Observed, Plan)>,
    /// Template and members that it was made for, whether it was time for maintenance, and whether the StatefulSet was new.
    wish: (Template, i32, bool, bool),
    /// What the controller learnt of the policy.
    rewritten: Vec<String>,
    /// The change of the StatefulSet that it was told is refused, for what was wanted then, and until when it believes that.
    refused: Option<(RefusedStep, u32, Timestamp)>,
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
        let template = Template::first();
        let mut simulation = Self {
            config,
            wanted: template.clone(),
            truth: Truth::new(template, members),
            faults: Faults::default(),
            refuses: false,
            past: VecDeque::new(),
            past_patroni: PatroniView::default(),
            last: None,
            known: None,
            wish: (Template::default(), 0, true, true),
            rewritten: Vec::new(),
            refused: None,
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
        self.faults.unreadable = self.faults.unreadable.saturating_sub(1);
        if away == 0 {
            self.turn(luck)?;
        }
        Ok(())
    }

    /// The next tick has a turn.
    pub(crate) fn wake(&mut self) {
        self.last = None;
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
        if plan.steps.iter().all(is_hopeless) {
            let wake = plan.wake_after.map_or(Timestamp::MAX, |delay| now + delay);
            self.last = Some((noticed, wake));
            return Ok(());
        }
        self.carry_out(&plan, &observed)
    }

    /// Steps in order, without those that rely on one that failed or was refused, until one was overtaken.
    fn carry_out(&mut self, plan: &Plan, observed: &Observed) -> Result<(), Broken> {
        let mut failed: Vec<&Step> = Vec::new();
        for step in &plan.steps {
            let home = &self.cluster.identity.namespace;
            if failed.iter().any(|failed| failed.hinders(step, home)) {
                continue;
            }
            if !self.holds(&step.precondition) {
                return Ok(());
            }
            if is_hopeless(step) {
                failed.push(step);
                continue;
            }
            let fails = self.faults.failing > 0;
            self.faults.failing = self.faults.failing.saturating_sub(1);
            // Of calls that fail, every other one did what it should.
            if !fails || self.faults.failing % 2 == 1 {
                laws::before(self, observed, step)?;
                if !self.take(step) {
                    self.note_refusal(step);
                    failed.push(step);
                    continue;
                }
                if !matches!(
                    step.action,
                    Action::CheckTemplate { .. }
                        | Action::CheckObject(_)
                        | Action::Relabel { .. }
                        | Action::PatchPatroni(_)
                ) {
                    self.taken.push(step.action.to_string());
                }
            }
            if fails {
                failed.push(step);
            }
        }
        Ok(())
    }

    /// As the controller does: it has another turn at once.
    fn note_refusal(&mut self, step: &Step) {
        if step.shapes_members() {
            let refused = RefusedStep {
                step: step.to_string(),
                why: "a policy".to_owned(),
            };
            let until = self.now() + SignedDuration::from_mins(2);
            self.refused = Some((refused, self.wanted.version, until));
        }
    }

    /// Thousands of plans are of the same snapshot: most ticks are waiting.
    fn plan_again(&mut self, observed: &Observed, noticed: &Noticed) -> Plan {
        let open = window::is_open(&noticed.windows, self.now());
        let new = self.now().duration_since(self.truth.made) < SignedDuration::from_mins(1);
        let wish = (noticed.wanted.clone(), noticed.instances, open, new);
        // What waits for a time waits less each time.
        let waits = !open || new || self.truth.request.is_some();
        let same = |(seen, _): &&(Observed, Plan)| !waits && seen == observed && self.wish == wish;
        if let Some((_, plan)) = self.known.as_ref().filter(same) {
            return plan.clone();
        }
        let plan = self.plan(observed);
        self.wish = wish;
        self.known = Some((observed.clone(), plan.clone()));
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
            set: self.truth.set,
            cordoned: self.truth.cordoned.clone(),
        }
    }

    pub(crate) fn plan(&self, observed: &Observed) -> Plan {
        let (cluster, desired, now) = (&self.cluster, self.desired(), self.now());
        let whole = plan(cluster, &desired, observed, &self.config, now);
        beside_refusal(whole, cluster, &desired, observed, &self.config, now)
    }

    pub(crate) fn desired(&self) -> Desired {
        Desired {
            stateful_set: Source::Known(
                self.stateful_set(&self.wanted, self.cluster.instances.unsigned_abs()),
            ),
            services: self.refuses.then(Service::default).into_iter().collect(),
            ..Desired::default()
        }
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
            rewritten: self.rewritten.clone(),
            refused: self.believed_refusal(),
            stateful_set: Source::Known(stored),
            nodes: self.nodes(&pods),
            services: Source::Known(Vec::new()),
            endpoints: Source::Known(None),
            disruption_budgets: Source::Known(Vec::new()),
            service_account: Source::Known(Some(ServiceAccount::default())),
            role_binding: Source::Known(Some(RoleBinding::default())),
            secrets: Source::Known(Vec::new()),
            claims: Source::Known(self.refuses.then(small_claim).into_iter().collect()),
            pods: Source::Known(pods),
            patroni,
            catalog: self.catalog(),
            ..Observed::default()
        }
    }

    fn believed_refusal(&self) -> Option<RefusedStep> {
        let is_believed = |until: Timestamp, wanted: u32| self.now() < until && wanted == self.wanted.version;
        let refused = self.refused.as_ref();
        let believed = refused.filter(|(_, wanted, until)| is_believed(*until, *wanted));
        believed.map(|(refused, ..)| refused.clone())
    }

    /// Members that stay.
    pub(crate) fn stays(&self, ordinal: u32) -> bool {
        i64::from(ordinal) < i64::from(self.cluster.instances)
    }

    fn holds(&self, precondition: &Precondition) -> bool {
        match precondition {
            Precondition::StillPrimary(pod) => self.truth.leader.map(name).as_ref() == Some(pod),
            Precondition::Unchanged(version) => {
                let request = self.truth.request.map(Request::version);
                *version == self.truth.generation.to_string() || Some(version) == request.as_ref()
            }
            Precondition::None | Precondition::SameObject(_) => true,
        }
    }

    /// Who does not run was mended, the primary is where it can stay, and nothing waits for a restart: as far as the StatefulSet lets them.
    pub(crate) fn is_kept(&self) -> bool {
        let truth = &self.truth;
        let is_well = |pod: &Pod| pod.serves() && pod.connections == truth.connections;
        let leads_well = |leader| self.stays(leader) && truth.is_on_good_node(leader);
        truth.template.broken
            || truth.template.refused
            || truth.set == StatefulSetIs::Present
                && truth.pods.len() == usize::try_from(self.cluster.instances).unwrap()
                && truth.pods.values().all(is_well)
                && truth.leader.is_some_and(leads_well)
    }

    /// Nothing is under way and all is as wanted.
    pub(crate) fn is_settled(&self) -> bool {
        let truth = &self.truth;
        let fits = |pod: &Pod| {
            pod.serves()
                && truth.templates[&pod.revision].runs_the_same(&self.wanted)
                && pod.note == self.wanted.note()
                && pod.connections == truth.connections
                && !pod.marked
        };
        let is_as_before = truth.before_stop.is_null();
        truth.set == StatefulSetIs::Present
            && is_as_before
            && truth.template.parallel == self.wanted.parallel
            && truth.pods.len() == usize::try_from(self.cluster.instances).unwrap()
            && truth.pods.values().all(fits)
            && truth
                .leader
                .is_some_and(|leader| self.stays(leader) && truth.is_on_good_node(leader))
    }
}

/// Smaller than any volume that is wanted.
fn small_claim() -> ClaimView {
    ClaimView {
        name: format!("pgdata-{}", name(0)),
        phase: "Bound".to_owned(),
        requested: "1Ki".to_owned(),
        ..ClaimView::default()
    }
}

/// It is refused in this world.
pub(crate) fn is_hopeless(step: &Step) -> bool {
    match &step.action {
        Action::GrowClaim { .. } => true,
        Action::Apply(object) => matches!(**object, Object::Service(_)),
        _ => false,
    }
}

/// A member's name, which is its pod's.
pub(crate) fn name(ordinal: u32) -> String {
    format!("minimal-{ordinal}")
}

pub(crate) fn ordinal(name: &str) -> u32 {
    name.rsplit_once('-').unwrap().1.parse().unwrap()
}
