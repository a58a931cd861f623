//! What happens by itself: the StatefulSet's controller, the kubelet, Patroni.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Condition, Luck, Pod, Template, Truth};

/// Ticks without a leader until a replica takes over.
const ELECTION: u8 = 3;
/// How many there are.
pub(crate) const NODES: u32 = 3;

/// Without it no pod is made or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatefulSetIs {
    Present,
    /// Marked as deleted, its pods are being set free.
    Going,
    Absent,
}

impl Truth {
    /// Members that run, the first leads.
    pub(super) fn new(template: Template, members: u32) -> Self {
        let mut truth = Self {
            now: Timestamp::UNIX_EPOCH,
            set: StatefulSetIs::Present,
            made: Timestamp::UNIX_EPOCH - SignedDuration::from_hours(1),
            cordoned: BTreeSet::new(),
            says_nothing: false,
            request: None,
            before_stop: Value::Null,
            rewrites: false,
            frozen: false,
            replicas: members,
            generation: 1,
            seen: (1, template.version),
            pods: BTreeMap::new(),
            leader: Some(0),
            leaderless: 0,
            ours: BTreeSet::new(),
            connections: 100,
            templates: BTreeMap::from([(template.version, template.clone())]),
            template,
            uids: 0,
        };
        for ordinal in 0..members {
            let pod = truth.make(ordinal % NODES);
            truth.pods.insert(ordinal, pod);
            truth.pods.get_mut(&ordinal).unwrap().condition = Condition::Serving;
        }
        truth
    }

    /// A write of the StatefulSet's template.
    pub(crate) fn store(&mut self, mut template: Template) {
        template.parallel = self.template.parallel;
        self.templates.insert(template.version, template.clone());
        self.template = template;
        self.generation += 1;
    }

    pub(super) fn pass(&mut self, luck: &mut Luck) {
        // Its controller may take a moment to see a write.
        if self.seen.0 < self.generation && !luck.one_in(3) {
            self.seen = (self.generation, self.template.version);
        }
        self.end_pods();
        if self.set == StatefulSetIs::Present {
            self.end_surplus();
            self.make_pods(luck);
        } else {
            self.set = StatefulSetIs::Absent;
        }
        for pod in self.pods.values_mut() {
            advance(pod);
        }
        let up = |ordinal: &u32| self.pods.get(ordinal).is_some_and(Pod::serves);
        self.ours.retain(|ordinal| !up(ordinal));
        self.elect(luck);
    }

    fn end_pods(&mut self) {
        for pod in self.pods.values_mut() {
            pod.ending = pod.ending.map(|ticks| ticks.saturating_sub(1));
        }
        self.pods.retain(|_, pod| pod.ending != Some(0));
    }

    fn end_surplus(&mut self) {
        // One at a time, the highest first.
        let highest = self.pods.iter_mut().next_back();
        let surplus = highest.filter(|(ordinal, pod)| **ordinal >= self.replicas && pod.ending.is_none());
        if let Some((_, pod)) = surplus {
            pod.ending = Some(2);
        }
    }

    fn make_pods(&mut self, luck: &mut Luck) {
        let missing = (0..self.replicas).find(|ordinal| !self.pods.contains_key(ordinal));
        if let Some(ordinal) = missing {
            let open: Vec<u32> = (0..NODES).filter(|node| !self.cordoned.contains(node)).collect();
            let node = open[luck.below(u32::try_from(open.len()).unwrap()) as usize];
            let pod = self.make(node);
            self.pods.insert(ordinal, pod);
        }
    }

    /// Its node takes pods.
    pub(super) fn is_on_good_node(&self, member: u32) -> bool {
        let pod = self.pods.get(&member);
        pod.is_some_and(|pod| !self.cordoned.contains(&pod.node))
    }

    /// Of the template that the StatefulSet's controller knows.
    fn make(&mut self, node: u32) -> Pod {
        self.uids += 1;
        let revision = self.seen.1;
        let leader = self.leader.and_then(|leader| self.pods.get(&leader));
        let least = leader.map_or(0, |pod| pod.connections);
        Pod {
            uid: self.uids,
            revision,
            condition: if self.templates[&revision].broken {
                Condition::Broken
            } else {
                Condition::Starting(3)
            },
            ending: None,
            lag: 0,
            connections: self.connections.max(least),
            marked: false,
            marked_by_us: false,
            note: self.templates[&revision].note(),
            node,
        }
    }

    /// The least that Postgres takes for a member: a replica needs what its primary has.
    pub(super) fn floor(&self, member: u32) -> i64 {
        let leader = self.leader.filter(|leader| *leader != member);
        leader
            .and_then(|leader| self.pods.get(&leader))
            .map_or(0, |pod| pod.connections)
    }

    /// The others leave it to a member whose Patroni answers, and that will not lead.
    fn hangs(&self) -> bool {
        let asked = self.request.and_then(|request| self.pods.get(&request.to));
        asked.is_some_and(|pod| {
            let answers = matches!(pod.condition, Condition::Serving | Condition::Starting(_));
            answers && pod.ending.is_none()
        })
    }

    fn elect(&mut self, luck: &mut Luck) {
        let serves = |ordinal: &u32| self.pods.get(ordinal).is_some_and(Pod::serves);
        // A leader that restarts keeps its lease.
        let restarts = |ordinal: &u32| {
            let pod = self.pods.get(ordinal);
            pod.is_some_and(|pod| matches!(pod.condition, Condition::Starting(_)) && pod.ending.is_none())
        };
        if self
            .leader
            .is_some_and(|leader| serves(&leader) || restarts(&leader))
        {
            self.leaderless = 0;
            self.request = None;
            return;
        }
        if self.hangs() {
            return;
        }
        self.leaderless = self.leaderless.saturating_add(1);
        if self.leaderless < ELECTION {
            return;
        }
        let ready: Vec<u32> = self.pods.keys().copied().filter(serves).collect();
        if let Some(limit) = u32::try_from(ready.len()).ok().filter(|count| *count > 0) {
            self.leader = Some(ready[luck.below(limit) as usize]);
            self.leaderless = 0;
        }
    }
}

fn advance(pod: &mut Pod) {
    pod.condition = match pod.condition {
        Condition::Starting(0) | Condition::Lost(0) | Condition::Serving => Condition::Serving,
        Condition::Starting(ticks) => Condition::Starting(ticks - 1),
        Condition::Lost(ticks) => Condition::Lost(ticks - 1),
        Condition::Broken => Condition::Broken,
    };
    if pod.serves() {
        pod.lag /= 4;
    }
}
