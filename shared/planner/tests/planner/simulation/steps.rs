//! What steps do to the truth.

use std::collections::BTreeMap;

use pgherd_model::names::annotations::{ROLL_MARKED, ROLLING_UPDATE_REQUIRED};
use pgherd_planner::plan::{Action, Object, Propagation, Step};

use super::nature::StatefulSetIs;
use super::template::NOTE;
use super::{Condition, Pod, Simulation, name, ordinal};

impl Simulation {
    /// What a step does. False: it was refused.
    pub(super) fn take(&mut self, step: &Step) -> bool {
        let is_of_set = match &step.action {
            Action::CheckTemplate { .. } | Action::Scale { .. } => false,
            _ => step.shapes_members(),
        };
        if self.truth.frozen && is_of_set && self.truth.set == StatefulSetIs::Present {
            return false;
        }
        match &step.action {
            Action::Apply(object) => self.apply(object),
            Action::Patch { .. } => {
                self.truth.store(self.wanted.clone());
                true
            }
            Action::Delete { target, propagation } => {
                assert_eq!(
                    (target.kind.as_str(), *propagation),
                    ("StatefulSet", Propagation::Orphan)
                );
                self.truth.set = StatefulSetIs::Going;
                true
            }
            Action::Relabel {
                target, annotations, ..
            } => self.annotate(&target.uid, annotations),
            Action::Scale { replicas, .. } => {
                self.truth.replicas = replicas.unsigned_abs();
                self.truth.generation += 1;
                true
            }
            Action::CheckTemplate { .. } => !self.truth.template.refused,
            Action::CheckObject(_) if self.truth.rewrites => {
                self.rewritten = vec!["/spec/podManagementPolicy".to_owned()];
                false
            }
            Action::CheckObject(_) | Action::Checkpoint { .. } => true,
            Action::DeletePod { target } => {
                self.end(&target.uid);
                true
            }
            Action::Switchover { leader, candidate } => self.switch_over(leader, candidate),
            Action::TakeBackHandover { .. } => {
                self.truth.request = None;
                true
            }
            Action::RestartPostgres { member } => self.restart(member),
            Action::PatchPatroni(patch) => {
                self.truth.before_stop = patch["postgresql"]["before_stop"].clone();
                true
            }
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

    fn apply(&mut self, object: &Object) -> bool {
        if self.truth.set == StatefulSetIs::Absent {
            let replicas = object.to_value()["spec"]["replicas"].as_u64().unwrap();
            self.truth.set = StatefulSetIs::Present;
            self.truth.made = self.truth.now;
            self.truth.replicas = u32::try_from(replicas).unwrap();
            if !self.truth.rewrites {
                self.truth.template.parallel = self.wanted.parallel;
            }
        }
        self.truth.store(self.wanted.clone());
        true
    }

    /// The controller notes nothing in its cache: the watch tells.
    fn annotate(&mut self, uid: &str, annotations: &BTreeMap<String, Option<String>>) -> bool {
        let mut pods = self.truth.pods.values_mut();
        let Some(pod) = pods.find(|pod| pod.uid.to_string() == uid) else {
            return true;
        };
        for (key, value) in annotations {
            match key.as_str() {
                ROLLING_UPDATE_REQUIRED => pod.marked = value.is_some(),
                ROLL_MARKED => pod.marked_by_us = value.is_some(),
                NOTE => pod.note.clone_from(value),
                other => panic!("not in this world: {other}"),
            }
        }
        true
    }
}
