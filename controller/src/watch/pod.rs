//! A pod as it comes over the wire, decoded no further than [`PodView`] needs: pods are the largest objects that are watched. Must not:
//! judge a pod's health.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_model::names::containers;
use pgherd_planner::observed::PodView;
use serde::Deserialize;

use super::part::metadata;
use super::wire::core_kind;

/// The fields of a pod that we read.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct WirePod {
    #[serde(default, deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    node_name: String,
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Container {
    name: String,
    #[serde(default)]
    image: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    phase: String,
    #[serde(default, rename = "podIP")]
    pod_ip: String,
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    container_statuses: Vec<ContainerStatus>,
    #[serde(default)]
    init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct ContainerStatus {
    #[serde(default)]
    name: String,
    #[serde(default)]
    state: State,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct State {
    waiting: Option<Stopped>,
    terminated: Option<Stopped>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stopped {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    exit_code: i32,
}

/// Patroni writes its member's state here, with the position in the log: it changes every few seconds under load, and `GET /cluster` says
/// the same.
const PATRONI_STATUS: &str = "status";
/// The StatefulSet's controller writes these on its pods: the template they were made of, their name and number.
const REVISION: &str = "controller-revision-hash";
const NUMBERS: [&str; 2] = [
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
];
/// What every pod passes through; no trouble.
const ON_ITS_WAY: [&str; 2] = ["ContainerCreating", "PodInitializing"];

impl WirePod {
    /// The pod as the plan sees it.
    pub fn view(self, role_label: &str) -> PodView {
        let (trouble, trouble_beside) = self.trouble();
        let mut labels = self.metadata.labels.unwrap_or_default();
        let mut label = |key: &str| labels.remove(key).unwrap_or_default();
        let (role_label, revision) = (label(role_label), label(REVISION));
        for number in NUMBERS {
            label(number);
        }
        let database = |container: &Container| container.name == containers::POSTGRES;
        let mut annotations = self.metadata.annotations.unwrap_or_default();
        annotations.remove(PATRONI_STATUS);
        PodView {
            name: self.metadata.name.unwrap_or_default(),
            uid: self.metadata.uid.unwrap_or_default(),
            terminating: self.metadata.deletion_timestamp.is_some(),
            phase: self.status.phase,
            ready: self
                .status
                .conditions
                .iter()
                .any(|it| it.kind == "Ready" && it.status == "True"),
            ip: self.status.pod_ip,
            node: self.spec.node_name,
            role_label,
            revision,
            image: self
                .spec
                .containers
                .into_iter()
                .find(database)
                .map(|it| it.image)
                .unwrap_or_default(),
            trouble,
            trouble_beside,
            labels,
            annotations,
        }
    }

    /// Why a container waits or ended, or why no node takes the pod; and whether that is one beside the database only.
    fn trouble(&self) -> (String, bool) {
        let (init, containers) = (
            &self.status.init_container_statuses,
            &self.status.container_statuses,
        );
        let (database, beside): (Vec<&ContainerStatus>, Vec<&ContainerStatus>) =
            containers.iter().partition(|it| it.name == containers::POSTGRES);
        let unscheduled = self.status.conditions.iter();
        let unscheduled = unscheduled
            .filter(|it| it.kind == "PodScheduled" && it.status == "False")
            .map(|it| it.reason.as_str());
        let needed = init.iter().chain(database).filter_map(ContainerStatus::stopped);
        let needed = needed.chain(unscheduled).map(|reason| (reason, false));
        let beside = beside.into_iter().filter_map(ContainerStatus::stopped);
        let mut reasons = needed.chain(beside.map(|reason| (reason, true)));
        reasons
            .find(|(reason, _)| !reason.is_empty() && !ON_ITS_WAY.contains(reason))
            .map(|(reason, beside)| (reason.to_owned(), beside))
            .unwrap_or_default()
    }
}

impl ContainerStatus {
    /// Why it waits, or ended with an error.
    fn stopped(&self) -> Option<&str> {
        let ended = self.state.terminated.as_ref().filter(|it| it.exit_code != 0);
        self.state.waiting.as_ref().or(ended).map(|it| it.reason.as_str())
    }
}

core_kind!(WirePod, "Pod", "pods");

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn view(status: &Value) -> PodView {
        let pod = json!({
            "metadata": {"name": "a-0", "uid": "u", "annotations": {"status": "{\"xlog_location\":7}"},
                "labels": {"spilo-role": "master", "controller-revision-hash": "a-7", "team": "t",
                    "apps.kubernetes.io/pod-index": "0"}},
            "spec": {"nodeName": "n-1", "containers": [{"name": "metrics", "image": "m:1"}, {"name": "postgres", "image": "p:1", "env": []}]},
            "status": status,
        });
        serde_json::from_value::<WirePod>(pod).unwrap().view("spilo-role")
    }

    #[test]
    fn a_healthy_primary_is_read_whole() {
        let seen = view(&json!({
            "phase": "Running", "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "postgres", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}],
        }));
        let expected = PodView {
            name: "a-0".into(),
            uid: "u".into(),
            phase: "Running".into(),
            ready: true,
            ip: "10.0.0.1".into(),
            node: "n-1".into(),
            role_label: "master".into(),
            revision: "a-7".into(),
            image: "p:1".into(),
            labels: [("team".to_owned(), "t".to_owned())].into(),
            ..PodView::default()
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn trouble_is_what_keeps_a_pod_from_running_and_not_what_passes() {
        let waiting =
            |reason: &str| json!({"containerStatuses": [{"state": {"waiting": {"reason": reason}}}]});
        assert_eq!(view(&waiting("ImagePullBackOff")).trouble, "ImagePullBackOff");
        assert_eq!(view(&waiting("ContainerCreating")).trouble, "");
        let unschedulable =
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]});
        assert_eq!(view(&unschedulable).trouble, "Unschedulable");
        let ended = |code: i32| json!({"initContainerStatuses": [{"state": {"terminated": {"reason": "Error", "exitCode": code}}}]});
        assert_eq!(view(&ended(1)).trouble, "Error");
        assert_eq!(view(&ended(0)).trouble, "");
    }
    #[test]
    fn trouble_beside_the_database_is_told_apart() {
        let looping = |names: &[&str]| {
            let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
            let all: Vec<Value> = names
                .iter()
                .map(|name| json!({"name": name, "state": waiting}))
                .collect();
            view(&json!({ "containerStatuses": all })).trouble_beside
        };
        assert!(looping(&["metrics"]));
        assert!(!looping(&["postgres"]) && !looping(&["metrics", "postgres"]) && !looping(&[]));
    }
}
