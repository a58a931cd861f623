//! What is remembered of a cluster between its turns. All of it can be lost: a restart costs reads, never correctness. A leaf.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use pgherd_planner::observed::{Catalog, ObjectRef};
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster_ref::ClusterRef;

/// Between the first failure and the next try: most first failures are conflicts with somebody who was faster.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Between two turns that follow each other because something was done.
const BREATH: Duration = Duration::from_millis(50);
/// After so many turns in a row that did something, the cluster does not settle: a creation takes three or four.
const RESTLESS: u32 = 8;
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
    /// The primary's Endpoints as last read or written, in Endpoints mode.
    pub endpoints: Option<Value>,
    /// Templates of revisions that pods still run, by the revision's name.
    pub templates: BTreeMap<String, PodTemplateSpec>,
    /// Patroni was told something that its members take up one by one, and no watch tells when they have: until then it is asked again.
    pub patroni_unsettled: Option<Instant>,
    /// A switchover that Patroni was asked for while nobody leads: the version of its object, and since when it is seen.
    pub pending_handover: Option<(String, Timestamp)>,
    /// An edit of the manifest rolls the pods.
    pub is_edited: bool,
    /// What the annotation said by which somebody asks for that, at the last turn.
    asked: Option<String>,
    /// When everything is read anew, whatever the watches said; none before the first turn.
    pub resync: Option<Instant>,
    failures: u32,
    moves: u32,
}

/// When any of this changes, the catalog may have to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogKey {
    /// The manifest's identity and generation.
    pub manifest: (String, i64),
    /// The pod that leads; a new primary may lack the last changes of the old one.
    pub primary: String,
    /// It waits for a restart, after which its settings are others.
    pub restarts: bool,
    /// The secrets with their versions.
    pub secrets: Vec<ObjectRef>,
    /// Whose inside is looked at.
    pub databases: Vec<String>,
}

impl Memory {
    /// Patroni's configuration was changed.
    pub fn patroni_changed(&mut self, now: Instant) {
        self.patroni_unsettled = Some(now + PATRONI_SETTLES);
    }

    /// The wake-up that a plan asks for, or an earlier one while Patroni's members take up a change.
    pub fn wake(&mut self, planned: Option<Duration>, now: Instant) -> Option<Duration> {
        self.patroni_unsettled = self.patroni_unsettled.filter(|until| now < *until);
        match self.patroni_unsettled {
            Some(_) => Some(planned.map_or(PATRONI_ROUND, |planned| planned.min(PATRONI_ROUND))),
            None => planned,
        }
    }

    /// A turn found nothing to do.
    pub fn settled(&mut self) {
        self.failures = 0;
        self.moves = 0;
    }

    /// A turn did something: how long to wait until the next one looks whether all is as wanted. Grows when that never comes to be, so that
    /// a disagreement with the API server, or with somebody else who writes, does not become a storm.
    pub fn moved(&mut self) -> Duration {
        self.failures = 0;
        self.moves = self.moves.saturating_add(1);
        match self.moves.checked_sub(RESTLESS) {
            None => BREATH,
            Some(beyond) => {
                tracing::warn!(
                    turns = self.moves,
                    "the cluster does not settle: every turn finds something to do"
                );
                pause(beyond)
            }
        }
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
            self.resync = Some(now + jittered(period, 0.1));
            self.catalog = None;
            self.endpoints = None;
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
mod tests {
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

    #[test]
    fn a_cluster_that_never_settles_gets_its_turns_ever_more_rarely() {
        let mut memory = Memory::default();
        let waits: Vec<Duration> = (0..20).map(|_| memory.moved()).collect();
        assert!(waits[..7].iter().all(|wait| *wait == BREATH), "{waits:?}");
        assert!(waits[19] > Duration::from_mins(1), "{waits:?}");
        memory.settled();
        assert_eq!(memory.moved(), BREATH);
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
