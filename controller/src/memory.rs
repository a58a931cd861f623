//! What is remembered of a cluster between its turns. All of it can be lost: a restart costs reads, never correctness. A leaf.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use pgherd_model::secret::Secret;
use pgherd_planner::observed::{Catalog, ObjectRef, RefusedStep, StateObject};
use pgherd_planner::plan::Step;
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster_ref::ClusterRef;

mod catalog;
mod undone;
mod waits;

pub use catalog::CatalogKey;
use undone::Undone;
pub use waits::{RollState, Waits};

/// Between the first failure and the next try: most first failures are conflicts with somebody who was faster.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Between two turns that follow each other because something was done.
pub(crate) const BREATH: Duration = Duration::from_millis(50);
/// A step that is taken so many times for the same manifest does not last. However many different steps follow each other, they lead somewhere.
const RESTLESS: u32 = 8;
/// One of these times is forgotten after this. A turn that finds nothing to do says little: who writes back may only not have done so yet.
const FORGOTTEN: Duration = Duration::from_mins(1);
/// The longest pause between tries: half an hour would hide that a cause is gone.
const LAST_RETRY: Duration = Duration::from_mins(2);

/// Members take up a new configuration at their next round (`loop_wait`, 10 s as shipped), and tell at the one after whether they have to
/// restart for it.
const PATRONI_SETTLES: Duration = Duration::from_mins(1);
/// How often they are asked meanwhile.
const PATRONI_ROUND: Duration = Duration::from_secs(3);

/// Of one cluster.
#[derive(Debug, Default)]
pub struct Memory {
    /// The catalog as last read, and what it was read for.
    pub catalog: Option<(CatalogKey, Catalog)>,
    /// How often in a row something was missing in what was read, and when to ask for it again; none where nothing is.
    lacking: Option<(u32, Instant)>,
    /// The superuser's password as the server was last seen to have it. Somebody who edits or deletes its secret would lock us out otherwise.
    pub entrance: Option<Secret>,
    /// The primary's Endpoints as last read or written, in Endpoints mode.
    pub endpoints: Option<Value>,
    /// What Patroni writes to, with who owns it, as last read or written.
    pub state_objects: Option<Vec<StateObject>>,
    /// Templates of revisions that pods still run, by the revision's name.
    pub templates: BTreeMap<String, PodTemplateSpec>,
    /// Patroni was told something that its members take up one by one, and no watch tells when they have: until then it is asked again.
    pub patroni_unsettled: Option<Instant>,
    /// A switchover that Patroni was asked for while nobody leads: the version of its object, and since when it is seen.
    pub pending_handover: Option<(String, Timestamp)>,
    /// Fields of the StatefulSet that a policy rewrites, and the manifest's generation that this was seen for.
    pub rewritten: (i64, Vec<String>),
    /// A change of the StatefulSet that was refused, the manifest's generation that this was seen for, and until when it is believed.
    refused: Option<(RefusedStep, i64, Instant)>,
    /// An edit of the manifest rolls the pods.
    pub is_edited: bool,
    /// What the annotation said by which somebody asks for that, at the last turn.
    asked: Option<String>,
    /// When everything is read anew, whatever the watches said; none before the first turn.
    pub resync: Option<Instant>,
    /// What it waits for, as the last turn found.
    waits: Waits,
    /// Since when turn after turn has found nothing that it could do, and asks to look again.
    idle_since: Option<Instant>,
    failures: u32,
    /// The steps that were taken for the manifest as it is.
    deeds: HashMap<u64, Deed>,
    /// The same of those that a user of the database may undo.
    undone: Undone,
    /// How often the step of the last turn was taken that was taken most often.
    repeats: u32,
    /// It does not settle: nothing that happens to it counts before this time.
    rests: Option<Instant>,
    /// Generation of the manifest that the last turn was about.
    generation: Option<i64>,
}

/// A step that was taken.
#[derive(Debug, Clone, Copy)]
struct Deed {
    times: u32,
    last: Instant,
}

impl Deed {
    /// How often it was taken, as far as that is remembered.
    fn remembered(self, now: Instant) -> u32 {
        let minutes = now.duration_since(self.last).as_secs() / FORGOTTEN.as_secs();
        let forgotten = u32::try_from(minutes).unwrap_or(u32::MAX);
        self.times.saturating_sub(forgotten)
    }
}

impl Memory {
    /// Patroni's configuration was changed.
    pub fn patroni_changed(&mut self, now: Instant) {
        self.patroni_unsettled = Some(now + PATRONI_SETTLES);
    }

    /// Something that Patroni writes to has these owners now; none: it is not known any more what is so.
    pub fn note_owners(&mut self, target: &ObjectRef, owners: Option<Vec<OwnerReference>>) {
        let Some(owners) = owners else {
            self.state_objects = None;
            return;
        };
        let known = self.state_objects.iter_mut().flatten();
        let same = |known: &&mut StateObject| {
            (&known.object.kind, &known.object.name) == (&target.kind, &target.name)
        };
        for found in known.filter(same) {
            found.owner_references.clone_from(&owners);
        }
    }

    /// The API server refused a change of the StatefulSet.
    pub fn note_refusal(&mut self, step: RefusedStep, generation: i64, now: Instant) {
        self.refused = Some((step, generation, now + LAST_RETRY));
    }

    /// What was refused for this generation of the manifest, and is not tried again yet.
    pub fn refused(&mut self, generation: i64, now: Instant) -> Option<RefusedStep> {
        self.refused = self
            .refused
            .take()
            .filter(|(_, seen, until)| *seen == generation && now < *until);
        self.refused.as_ref().map(|(step, ..)| step.clone())
    }

    /// What the cluster waits for now.
    pub fn note_waits(&mut self, waits: Waits) {
        self.waits = waits;
    }

    /// Something happened to it.
    pub fn stirred(&mut self) {
        self.idle_since = None;
    }

    /// How long a plan's wake-up may be put off: a twentieth of the time for which nothing could be done. What has waited for an hour is not
    /// asked about every few seconds, and what is done about it comes late by a little only. What a watch tells of comes at once as ever.
    fn patience(&mut self, now: Instant) -> Duration {
        let since = *self.idle_since.get_or_insert(now);
        (now.duration_since(since) / 20).min(LAST_RETRY)
    }

    /// The wake-up that a plan asks for, later when it has been asking for long, or an earlier one while Patroni's members take up a change.
    pub fn wake(&mut self, planned: Option<Duration>, now: Instant) -> Option<Duration> {
        let planned = planned.map(|planned| planned.max(self.patience(now)));
        if planned.is_none() {
            self.idle_since = None;
        }
        self.patroni_unsettled = self.patroni_unsettled.filter(|until| now < *until);
        match self.patroni_unsettled {
            Some(_) => Some(planned.map_or(PATRONI_ROUND, |planned| planned.min(PATRONI_ROUND))),
            None => planned,
        }
    }

    /// A turn found nothing to do.
    pub fn settled(&mut self) {
        self.failures = 0;
    }

    /// These steps were taken. What a user of the database may undo counts by itself: it makes nothing else wait.
    pub fn did<'a>(&mut self, steps: impl IntoIterator<Item = &'a Step>, now: Instant) {
        let (theirs, steps): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| undone::may_be(step));
        self.undone.note(theirs, now);
        self.deeds.retain(|_, deed| deed.remembered(now) > 0);
        self.repeats = 0;
        for step in steps {
            let mut hasher = DefaultHasher::new();
            step.to_string().hash(&mut hasher);
            let known = self.deeds.get(&hasher.finish());
            let times = known.map_or(0, |deed| deed.remembered(now)) + 1;
            self.deeds.insert(hasher.finish(), Deed { times, last: now });
            self.repeats = self.repeats.max(times);
        }
    }

    /// A turn did something: how long to wait until the next one looks whether all is as wanted. Grows when the same has to be done again and
    /// again, so that a disagreement with the API server, or with somebody else who writes, does not become a storm.
    pub fn moved(&mut self, now: Instant) -> Duration {
        self.failures = 0;
        self.pace(now)
    }

    /// The same, where something failed besides.
    pub fn pace(&mut self, now: Instant) -> Duration {
        self.idle_since = None;
        let Some(beyond) = self.repeats.checked_sub(RESTLESS) else {
            return BREATH;
        };
        tracing::warn!(
            times = self.repeats,
            "the cluster does not settle: the same has to be done again and again"
        );
        let pause = pause(beyond);
        self.rests = Some(now + pause);
        pause
    }

    /// Until when a cluster that does not settle has no turn, whatever happens to it; none where it has. Another manifest, of this
    /// `generation`, has its turn always.
    pub fn rests(&mut self, generation: Option<i64>, now: Instant) -> Option<Instant> {
        let is_edit = self.generation != generation;
        if is_edit {
            self.deeds.clear();
            self.undone = Undone::default();
        }
        self.generation = generation;
        self.rests = self.rests.filter(|until| now < *until && !is_edit);
        self.rests
    }

    /// A turn failed: how long to wait until the next one. Doubles, with jitter, up to a limit.
    pub fn failed(&mut self) -> Duration {
        let pause = pause(self.failures);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// Whether this is a resync, where nothing is believed that no watch covers: by time, or because somebody asks for it. Sets the time of
    /// the next one.
    pub fn begin(&mut self, now: Instant, period: Duration, asked: Option<&str>) -> bool {
        let is_asked = asked.is_some() && asked != self.asked.as_deref();
        self.asked = asked.map(str::to_owned);
        let due = is_asked || self.resync.is_none_or(|at| at <= now);
        if due {
            // What the first lists told is as good as read now.
            if self.resync.is_some() {
                self.endpoints = None;
            }
            self.resync = Some(now + jittered(period, 0.1));
            self.catalog = None;
            self.state_objects = None;
            self.rewritten = Default::default();
            self.refused = None;
        }
        due
    }
}

/// The pause before a try, after so many others.
fn pause(tries: u32) -> Duration {
    jittered(
        FIRST_RETRY.saturating_mul(1 << tries.min(20)).min(LAST_RETRY),
        0.25,
    )
}

/// The duration, shorter or longer by up to this share: so that a thousand clusters do not come at once.
pub fn jittered(duration: Duration, share: f64) -> Duration {
    duration.mul_f64(1.0 + share * rand::random_range(-1.0..=1.0))
}

/// Of all clusters.
#[derive(Debug, Default)]
pub struct Memories(Mutex<HashMap<ClusterRef, Memory>>);

impl Memories {
    /// Looks into or changes one cluster's memory.
    pub fn with<T>(&self, cluster: &ClusterRef, look: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(memories.entry(cluster.clone()).or_default())
    }

    /// In how many clusters something is held back for each kind of reason.
    pub fn holds(&self) -> BTreeMap<String, usize> {
        let memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = BTreeMap::new();
        for reason in memories.values().flat_map(|memory| &memory.waits.holds) {
            *counts.entry(reason.clone()).or_default() += 1;
        }
        counts
    }

    /// By state since when the roll is wanted that is wanted for longest.
    pub fn rolls(&self) -> [(RollState, Option<Timestamp>); 3] {
        let memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        RollState::ALL.map(|state| {
            let rolls = memories.values().filter_map(|memory| memory.waits.roll);
            let of_state = rolls.filter(|(found, _)| *found == state);
            (state, of_state.map(|(_, since)| since).min())
        })
    }

    pub fn forget(&self, cluster: &ClusterRef) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(cluster);
    }

    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use pgherd_planner::plan::{Action, Impact, Precondition, Reason};

    use super::*;

    #[test]
    fn retries_double_up_to_the_limit_and_start_over_after_success() {
        let mut memory = Memory::default();
        let waits: Vec<f64> = (0..12).map(|_| memory.failed().as_secs_f64()).collect();
        let expected = [
            0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0, 120.0,
        ];
        for (wait, expected) in waits.iter().zip(expected) {
            assert!((wait / expected - 1.0).abs() <= 0.251, "{waits:?}");
        }
        memory.settled();
        assert!(memory.failed().as_secs_f64() < 0.32);
    }

    pub(crate) fn step(name: &str) -> Step {
        Step {
            action: Action::AddFinalizer(name.to_owned()),
            reason: Reason::Missing,
            impact: Impact::None,
            precondition: Precondition::None,
        }
    }

    /// What brings a role to what it shall be.
    pub(crate) fn sql(role: &str) -> Step {
        Step {
            action: Action::RunSql {
                database: "postgres".to_owned(),
                subject: pgherd_planner::sql::Subject::Role(role.to_owned()),
                needs: Vec::new(),
                statements: Vec::new(),
            },
            ..step(role)
        }
    }

    /// The step is taken once more.
    fn again(memory: &mut Memory, name: &str, now: Instant) -> Duration {
        memory.did([&step(name)], now);
        memory.moved(now)
    }

    #[test]
    fn what_has_to_be_done_again_and_again_is_done_ever_more_rarely() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let waits: Vec<Duration> = (0..20).map(|_| again(&mut memory, "a", now)).collect();
        assert!(waits[..7].iter().all(|wait| *wait == BREATH), "{waits:?}");
        assert!(waits[19] > Duration::from_mins(1), "{waits:?}");
        memory.settled();
        assert!(
            again(&mut memory, "a", now) > Duration::from_mins(1),
            "a turn without work proves nothing"
        );
        assert_eq!(again(&mut memory, "a", now + 21 * FORGOTTEN), BREATH);
    }

    #[test]
    fn steps_that_differ_lead_somewhere_however_many_they_are() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for number in 0..100 {
            assert_eq!(again(&mut memory, &number.to_string(), now), BREATH);
        }
        assert_eq!(memory.rests(None, now), None);
        memory.did([&step("0")], now + FORGOTTEN * 5);
        assert_eq!(memory.deeds.len(), 1, "what is forgotten takes no room");
    }

    #[test]
    fn only_another_manifest_ends_a_rest() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        assert_eq!(memory.rests(Some(1), now), None);
        for _ in 0..20 {
            again(&mut memory, "a", now);
        }
        assert!(
            memory
                .rests(Some(1), now)
                .is_some_and(|until| until > now + FORGOTTEN)
        );
        assert_eq!(memory.rests(Some(1), now + LAST_RETRY * 2), None, "it is over");
        again(&mut memory, "a", now);
        assert_eq!(memory.rests(Some(2), now), None);
        assert_eq!(
            again(&mut memory, "a", now),
            BREATH,
            "another manifest, another story"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_change_of_its_configuration_patroni_is_asked_for_a_while() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        assert_eq!(memory.wake(None, now), None);
        memory.patroni_changed(now);
        assert_eq!(memory.wake(None, now), Some(PATRONI_ROUND));
        let sooner = Some(Duration::from_secs(1));
        assert_eq!(memory.wake(sooner, now), sooner);
        assert_eq!(memory.wake(None, now + PATRONI_SETTLES), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_long_is_looked_at_ever_more_rarely_until_something_happens() {
        let (mut memory, start, planned) = (Memory::default(), Instant::now(), Duration::from_secs(10));
        let wake = |memory: &mut Memory, minutes: u64| {
            memory
                .wake(Some(planned), start + Duration::from_mins(minutes))
                .unwrap()
        };
        assert_eq!(wake(&mut memory, 0), planned);
        assert_eq!(wake(&mut memory, 3), planned);
        assert_eq!(wake(&mut memory, 20), Duration::from_mins(1));
        assert_eq!(wake(&mut memory, 6000), LAST_RETRY);
        memory.stirred();
        assert_eq!(wake(&mut memory, 6000), planned);
        assert_eq!(wake(&mut memory, 7000), LAST_RETRY);
        memory.moved(start);
        assert_eq!(wake(&mut memory, 7000), planned);
        // A window that opens in nine hours is waited for to the point.
        let hours = Some(Duration::from_hours(9));
        assert_eq!(memory.wake(hours, start + Duration::from_hours(900)), hours);
    }

    #[test]
    fn waits_are_counted_by_reason_and_of_rolls_the_oldest_tells_the_age() {
        let memories = Memories::default();
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for (name, reasons, roll) in [
            ("a", vec!["fleet", "mode"], Some((RollState::Waiting, at(20)))),
            ("b", vec!["fleet"], Some((RollState::Waiting, at(10)))),
            ("c", vec![], Some((RollState::Rolling, at(5)))),
        ] {
            let holds = reasons.into_iter().map(str::to_owned).collect();
            memories.with(&ClusterRef::new("n", name), |memory| {
                memory.note_waits(Waits { holds, roll });
            });
        }
        assert_eq!(
            memories.holds(),
            [("fleet".to_owned(), 2), ("mode".to_owned(), 1)].into()
        );
        assert_eq!(
            memories.rolls(),
            [
                (RollState::Rolling, Some(at(5))),
                (RollState::Held, None),
                (RollState::Waiting, Some(at(10)))
            ]
        );
        memories.forget(&ClusterRef::new("n", "b"));
        assert_eq!(memories.holds()["fleet"], 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_turn_is_a_resync_and_then_one_per_period() {
        let mut memory = Memory::default();
        let period = Duration::from_secs(1000);
        let start = Instant::now();
        assert!(memory.begin(start, period, None));
        assert!(!memory.begin(start + Duration::from_secs(890), period, None));
        assert!(memory.begin(start + Duration::from_secs(1110), period, None));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_a_resync_gets_one() {
        let (mut memory, now, period) = (Memory::default(), Instant::now(), Duration::from_secs(1000));
        memory.begin(now, period, None);
        assert!(memory.begin(now, period, Some("now")));
        assert!(!memory.begin(now, period, Some("now")), "once per value");
        assert!(memory.begin(now, period, Some("again")));
        assert!(!memory.begin(now, period, None));
        assert!(memory.begin(now, period, Some("again")));
    }
}
