//! What this process does at the moment and has done lately, for people who look: turns in progress, and per cluster the last lines and edits.
//! A leaf. Must not: be relied on by any decision.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::cluster_ref::ClusterRef;

/// All of it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Activity(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    slots: Vec<Option<Running>>,
    told: HashMap<ClusterRef, Told>,
    last_sync: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Told {
    lines: VecDeque<Line>,
    edits: VecDeque<Edit>,
}

/// A turn in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub cluster: ClusterRef,
    /// What kind of turn.
    pub lane: &'static str,
    pub since: Timestamp,
}

/// Something that was done or went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub at: Timestamp,
    pub level: &'static str,
    pub text: String,
}

/// An edit that was looked at: which fields, without their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub at: Timestamp,
    pub paths: Vec<String>,
}

/// How much is kept of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub lines: u32,
    pub edits: u32,
}

/// A turn's place among the turns in progress, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    activity: Activity,
    number: usize,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slot) = self.activity.locked().slots.get_mut(self.number) {
            *slot = None;
        }
    }
}

impl Activity {
    /// A turn begins; it gets the lowest free place.
    pub fn begin(&self, cluster: &ClusterRef, lane: &'static str) -> Slot {
        let now = Timestamp::now();
        let mut state = self.locked();
        if lane == "resync" {
            state.last_sync = Some(now);
        }
        let free = state.slots.iter().position(Option::is_none);
        let number = free.unwrap_or(state.slots.len());
        let running = Some(Running {
            cluster: cluster.clone(),
            lane,
            since: now,
        });
        match state.slots.get_mut(number) {
            Some(slot) => *slot = running,
            None => state.slots.push(running),
        }
        Slot {
            activity: self.clone(),
            number,
        }
    }

    /// Turns in progress by their places.
    pub fn running(&self) -> Vec<Option<Running>> {
        self.locked().slots.clone()
    }

    pub fn last_sync(&self) -> Option<Timestamp> {
        self.locked().last_sync
    }

    pub fn tell(&self, cluster: &ClusterRef, limits: Limits, level: &'static str, text: String) {
        let at = Timestamp::now();
        let mut state = self.locked();
        let lines = &mut state.told.entry(cluster.clone()).or_default().lines;
        push(lines, limits.lines, Line { at, level, text });
    }

    pub fn note_edit(&self, cluster: &ClusterRef, limits: Limits, paths: Vec<String>) {
        let at = Timestamp::now();
        let mut state = self.locked();
        let edits = &mut state.told.entry(cluster.clone()).or_default().edits;
        push(edits, limits.edits, Edit { at, paths });
    }

    /// The last lines of a cluster, oldest first.
    pub fn lines(&self, cluster: &ClusterRef) -> Vec<Line> {
        let state = self.locked();
        let told = state.told.get(cluster);
        told.into_iter()
            .flat_map(|told| told.lines.iter().cloned())
            .collect()
    }

    pub fn edits(&self, cluster: &ClusterRef) -> Vec<Edit> {
        let state = self.locked();
        let told = state.told.get(cluster);
        told.into_iter()
            .flat_map(|told| told.edits.iter().cloned())
            .collect()
    }

    pub fn forget(&self, cluster: &ClusterRef) {
        self.locked().told.remove(cluster);
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push<T>(ring: &mut VecDeque<T>, limit: u32, entry: T) {
    ring.push_back(entry);
    while ring.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
        ring.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { lines: 2, edits: 1 };

    #[test]
    fn places_are_used_again_and_only_the_last_lines_are_kept() {
        let (activity, cluster) = (Activity::default(), ClusterRef::new("n", "a"));
        let first = activity.begin(&cluster, "edit");
        let second = activity.begin(&ClusterRef::new("n", "b"), "resync");
        drop(first);
        let running = activity.running();
        assert!(running[0].is_none() && running[1].is_some());
        let third = activity.begin(&cluster, "edit");
        assert_eq!(third.number, 0);
        drop((second, third));
        for text in ["1", "2", "3"] {
            activity.tell(&cluster, LIMITS, "info", text.to_owned());
        }
        let texts: Vec<_> = activity
            .lines(&cluster)
            .into_iter()
            .map(|line| line.text)
            .collect();
        assert_eq!(texts, ["2", "3"]);
        activity.forget(&cluster);
        assert!(activity.lines(&cluster).is_empty());
    }
}
