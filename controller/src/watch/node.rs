//! Nodes: whether each may get new pods, and the labels that say how far it is in its life. Must not: judge (planner).
//!
//! Nothing waits for their first list: where this controller may not read nodes, it does everything but move primaries before a drain.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DynamicResourceScope;
use pgherd_planner::observed::NodeView;
use serde::Deserialize;

use super::follow::Sink;
use super::{Scope, Watches};

/// The fields of a node that we read.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct WireNode {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Spec {
    #[serde(default)]
    unschedulable: bool,
}

impl WireNode {
    fn view(self, scope: &Scope) -> NodeView {
        let mut labels: BTreeMap<String, String> = self.metadata.labels.unwrap_or_default();
        labels.retain(|key, _| scope.node_labels.contains(key));
        NodeView {
            name: self.metadata.name.unwrap_or_default(),
            unschedulable: self.spec.unschedulable,
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
        if self.watches.cache.nodes.note(view) {
            for cluster in self.watches.cache.pods.on_node(&name) {
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

impl Resource for WireNode {
    type DynamicType = ();
    type Scope = DynamicResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Node".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "nodes".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
