//! Nodes: whether each gets new pods, and the labels that say how far it is in its life. Must not: judge (planner).
//!
//! Nothing waits long for their first list: where this controller may not read nodes, it does everything but move primaries before a drain.

use std::collections::{BTreeMap, HashSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_planner::observed::NodeView;
use serde::Deserialize;

use super::follow::Sink;
use super::part::metadata;
use super::wire::core_kind;
use super::{Scope, Watches};

/// The fields of a node that we read.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct WireNode {
    #[serde(default, deserialize_with = "metadata")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Spec {
    #[serde(default)]
    unschedulable: bool,
    #[serde(default)]
    taints: Vec<Taint>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Taint {
    #[serde(default)]
    key: String,
    #[serde(default)]
    effect: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Condition {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    status: String,
}

/// Comes with `unschedulable`, and says the same.
const CORDONED: &str = "node.kubernetes.io/unschedulable";
/// The one effect that keeps nobody away.
const PREFERENCE: &str = "PreferNoSchedule";

/// Whether the pods of a cluster tolerate a taint is not asked: then they only stay where they are.
fn is_closed(node: &WireNode) -> bool {
    let mut conditions = node.status.conditions.iter();
    let is_ready = conditions.any(|condition| condition.kind == "Ready" && condition.status == "True");
    let keeps_away = |taint: &Taint| taint.effect != PREFERENCE && taint.key != CORDONED;
    !is_ready || node.spec.taints.iter().any(keeps_away)
}

impl WireNode {
    fn view(self, scope: &Scope) -> NodeView {
        let closed = is_closed(&self);
        let mut labels: BTreeMap<String, String> = self.metadata.labels.unwrap_or_default();
        labels.retain(|key, _| scope.node_labels.contains(key));
        NodeView {
            name: self.metadata.name.unwrap_or_default(),
            unschedulable: self.spec.unschedulable,
            closed,
            labels,
        }
    }
}

/// Wakes the clusters that have pods on a node which goes, or does not go any more.
pub(super) struct NodeSink {
    watches: Watches,
    scope: Scope,
    listed: HashSet<String>,
}

impl NodeSink {
    pub(super) fn new(watches: Watches, scope: &Scope) -> Self {
        Self {
            watches,
            scope: scope.clone(),
            listed: HashSet::new(),
        }
    }
}

impl Sink<WireNode> for NodeSink {
    fn list_begins(&mut self) {
        self.listed.clear();
    }

    fn apply(&mut self, node: WireNode) {
        let view = node.view(&self.scope);
        let name = view.name.clone();
        for node in self.watches.cache.nodes.note(view) {
            for cluster in self.watches.cache.pods.on_node(&node) {
                self.watches.stir(&cluster);
            }
        }
        self.listed.insert(name);
    }

    fn delete(&mut self, node: WireNode) {
        self.watches
            .cache
            .nodes
            .note_gone(&node.metadata.name.unwrap_or_default());
    }

    fn list_ends(&mut self) {
        self.watches.cache.nodes.note_listed(&self.listed);
    }
}

core_kind!(WireNode, "Node", "nodes");

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn is_closed(spec: &Value, ready: &str) -> bool {
        let node = json!({
            "metadata": {"name": "n"}, "spec": spec,
            "status": {"conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": ready}]},
        });
        super::is_closed(&serde_json::from_value(node).unwrap())
    }

    #[test]
    fn a_node_that_is_not_ready_or_keeps_pods_away_is_closed() {
        let tainted = |key: &str, effect: &str| json!({"taints": [{"key": key, "effect": effect}]});
        assert!(!is_closed(&json!({}), "True"));
        assert!(is_closed(&json!({}), "Unknown"));
        assert!(is_closed(
            &tainted("node-role.kubernetes.io/control-plane", "NoSchedule"),
            "True"
        ));
        assert!(!is_closed(&tainted("a", "PreferNoSchedule"), "True"));
        assert!(
            !is_closed(&tainted(CORDONED, "NoSchedule"), "True"),
            "that is told apart"
        );
    }
}
