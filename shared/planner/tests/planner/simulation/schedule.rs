//! When somebody edits and what goes wrong. Lives here: random schedules from a seed, running one, and making a failing one smaller.

use pgherd_model::units::Window;

use super::laws::{self, Broken, broken};
use super::{Condition, Luck, Mutation, NODES, Request, Simulation, StatefulSetIs, Template, is_hopeless};

/// Something that happens to the cluster from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    EditTemplate,
    Annotate,
    /// A field that Kubernetes does not let change.
    EditPolicy,
    /// Somebody makes something else of it from now on.
    Rewrite,
    /// Nobody may change the StatefulSet from now on, but for its number of members.
    Freeze,
    /// By hand, its pods stay.
    DeleteSet,
    Cordon(u32),
    Uncordon(u32),
    BreakTemplate,
    RefusedTemplate,
    Connections(i64),
    Scale(u32),
    /// Maintenance only from this minute on, for a minute.
    Window(u32),
    MarkPods,
    LoseNode(u32),
    CrashPod(u32),
    Lag(u32),
    FailOver(u32),
    Silence(u32),
    Stale(u32),
    Away(u32),
    FailSteps(u32),
    /// A switchover to this member, which does not come up to it.
    Hang(u32),
}

impl Event {
    fn draw(luck: &mut Luck) -> Self {
        let member = luck.below(4);
        match luck.below(30) {
            0..=3 => Self::EditTemplate,
            4 => Self::BreakTemplate,
            5 => Self::RefusedTemplate,
            6 | 7 => Self::Connections([50, 100, 200][luck.below(3) as usize]),
            8 | 9 => Self::Scale(1 + luck.below(4)),
            10 => Self::Window(luck.below(2)),
            11 => Self::MarkPods,
            12 => Self::LoseNode(member),
            13 => Self::CrashPod(member),
            14 => Self::Lag(member),
            15 => Self::FailOver(member),
            16 => Self::Silence(1 + luck.below(5)),
            17 => Self::Stale(1 + luck.below(3)),
            18 => Self::Away(1 + luck.below(8)),
            20 | 21 => Self::Annotate,
            22 => Self::EditPolicy,
            23 => Self::DeleteSet,
            24 | 25 => Self::Cordon(luck.below(NODES)),
            26 => Self::Uncordon(luck.below(NODES)),
            27 => Self::Hang(member),
            28 => Self::Rewrite,
            29 => Self::Freeze,
            _ => Self::FailSteps(1 + luck.below(3)),
        }
    }

    /// Nothing but a wish of the user's.
    fn is_edit(self) -> bool {
        matches!(self, Self::EditTemplate | Self::MarkPods)
    }

    /// Nothing that a pod has to go for.
    fn is_harmless(self) -> bool {
        matches!(
            self,
            Self::Annotate | Self::EditPolicy | Self::Rewrite | Self::DeleteSet
        )
    }

    #[expect(clippy::too_many_lines, reason = "a few lines for each event")]
    fn apply(self, simulation: &mut Simulation) {
        let pods = &mut simulation.truth.pods;
        match self {
            Self::EditTemplate => simulation.wanted = successor(simulation, false, false),
            Self::BreakTemplate => simulation.wanted = successor(simulation, true, false),
            Self::RefusedTemplate => simulation.wanted = successor(simulation, false, true),
            Self::Annotate => {
                simulation.wanted.version += 1;
                simulation.wanted.note += 1;
            }
            Self::EditPolicy => {
                simulation.wanted.version += 1;
                simulation.wanted.parallel ^= true;
            }
            Self::Rewrite => simulation.truth.rewrites = true,
            Self::Freeze => simulation.truth.frozen = true,
            Self::DeleteSet => simulation.truth.set = StatefulSetIs::Going,
            Self::Cordon(node) => {
                let cordoned = &mut simulation.truth.cordoned;
                if cordoned.len() + 1 < NODES as usize {
                    cordoned.insert(node);
                }
            }
            Self::Uncordon(node) => {
                simulation.truth.cordoned.remove(&node);
            }
            Self::Connections(connections) => simulation.truth.connections = connections,
            Self::Scale(members) => simulation.cluster.instances = i32::try_from(members).unwrap(),
            Self::Window(minute) => {
                let text = format!("00:0{minute}-00:0{minute}");
                simulation.cluster.windows = vec![Window::parse(&text).unwrap()];
            }
            Self::MarkPods => pods.values_mut().for_each(|pod| pod.marked = true),
            Self::LoseNode(member) => {
                if let Some(pod) = pods.get_mut(&member).filter(|pod| pod.serves()) {
                    pod.condition = Condition::Lost(6);
                }
            }
            Self::CrashPod(member) => {
                if let Some(pod) = pods.get_mut(&member).filter(|pod| pod.serves()) {
                    pod.condition = Condition::Starting(2);
                }
            }
            Self::Lag(member) => {
                if let Some(pod) = pods.get_mut(&member) {
                    pod.lag = 100_000;
                }
            }
            Self::FailOver(member) => {
                if pods.get(&member).is_some_and(super::Pod::serves) {
                    simulation.truth.leader = Some(member);
                }
            }
            Self::Silence(ticks) => simulation.faults.silent = u8::try_from(ticks).unwrap(),
            Self::Stale(ticks) => simulation.faults.stale = ticks as usize,
            Self::Away(ticks) => simulation.faults.away = u8::try_from(ticks).unwrap(),
            Self::Hang(to) => {
                let truth = &mut simulation.truth;
                if truth.pods.contains_key(&to) && truth.leader != Some(to) {
                    let since = truth.now;
                    truth.leader = None;
                    truth.request = Some(Request { to, since });
                }
            }
            Self::FailSteps(steps) => simulation.faults.failing = u8::try_from(steps).unwrap(),
        }
    }
}

fn successor(simulation: &Simulation, broken: bool, refused: bool) -> Template {
    Template {
        version: simulation.wanted.version + 1,
        image: simulation.wanted.version + 1,
        broken,
        refused,
        ..simulation.wanted.clone()
    }
}

/// Events by tick, for a number of members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) members: u32,
    /// Patroni is older than 4.0.
    pub(crate) old_patroni: bool,
    /// Something beside the members is wanted that cannot be had.
    pub(crate) refuses: bool,
    pub(crate) events: Vec<(u32, Event)>,
}

/// Ticks in which events come.
const EVENTFUL: u32 = 24;
/// Ticks in which all has to become as wanted: a window may be two minutes away.
const QUIET: u32 = 400;

impl Schedule {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut luck = Luck::new(seed);
        let members = 1 + luck.below(4);
        let count = 1 + luck.below(5);
        let mut events: Vec<(u32, Event)> = (0..count)
            .map(|_| (1 + luck.below(EVENTFUL), Event::draw(&mut luck)))
            .collect();
        events.sort_by_key(|(tick, _)| *tick);
        Self {
            seed,
            members,
            old_patroni: luck.one_in(3),
            refuses: luck.one_in(2),
            events,
        }
    }

    pub(crate) fn run(&self, mutation: Option<Mutation>) -> Result<(), Broken> {
        let mut simulation = Simulation::new(self.members);
        simulation.mutation = mutation;
        simulation.truth.says_nothing = self.old_patroni;
        // A planted bug waits for plans without steps.
        simulation.refuses = self.refuses && mutation.is_none();
        let mut luck = Luck::new(!self.seed);
        let mut events = self.events.iter().peekable();
        for tick in 1..=EVENTFUL {
            while let Some((_, event)) = events.next_if(|(due, _)| *due <= tick) {
                event.apply(&mut simulation);
            }
            if events.peek().is_none() && simulation.is_settled() && simulation.faults.stale == 0 {
                break;
            }
            simulation.tick(&mut luck)?;
        }
        Self::keep(&mut simulation, &mut luck)?;
        self.calm_down(&mut simulation);
        for _ in 0..QUIET {
            if simulation.is_settled() {
                return self.finish(&simulation);
            }
            simulation.tick(&mut luck)?;
        }
        broken(
            laws::PROGRESS,
            format!("{:?} {}", simulation.truth, shown(&simulation)),
        )
    }

    /// Nothing goes wrong any more, but the StatefulSet stays as it is.
    fn keep(simulation: &mut Simulation, luck: &mut Luck) -> Result<(), Broken> {
        if !simulation.truth.frozen {
            return Ok(());
        }
        simulation.faults = super::Faults::default();
        simulation.cluster.windows.clear();
        simulation.wake();
        for _ in 0..QUIET {
            if simulation.is_kept() {
                return Ok(());
            }
            simulation.tick(luck)?;
        }
        broken(
            laws::KEPT,
            format!("{:?} {}", simulation.truth, shown(simulation)),
        )
    }

    /// Nothing goes wrong any more, and what is wanted can be had.
    fn calm_down(&self, simulation: &mut Simulation) {
        simulation.faults = super::Faults::default();
        // A resync comes sooner or later.
        simulation.last = None;
        // Who was without a leader for the whole of a window would wait for tomorrow's.
        if self
            .events
            .iter()
            .any(|(_, event)| matches!(event, Event::Hang(_)))
        {
            simulation.cluster.windows.clear();
        }
        simulation.rewritten.clear();
        simulation.truth.rewrites = false;
        simulation.truth.frozen = false;
        simulation.refused = None;
        if simulation.wanted.broken || simulation.wanted.refused {
            simulation.wanted = successor(simulation, false, false);
        }
    }

    fn finish(&self, simulation: &Simulation) -> Result<(), Broken> {
        let mut luck = Luck::new(1);
        // Once more, so that what is seen is what is so.
        let mut simulation = simulation.clone();
        simulation.truth.seen = (simulation.truth.generation, simulation.truth.template.version);
        simulation.tick(&mut luck)?;
        let mut plan = simulation.planned(&simulation.observe());
        plan.steps.retain(|step| !is_hopeless(step));
        if !plan.is_empty() {
            return broken(laws::FIXPOINT, shown(&simulation));
        }
        let edits = self.events.iter().filter(|(_, event)| event.is_edit()).count();
        if edits == self.events.len() && simulation.switchovers > u32::try_from(edits).unwrap() {
            return broken(
                laws::ONE_SWITCHOVER,
                format!("{} switchovers", simulation.switchovers),
            );
        }
        let harmless = self.events.iter().all(|(_, event)| event.is_harmless());
        if harmless && simulation.deletions + simulation.switchovers > 0 {
            return broken(laws::UNNEEDED, simulation.taken.join(" | "));
        }
        Ok(())
    }

    /// The same without events that the failure does not need.
    pub(crate) fn shrunk(&self, law: &str, mutation: Option<Mutation>) -> Self {
        let fails = |schedule: &Self| schedule.run(mutation).is_err_and(|broken| broken.law == law);
        let mut small = self.clone();
        let mut index = 0;
        while index < small.events.len() {
            let mut candidate = small.clone();
            candidate.events.remove(index);
            if fails(&candidate) {
                small = candidate;
            } else {
                index += 1;
            }
        }
        small
    }
}

fn shown(simulation: &Simulation) -> String {
    let plan = simulation.plan(&simulation.observe());
    let steps = plan.steps.iter().map(ToString::to_string);
    let holds = plan.holds.iter().map(ToString::to_string);
    steps.chain(holds).collect::<Vec<_>>().join(" | ")
}
