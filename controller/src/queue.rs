//! Which cluster is next. Lives here: the lanes, at most one turn per cluster at a time, timed wake-ups, and merging of wake-ups that come while a
//! cluster waits or runs. Must not: why a cluster is woken, or what is done in its turn.
//!
//! Own code rather than `kube::runtime::Controller`, whose scheduler has one lane: a resync of a thousand clusters would go before an edit.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cluster_ref::ClusterRef;

/// How urgent a wake-up is, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Somebody changed what is wanted.
    Edit,
    /// It is new: nothing of it is there yet.
    New,
    /// Something else changed, or the cluster's last turn did something.
    Follow,
    /// The same, of a cluster that has not run yet: others wait for their first turn.
    Growth,
    /// The time has come to look again.
    Resync,
}

impl Lane {
    pub const ALL: [Self; 5] = [Self::Edit, Self::New, Self::Follow, Self::Growth, Self::Resync];

    /// Of a manifest that changed.
    pub const fn of_edit(is_made: bool) -> Self {
        if is_made { Self::Edit } else { Self::New }
    }

    /// Of what follows from something.
    pub const fn of_follow(is_made: bool) -> Self {
        if is_made { Self::Follow } else { Self::Growth }
    }

    /// For metrics and people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::New => "new",
            Self::Follow => "follow",
            Self::Growth => "growth",
            Self::Resync => "resync",
        }
    }

    /// How many turns more urgent ones may have while this one waits: what was begun goes on, however many they are.
    const fn patience(self) -> u32 {
        match self {
            Self::Edit | Self::Follow => 3,
            Self::New => 7,
            Self::Growth => 31,
            Self::Resync => 63,
        }
    }
}

/// The clusters that want a turn. Cheap to clone; all clones are one queue.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    lanes: [VecDeque<ClusterRef>; Lane::ALL.len()],
    clusters: HashMap<ClusterRef, Entry>,
    timers: BTreeSet<(Instant, ClusterRef)>,
    /// For how many turns of more urgent ones each lane has waited.
    passed: [u32; Lane::ALL.len()],
}

#[derive(Debug, Default)]
struct Entry {
    waiting: Option<Lane>,
    running: bool,
    timer: Option<(Instant, Lane)>,
}

/// A cluster's turn: nobody else gets this cluster until it is dropped.
#[derive(Debug)]
pub struct Turn {
    pub cluster: ClusterRef,
    pub lane: Lane,
    queue: Queue,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.finish(&self.cluster);
    }
}

impl Queue {
    /// Asks for a turn. Merges with a wake-up that waits already; one that comes during the cluster's turn gives it another turn.
    pub fn wake(&self, cluster: &ClusterRef, lane: Lane) {
        self.locked().wake(cluster, lane);
        self.changed.notify_one();
    }

    /// Asks for a turn at this time. Of several wishes the earliest counts; a turn taken meanwhile fulfils it.
    pub fn wake_at(&self, cluster: &ClusterRef, at: Instant, lane: Lane) {
        self.locked().wake_at(cluster, at, lane);
        self.changed.notify_one();
    }

    /// The next turn; waits until there is one.
    pub async fn next(&self) -> Turn {
        loop {
            let next_timer = {
                let mut state = self.locked();
                state.fire(Instant::now());
                if let Some((cluster, lane)) = state.take() {
                    return Turn {
                        cluster,
                        lane,
                        queue: self.clone(),
                    };
                }
                state.timers.first().map(|(at, _)| *at)
            };
            match next_timer {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// How many clusters wait for a turn because something changed, and how many because it is time.
    pub fn waiting(&self) -> (usize, usize) {
        let state = self.locked();
        let waiting = state.clusters.values().filter_map(|entry| entry.waiting);
        let (resyncs, changes): (Vec<_>, Vec<_>) = waiting.partition(|lane| *lane == Lane::Resync);
        (changes.len(), resyncs.len())
    }

    /// Clusters wait whose manifest is new or was changed.
    pub fn is_busy(&self) -> bool {
        let state = self.locked();
        let urgent = |entry: &Entry| entry.waiting.is_some_and(|lane| lane <= Lane::New);
        state.clusters.values().any(urgent)
    }

    /// Who waits for a turn, in no order.
    pub fn names(&self) -> Vec<ClusterRef> {
        let state = self.locked();
        let waiting = state.clusters.iter().filter(|(_, entry)| entry.waiting.is_some());
        waiting.map(|(cluster, _)| cluster.clone()).collect()
    }

    fn finish(&self, cluster: &ClusterRef) {
        self.locked().finish(cluster);
        self.changed.notify_one();
    }

    /// A panic while the lock was held cannot leave the state half changed: every method below completes its change before it can panic.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&mut self, cluster: &ClusterRef, lane: Lane) {
        let entry = self.clusters.entry(cluster.clone()).or_default();
        let more_urgent = entry.waiting.is_none_or(|waiting| lane < waiting);
        if !more_urgent {
            return;
        }
        entry.waiting = Some(lane);
        if !entry.running {
            self.enqueue(cluster.clone(), lane);
        }
    }

    /// A cluster that moves up a lane stays in the lower one too; `take` skips what is no longer true.
    fn enqueue(&mut self, cluster: ClusterRef, lane: Lane) {
        self.lanes[lane as usize].push_back(cluster);
    }

    fn wake_at(&mut self, cluster: &ClusterRef, at: Instant, lane: Lane) {
        let entry = self.clusters.entry(cluster.clone()).or_default();
        if entry.timer.is_some_and(|(earlier, _)| earlier <= at) {
            return;
        }
        let replaced = entry.timer.replace((at, lane));
        if let Some((later, _)) = replaced {
            self.timers.remove(&(later, cluster.clone()));
        }
        self.timers.insert((at, cluster.clone()));
    }

    fn fire(&mut self, now: Instant) {
        while let Some((at, _)) = self.timers.first() {
            if *at > now {
                return;
            }
            if let Some((_, cluster)) = self.timers.pop_first()
                && let Some((_, lane)) = self
                    .clusters
                    .get_mut(&cluster)
                    .and_then(|entry| entry.timer.take())
            {
                self.wake(&cluster, lane);
            }
        }
    }

    fn take(&mut self) -> Option<(ClusterRef, Lane)> {
        loop {
            let (cluster, lane) = self.pop()?;
            let Some(entry) = self.clusters.get_mut(&cluster) else {
                continue;
            };
            if entry.running || entry.waiting != Some(lane) {
                continue;
            }
            entry.waiting = None;
            entry.running = true;
            if let Some((at, _)) = entry.timer.take() {
                self.timers.remove(&(at, cluster.clone()));
            }
            self.count(lane);
            return Some((cluster, lane));
        }
    }

    /// The head of the lane whose turn it is. It may have moved to another one since.
    fn pop(&mut self) -> Option<(ClusterRef, Lane)> {
        let mut waiting = Lane::ALL
            .into_iter()
            .filter(|lane| !self.lanes[*lane as usize].is_empty());
        let most_urgent = waiting.next()?;
        let overdue = waiting.find(|lane| self.passed[*lane as usize] >= lane.patience());
        let lane = overdue.unwrap_or(most_urgent);
        let cluster = self.lanes[lane as usize].pop_front()?;
        Some((cluster, lane))
    }

    /// A cluster of this lane has its turn.
    fn count(&mut self, lane: Lane) {
        self.passed[lane as usize] = 0;
        for other in Lane::ALL.into_iter().filter(|other| *other > lane) {
            let waits = !self.lanes[other as usize].is_empty();
            let passed = &mut self.passed[other as usize];
            *passed = if waits { *passed + 1 } else { 0 };
        }
    }

    fn finish(&mut self, cluster: &ClusterRef) {
        let Some(entry) = self.clusters.get_mut(cluster) else {
            return;
        };
        entry.running = false;
        if let Some(lane) = entry.waiting {
            self.enqueue(cluster.clone(), lane);
        }
        self.drop_idle(cluster);
    }

    fn drop_idle(&mut self, cluster: &ClusterRef) {
        let idle = self
            .clusters
            .get(cluster)
            .is_some_and(|entry| !entry.running && entry.waiting.is_none() && entry.timer.is_none());
        if idle {
            self.clusters.remove(cluster);
        }
    }
}

#[cfg(test)]
mod tests;
