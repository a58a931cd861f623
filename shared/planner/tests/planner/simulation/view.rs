//! What is seen of the truth, through Kubernetes and through Patroni.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use pgherd_model::names::annotations::{ROLL_MARKED, ROLLING_UPDATE_REQUIRED};
use pgherd_planner::observed::{
    Catalog, HandoverRequest, MemberRole, MemberView, NodesView, ObjectRef, ParameterChange, PatroniView,
    PodView, Source,
};
use serde_json::json;

use super::template::NOTE;
use super::{Condition, Pod, Request, Simulation, StatefulSetIs, Truth, name, pod_template};

impl Truth {
    pub(super) fn stored(&self, simulation: &Simulation) -> Option<StatefulSet> {
        if self.set == StatefulSetIs::Absent {
            return None;
        }
        let mut object = simulation.stateful_set(&self.template, self.replicas);
        object.metadata.generation = Some(self.generation);
        object.metadata.uid = Some("set".to_owned());
        object.metadata.creation_timestamp = Some(Time(self.made));
        object.metadata.deletion_timestamp = (self.set == StatefulSetIs::Going).then_some(Time(self.now));
        object.metadata.resource_version = Some(self.generation.to_string());
        object.status = Some(StatefulSetStatus {
            observed_generation: Some(self.seen.0),
            update_revision: Some(revision(self.seen.1)),
            ..StatefulSetStatus::default()
        });
        Some(object)
    }
}

fn node(number: u32) -> String {
    format!("node-{number}")
}

fn request(request: Request) -> HandoverRequest {
    HandoverRequest {
        kept_in: ObjectRef {
            kind: "ConfigMap".to_owned(),
            name: "minimal-failover".to_owned(),
            resource_version: request.version(),
            ..ObjectRef::default()
        },
        candidate: Some(name(request.to)),
        since: request.since,
    }
}

fn revision(version: u32) -> String {
    format!("minimal-r{version}")
}

impl Simulation {
    /// The watch delivers later, but in order.
    pub(crate) fn remember(&mut self) {
        let pods = self.truth.pods.iter();
        let views = pods.map(|(ordinal, pod)| self.pod(*ordinal, pod)).collect();
        self.past.push_back(views);
        while self.past.len() > self.faults.stale + 1 {
            self.past.pop_front();
        }
        if self.faults.stale == 0 {
            self.past_patroni = self.patroni();
        }
    }

    fn pod(&self, ordinal: u32, pod: &Pod) -> PodView {
        let has_role = matches!(pod.condition, Condition::Serving | Condition::Lost(_));
        let leads = self.truth.leader == Some(ordinal);
        let yes = |key: &str| (key.to_owned(), "true".to_owned());
        let marks = [
            pod.marked.then(|| yes(ROLLING_UPDATE_REQUIRED)),
            pod.marked_by_us.then(|| yes(ROLL_MARKED)),
            pod.note.clone().map(|note| (NOTE.to_owned(), note)),
        ];
        PodView {
            name: name(ordinal),
            uid: pod.uid.to_string(),
            terminating: pod.ending.is_some(),
            phase: if pod.condition == Condition::Broken {
                "Pending"
            } else {
                "Running"
            }
            .to_owned(),
            ready: pod.condition == Condition::Serving,
            ip: "10.0.0.1".to_owned(),
            role_label: match (has_role, leads) {
                (false, _) => "",
                (true, true) => "master",
                (true, false) => "replica",
            }
            .to_owned(),
            revision: revision(pod.revision),
            trouble: match pod.condition {
                Condition::Broken => "ImagePullBackOff".to_owned(),
                _ => String::new(),
            },
            annotations: marks.into_iter().flatten().collect(),
            node: node(pod.node),
            ..PodView::default()
        }
    }

    pub(super) fn patroni(&self) -> PatroniView {
        let known = |pod: &&Pod| pod.condition != Condition::Broken;
        let members = self.truth.pods.iter().filter(|(_, pod)| known(pod));
        PatroniView {
            members: members.map(|(ordinal, pod)| self.member(*ordinal, pod)).collect(),
            request: self
                .truth
                .request
                .filter(|_| self.truth.leader.is_none())
                .map(request),
            config: json!({ "maximum_lag_on_failover": 1000, "postgresql": {
                "before_stop": self.truth.before_stop,
                "parameters": { "max_connections": self.truth.connections.to_string() } } }),
        }
    }

    fn member(&self, ordinal: u32, pod: &Pod) -> MemberView {
        let leads = self.truth.leader == Some(ordinal);
        let change = ParameterChange {
            old: pod.connections.to_string(),
            new: self.truth.connections.to_string(),
        };
        let waits = pod.connections != self.truth.connections;
        let change = (waits && !self.truth.says_nothing).then(|| ("max_connections".to_owned(), change));
        MemberView {
            name: name(ordinal),
            role: if leads {
                MemberRole::Leader
            } else {
                MemberRole::Replica
            },
            state: match (pod.condition, leads) {
                (Condition::Starting(_) | Condition::Broken, _) => "starting",
                (_, true) => "running",
                (_, false) if self.truth.leader.is_none() => "running",
                (_, false) => "streaming",
            }
            .to_owned(),
            lag: (!leads).then_some(pod.lag),
            pending_restart: waits,
            restart_reasons: change.into_iter().collect(),
            says_streaming: true,
            ..MemberView::default()
        }
    }

    /// Read when a snapshot needs it; old ones are thrown away when the primary restarts.
    pub(super) fn catalog(&self) -> Source<Catalog> {
        let leader = self.truth.leader.and_then(|leader| self.truth.pods.get(&leader));
        match leader.filter(|pod| pod.serves()) {
            None => Source::Unknown("no primary".to_owned()),
            Some(pod) => Source::Known(Catalog {
                settings: [("max_connections".to_owned(), pod.connections.to_string())].into(),
                ..Catalog::default()
            }),
        }
    }

    /// Without delay: few things change as seldom.
    pub(super) fn nodes(&self, pods: &[PodView]) -> Source<NodesView> {
        let cordoned = self.truth.cordoned.iter().map(|number| node(*number));
        Source::Known(NodesView {
            leaving: cordoned
                .filter(|node| pods.iter().any(|pod| pod.node == *node))
                .collect(),
            has_others: true,
        })
    }

    pub(super) fn templates(&self, pods: &[PodView]) -> BTreeMap<String, Source<Option<PodTemplateSpec>>> {
        let known = self.truth.templates.iter();
        known
            .map(|(version, template)| (revision(*version), template))
            .filter(|(revision, _)| pods.iter().any(|pod| pod.revision == *revision))
            .map(|(revision, template)| match self.faults.unreadable {
                0 => (revision, Source::Known(Some(pod_template(template)))),
                _ => (revision, Source::Unknown("no answer".to_owned())),
            })
            .collect()
    }
}
