//! The nodes, as far as they decide where a primary may be.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Mutex;

use pgherd_model::config::OperatorConfig;
use pgherd_planner::observed::{NodeView, NodesView, Source};

use super::locked;

/// All nodes by name.
#[derive(Debug, Default)]
pub struct Nodes {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// A list was complete: what is not here does not exist.
    listed: bool,
    nodes: BTreeMap<String, NodeView>,
}

impl Nodes {
    /// The node is like this now. True when that may be of interest to who is on it: it takes no pods, or did not before.
    pub fn note(&self, node: NodeView) -> bool {
        let mut known = locked(&self.known);
        let goes = node.unschedulable;
        let before = known.nodes.insert(node.name.clone(), node.clone());
        let went = before.as_ref().is_some_and(|before| before.unschedulable);
        (goes || went) && before != Some(node)
    }

    pub fn note_gone(&self, name: &str) {
        locked(&self.known).nodes.remove(name);
    }

    /// All nodes have been listed anew: what was not listed is gone.
    pub fn note_listed(&self, listed: &HashSet<String>) {
        let mut known = locked(&self.known);
        known.nodes.retain(|name, _| listed.contains(name));
        known.listed = true;
    }

    /// What a cluster with pods on `used` has to know.
    pub fn view(&self, used: &BTreeSet<&str>, config: &OperatorConfig) -> Source<NodesView> {
        let known = locked(&self.known);
        if !known.listed {
            return Source::Unknown("not listed".to_owned());
        }
        let used = used.iter().filter_map(|name| known.nodes.get(*name));
        Source::Known(NodesView {
            leaving: used
                .filter(|node| node.is_leaving(config))
                .map(|node| node.name.clone())
                .collect(),
            has_others: known.nodes.values().any(|node| !node.unschedulable),
        })
    }

    pub fn clear(&self) {
        *locked(&self.known) = Known::default();
    }
}

#[cfg(test)]
mod tests {
    use pgherd_model::config::Form;

    use super::*;

    fn node(name: &str, unschedulable: bool) -> NodeView {
        NodeView {
            name: name.to_owned(),
            unschedulable,
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn only_what_takes_no_pods_is_news_and_nothing_is_known_before_the_list() {
        let (nodes, config) = (Nodes::default(), OperatorConfig::default_for(Form::ConfigMap));
        let used = BTreeSet::from(["a", "b"]);
        assert!(!nodes.note(node("a", false)));
        assert!(matches!(nodes.view(&used, &config), Source::Unknown(_)));
        nodes.note(node("gone", false));
        nodes.note_listed(&HashSet::from(["a".to_owned()]));
        assert!(nodes.note(node("a", true)));
        assert!(!nodes.note(node("a", true)));
        let alone = nodes.view(&used, &config).known().cloned().unwrap();
        assert!(alone.leaving.contains("a") && !alone.has_others);
        nodes.note(node("c", false));
        assert!(nodes.view(&used, &config).known().unwrap().has_others);
        assert!(nodes.note(node("a", false)));
        assert!(nodes.view(&used, &config).known().unwrap().leaving.is_empty());
    }
}
