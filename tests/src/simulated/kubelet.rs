//! What scheduler, kubelet and Patroni write to Kubernetes about a pod: three requests until it is ready, one when it has to go.

use std::time::Duration;

use anyhow::Result;
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::{NODE, Names, Settings, World, leads};

/// How often the node says that it lives. Without a word for some ten seconds it is drained.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Until a request that failed is made again.
const AGAIN: Duration = Duration::from_millis(300);
/// The variable that a pod of the image starts its Patroni with.
const CONFIGURATION: &str = "SPILO_CONFIGURATION";

#[derive(Clone)]
pub(super) struct Kubelet {
    client: Client,
    cluster_label: String,
    role_label: String,
    world: World,
    /// Pods that have begun, or are going, by their uid.
    begun: Names,
    going: Names,
}

impl Kubelet {
    pub(super) fn new(client: &Client, settings: &Settings, world: &World) -> Self {
        Self {
            client: client.clone(),
            cluster_label: settings.cluster_label.clone(),
            role_label: settings.role_label.clone(),
            world: world.clone(),
            begun: Names::default(),
            going: Names::default(),
        }
    }

    /// Follows the pods until it is dropped.
    pub(super) async fn run(self, pods: Vec<Api<Pod>>) {
        let followed = pods.into_iter().map(|pods| self.follow(pods));
        tokio::join!(self.keep_node(), futures::future::join_all(followed));
    }

    async fn follow(&self, pods: Api<Pod>) {
        let config = watcher::Config::default().labels(&self.cluster_label);
        let events = watch(pods.clone(), config).default_backoff();
        let changes = events.filter_map(async |event| match event {
            Ok(Event::Apply(pod) | Event::InitApply(pod)) => Some(pod),
            Ok(_) => None,
            Err(error) => {
                eprintln!("simulated kubelet: {error}");
                None
            }
        });
        // As many at once as a handful of real ones would do.
        changes
            .for_each_concurrent(16, |pod| self.attend(&pods, pod))
            .await;
    }

    async fn attend(&self, pods: &Api<Pod>, pod: Pod) {
        let is_going = pod.metadata.deletion_timestamp.is_some();
        let known = if is_going { &self.going } else { &self.begun };
        let is_new = known
            .lock()
            .is_ok_and(|mut known| known.insert(pod.uid().unwrap_or_default()));
        let is_running = has(&pod, "Running");
        // The scheduler may say too late that it finds no node.
        let is_doubted = !is_going && is_running && is_called_unscheduled(&pod);
        if !is_doubted && (!is_new || (!is_going && is_running)) {
            return;
        }
        for _ in 0..20 {
            let done = if is_going {
                self.end(pods, &pod).await
            } else {
                self.begin(pods, &pod).await
            };
            match done {
                Ok(()) => return,
                Err(kube::Error::Api(status)) if status.code == 404 => return,
                Err(error) => eprintln!("simulated kubelet: {}: {error}", pod.name_any()),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// No process has to be waited for.
    async fn end(&self, pods: &Api<Pod>, pod: &Pod) -> Result<(), kube::Error> {
        let gone = DeleteParams::default().grace_period(0);
        pods.delete(&pod.name_any(), &gone).await.map(drop)
    }

    async fn begin(&self, pods: &Api<Pod>, pod: &Pod) -> Result<(), kube::Error> {
        let name = pod.name_any();
        if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()) {
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
            });
            // It may be bound already, by an earlier try.
            let _: Result<Value, _> = pods
                .create_subresource("binding", &name, &PostParams::default(), &binding)
                .await;
        }
        let cluster = pod.labels().get(&self.cluster_label).cloned().unwrap_or_default();
        let address = {
            let mut state = self.world.state();
            let config = state.configs.entry(cluster.clone());
            config.or_insert_with(|| dynamic_configuration(pod));
            state.settle(&pod.namespace().unwrap_or_default(), &cluster, &name)
        };
        let role = if leads(&name) { "master" } else { "replica" };
        let labelled = json!({"metadata": {"uid": pod.uid(), "labels": {&self.role_label: role}}});
        pods.patch(&name, &PatchParams::default(), &Patch::Merge(&labelled))
            .await?;
        let yes = |kind: &str| json!({"type": kind, "status": "True"});
        let status = json!({"metadata": {"uid": pod.uid()}, "status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [yes("PodScheduled"), yes("Initialized"), yes("ContainersReady"), yes("Ready")],
        }});
        pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
            .await?;
        Ok(())
    }

    async fn keep_node(&self) {
        let nodes = Api::<Node>::all(self.client.clone());
        let beats = stream::repeat(());
        beats
            .for_each(async |()| match beat(&nodes).await {
                Ok(()) => tokio::time::sleep(HEARTBEAT).await,
                Err(error) => {
                    eprintln!("simulated kubelet: its node: {error}");
                    tokio::time::sleep(AGAIN).await;
                }
            })
            .await;
    }
}

fn has(pod: &Pod, phase: &str) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some(phase)
}

fn is_called_unscheduled(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let mut scheduled = conditions.filter(|condition| condition.type_ == "PodScheduled");
    scheduled.any(|condition| condition.status == "False")
}

async fn beat(nodes: &Api<Node>) -> Result<(), kube::Error> {
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": NODE, "labels": {"lifecycle-status": "ready"}},
        // Nothing real may come here; its own pods are bound past the scheduler.
        "spec": {"taints": [{"key": "simulated", "effect": "NoSchedule"}]},
    });
    let apply = PatchParams::apply("simulated-kubelet").force();
    nodes.patch(NODE, &apply, &Patch::Apply(&node)).await?;
    let now = jiff::Timestamp::now().to_string();
    let ready = json!({"type": "Ready", "status": "True", "reason": "Simulated", "lastHeartbeatTime": now});
    let status = json!({"status": {"conditions": [ready], "capacity": {"pods": "10000"}, "allocatable": {"pods": "10000"}}});
    nodes
        .patch_status(NODE, &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    Ok(())
}

/// What Patroni begins with: the part of the image's configuration that is stored when a cluster is made.
fn dynamic_configuration(pod: &Pod) -> Value {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut variables = containers.flat_map(|container| container.env.iter().flatten());
    let given = variables.find(|variable| variable.name == CONFIGURATION);
    let text = given
        .and_then(|variable| variable.value.as_deref())
        .unwrap_or("{}");
    let given: Value = serde_json::from_str(text).unwrap_or_default();
    let mut config = json!({
        "ttl": 30, "loop_wait": 10, "retry_timeout": 10, "maximum_lag_on_failover": 33_554_432,
        "postgresql": {"use_pg_rewind": true, "use_slots": true, "parameters": {}},
    });
    if let Some(stored) = given.pointer("/bootstrap/dcs") {
        json_patch::merge(&mut config, stored);
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patroni_begins_with_what_the_pod_says() {
        let given = json!({"bootstrap": {"dcs": {"ttl": 20, "postgresql": {"parameters": {"max_connections": "50"}}}}});
        let pod = json!({"spec": {"containers": [{"name": "postgres", "env": [
            {"name": "SCOPE", "value": "a"}, {"name": CONFIGURATION, "value": given.to_string()}]}]}});
        let config = dynamic_configuration(&serde_json::from_value(pod).unwrap());
        assert_eq!((&config["ttl"], &config["loop_wait"]), (&json!(20), &json!(10)));
        assert_eq!(config["postgresql"]["parameters"]["max_connections"], "50");
        assert_eq!(config["postgresql"]["use_slots"], true);
    }

    #[test]
    fn the_schedulers_late_word_is_noticed() {
        let pod = |status: &str| {
            let conditions = [
                json!({"type": "Ready", "status": "True"}),
                json!({"type": "PodScheduled", "status": status}),
            ];
            serde_json::from_value(json!({"status": {"phase": "Running", "conditions": conditions}})).unwrap()
        };
        assert!(is_called_unscheduled(&pod("False")) && !is_called_unscheduled(&pod("True")));
        assert!(has(&pod("True"), "Running") && !has(&Pod::default(), "Running"));
    }

    #[test]
    fn a_pod_that_says_nothing_has_patronis_own() {
        assert_eq!(dynamic_configuration(&Pod::default())["ttl"], 30);
    }
}
