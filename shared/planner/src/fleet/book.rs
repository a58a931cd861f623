//! The book: who has a turn to roll, who waits for one, and whom to wake. Must not: look at a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::{Part, Roll, Verdict, Why};

/// Turns to roll of one fleet. `K` names a cluster.
#[derive(Debug)]
pub struct Book<K> {
    /// Since the start, or since the last change.
    heard: BTreeSet<K>,
    /// Those whose turn it is.
    rolling: BTreeMap<K, Trouble>,
    /// Those that had a turn which did not end well: their time for maintenance is over, or somebody looks into it. They count for no turn, and
    /// nobody starts, until they are whole or gone, or something else is wanted.
    stopped: BTreeMap<K, Trouble>,
    /// By the order in which they get their turns.
    waiting: BTreeSet<(Rank, K)>,
    ranks: BTreeMap<K, Rank>,
    /// One has finished since the last change.
    proven: bool,
}

/// What is wrong with one whose turn it is.
#[derive(Debug, Default)]
struct Trouble {
    /// What keeps a member of it down.
    member: Option<String>,
    /// What of its own doing failed last.
    step: Option<String>,
    /// Its manifest was edited meanwhile: that it comes up says nothing of what the others wait for.
    is_void: bool,
}

/// Volunteers first; a single member last, for which a template that does not run is an outage; of the others the smallest: the fewest
/// notice.
type Rank = (bool, bool, i32);

/// What follows from what was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<K> {
    /// For the cluster that was heard of.
    pub verdict: Verdict,
    /// Others to look at: their turn may have come, or why they wait has changed.
    pub wake: Vec<K>,
}

impl<K> Default for Book<K> {
    fn default() -> Self {
        Self {
            heard: BTreeSet::new(),
            rolling: BTreeMap::new(),
            stopped: BTreeMap::new(),
            waiting: BTreeSet::new(),
            ranks: BTreeMap::new(),
            proven: false,
        }
    }
}

impl Trouble {
    fn told(&self) -> Option<&String> {
        self.member.as_ref().or(self.step.as_ref())
    }
}

impl<K: Clone + Ord + Display> Book<K> {
    /// Something changed that rolls clusters: all are to be heard again, and the next to go is a canary.
    pub fn renew(&mut self) {
        self.heard.clear();
        self.stopped.clear();
        self.proven = false;
        for trouble in self.rolling.values_mut() {
            *trouble = Trouble::default();
        }
    }

    /// As [`Self::renew`], of something that rolls these only.
    pub fn renew_some(&mut self, clusters: &[K]) {
        for cluster in clusters {
            self.heard.remove(cluster);
            self.stopped.remove(cluster);
            if let Some(trouble) = self.rolling.get_mut(cluster) {
                *trouble = Trouble::default();
            }
        }
        self.proven = false;
    }

    /// Clusters that have gone are not among those that are known, and stand for none of them.
    pub fn strike(&mut self, is_gone: impl Fn(&K) -> bool) {
        self.heard.retain(|cluster| !is_gone(cluster));
    }

    /// A cluster's turn found this. There are `known` clusters, of which `budget` may roll at the same time.
    pub fn hear(&mut self, cluster: &K, roll: &Roll, known: usize, budget: usize) -> Answer<K> {
        let before = self.reason();
        self.heard.insert(cluster.clone());
        self.file(cluster, roll);
        self.give(cluster, known, budget);
        let verdict = self.verdict(cluster, roll, known, budget);
        let wake = self.to_wake(cluster, before.as_ref(), known, budget);
        Answer { verdict, wake }
    }

    /// A cluster will not roll: it is being deleted, say. Nobody waits for it, unless it has failed. Returns those to look at.
    pub fn skip(&mut self, cluster: &K, known: usize, budget: usize) -> Vec<K> {
        let before = self.reason();
        self.heard.insert(cluster.clone());
        if let Some(trouble) = self.rolling.remove(cluster)
            && trouble.told().is_some()
        {
            self.stopped.insert(cluster.clone(), trouble);
        }
        self.leave(cluster);
        self.to_wake(cluster, before.as_ref(), known, budget)
    }

    /// A cluster could not be looked at. In the middle of a roll that is trouble; who waits does so again when it can be. Returns those to
    /// look at.
    pub fn lose(&mut self, cluster: &K, why: &str, known: usize, budget: usize) -> Vec<K> {
        let before = self.reason();
        self.heard.insert(cluster.clone());
        self.wait_no_more(cluster);
        if let Some(trouble) = self.rolling.get_mut(cluster) {
            trouble.step = Some(why.to_owned());
        }
        self.to_wake(cluster, before.as_ref(), known, budget)
    }

    /// A cluster's turn was acted on, and this step failed, if one did. Returns those to look at.
    pub fn acted(&mut self, cluster: &K, failed: Option<String>, known: usize, budget: usize) -> Vec<K> {
        let before = self.reason();
        match self.rolling.get_mut(cluster) {
            Some(trouble) if trouble.step != failed => trouble.step = failed,
            _ => return Vec::new(),
        }
        self.to_wake(cluster, before.as_ref(), known, budget)
    }

    /// A cluster is gone. Returns those to look at.
    pub fn forget(&mut self, cluster: &K, known: usize, budget: usize) -> Vec<K> {
        let before = self.reason();
        self.heard.remove(cluster);
        self.stopped.remove(cluster);
        self.leave(cluster);
        self.to_wake(cluster, before.as_ref(), known, budget)
    }

    /// How many have their turn, how many wait, and how many fail, or have failed in their turns.
    pub fn counts(&self) -> (usize, usize, usize) {
        let failing = self.begun().filter(|(_, trouble)| trouble.told().is_some());
        (self.rolling.len(), self.waiting.len(), failing.count())
    }

    /// Who has a turn or has failed in it, with what is wrong, and who waits, in order.
    pub fn lists(&self) -> (Vec<(K, Option<String>)>, Vec<K>) {
        let waiting = self.waiting.iter().map(|(_, cluster)| cluster.clone());
        (
            self.begun()
                .map(|(cluster, trouble)| (cluster.clone(), trouble.told().cloned()))
                .collect(),
            waiting.collect(),
        )
    }

    fn file(&mut self, cluster: &K, roll: &Roll) {
        self.wait_no_more(cluster);
        let (turn, stop) = (self.rolling.remove(cluster), self.stopped.remove(cluster));
        if roll.is_up && !roll.is_due {
            match turn {
                Some(trouble) => self.proven = !trouble.is_void && !roll.is_rewritten,
                // Mended outside of its turn, by an image of its own say.
                None if stop.is_some() => self.proven = false,
                None => {}
            }
        } else if turn.is_some() || stop.is_some() || roll.has_begun {
            self.go_on(cluster, roll, turn, stop);
        } else if roll.is_due && !roll.is_closed {
            let is_single = roll.members == 1;
            let rank = (!roll.is_volunteer, is_single, roll.members);
            self.ranks.insert(cluster.clone(), rank);
            self.waiting.insert((rank, cluster.clone()));
        }
        self.rest();
    }

    /// One that has begun has its turn as long as it can go on, and until its new pods are up. What fails stops the others all the same.
    fn go_on(&mut self, cluster: &K, roll: &Roll, turn: Option<Trouble>, stop: Option<Trouble>) {
        let is_parked = roll.is_closed || roll.part != Part::Fleet;
        let is_tried = turn.is_some() || roll.part == Part::Fleet;
        let mut trouble = turn.or(stop).unwrap_or_default();
        trouble.is_void |= roll.part == Part::Own || roll.is_rewritten;
        // A container that is tried again runs for a moment: its trouble stays until all is well.
        if trouble.member.is_none() && (!is_parked || roll.is_coming) {
            trouble.member.clone_from(&roll.trouble);
        }
        let fails = trouble.member.is_some() || trouble.step.is_some() && roll.is_coming;
        if !is_parked || !fails && roll.is_coming && is_tried {
            self.rolling.insert(cluster.clone(), trouble);
        } else if fails {
            self.stopped.insert(cluster.clone(), trouble);
        }
    }

    /// It neither rolls nor waits.
    fn leave(&mut self, cluster: &K) {
        self.rolling.remove(cluster);
        self.wait_no_more(cluster);
        self.rest();
    }

    /// What was proven counts for those that are under way.
    fn rest(&mut self) {
        if self.rolling.is_empty() && self.waiting.is_empty() {
            self.proven = false;
        }
    }

    fn begun(&self) -> impl Iterator<Item = (&K, &Trouble)> {
        self.rolling.iter().chain(&self.stopped)
    }

    fn wait_no_more(&mut self, cluster: &K) {
        if let Some(rank) = self.ranks.remove(cluster) {
            self.waiting.remove(&(rank, cluster.clone()));
        }
    }

    /// Those whose turn it would be now.
    fn next(&self, known: usize, budget: usize) -> impl Iterator<Item = &K> {
        let limit = if self.proven { budget.max(1) } else { 1 };
        let is_open = self.heard.len() >= known && self.failing().is_none();
        let free = if is_open {
            limit.saturating_sub(self.rolling.len())
        } else {
            0
        };
        self.waiting.iter().map(|(_, cluster)| cluster).take(free)
    }

    fn give(&mut self, cluster: &K, known: usize, budget: usize) {
        if self.next(known, budget).any(|next| next == cluster) {
            self.wait_no_more(cluster);
            self.rolling.insert(cluster.clone(), Trouble::default());
        }
    }

    fn failing(&self) -> Option<(&K, &String)> {
        let mut begun = self.begun();
        begun.find_map(|(cluster, trouble)| Some((cluster, trouble.told()?)))
    }

    /// What all that wait are told, apart from numbers.
    fn reason(&self) -> Option<Why> {
        if let Some((cluster, trouble)) = self.failing() {
            return Some(Why::Failing {
                cluster: cluster.to_string(),
                trouble: trouble.clone(),
            });
        }
        let canary = self.rolling.keys().next().filter(|_| !self.proven);
        canary.map(|canary| Why::Canary(canary.to_string()))
    }

    fn verdict(&self, cluster: &K, roll: &Roll, known: usize, budget: usize) -> Verdict {
        let has_turn = self.rolling.contains_key(cluster);
        let has_begun = has_turn || self.stopped.contains_key(cluster);
        // Said wherever it is so: by its status the next controller knows of it.
        if has_begun && roll.is_coming && !roll.is_due {
            return Verdict::Finish;
        }
        if roll.part != Part::Fleet {
            return Verdict::Go;
        }
        if roll.is_closed && (roll.is_due || roll.has_begun) {
            return Verdict::Wait(Why::Closed(roll.opens));
        }
        if has_turn {
            return if roll.is_due { Verdict::Go } else { Verdict::Finish };
        }
        if !roll.is_due {
            return Verdict::Go;
        }
        if self.heard.len() < known {
            return Verdict::Wait(Why::Looking);
        }
        Verdict::Wait(self.reason().unwrap_or(Why::Budget(budget)))
    }

    fn to_wake(&self, cluster: &K, before: Option<&Why>, known: usize, budget: usize) -> Vec<K> {
        if before != self.reason().as_ref() {
            let waiting = self.waiting.iter().map(|(_, waiting)| waiting.clone());
            return waiting.filter(|waiting| waiting != cluster).collect();
        }
        self.next(known, budget).cloned().collect()
    }
}
