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

impl Known {
    fn has_others(&self) -> bool {
        self.nodes.values().any(NodeView::takes_pods)
    }
}

impl Nodes {
    /// The node is like this now. Nodes whose pods have another way to go now: this one, if it takes no pods or did not before, and all that
    /// take none, if it is the first that does.
    pub fn note(&self, node: NodeView) -> Vec<String> {
        let mut known = locked(&self.known);
        let had_others = known.has_others();
        let (name, goes) = (node.name.clone(), node.unschedulable);
        let before = known.nodes.insert(name.clone(), node.clone());
        if !had_others && known.has_others() {
            let closing = known.nodes.values().filter(|node| node.unschedulable);
            return closing.map(|node| node.name.clone()).chain([name]).collect();
        }
        let went = before.as_ref().is_some_and(|before| before.unschedulable);
        let is_news = (goes || went) && before != Some(node);
        is_news.then_some(name).into_iter().collect()
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
            has_others: known.has_others(),
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
            ..NodeView::default()
        }
    }

    #[test]
    fn only_what_takes_no_pods_is_news_and_nothing_is_known_before_the_list() {
        let (nodes, config) = (Nodes::default(), OperatorConfig::default_for(Form::ConfigMap));
        let used = BTreeSet::from(["a", "b"]);
        nodes.note(node("a", false));
        assert!(matches!(nodes.view(&used, &config), Source::Unknown(_)));
        nodes.note(node("gone", false));
        nodes.note_listed(&HashSet::from(["a".to_owned()]));
        assert_eq!(nodes.note(node("a", true)), ["a"]);
        assert_eq!(nodes.note(node("a", true)), [""; 0]);
        let alone = nodes.view(&used, &config).known().cloned().unwrap();
        assert!(alone.leaving.contains("a") && !alone.has_others);
        let closed = NodeView {
            closed: true,
            ..node("c", false)
        };
        assert_eq!(nodes.note(closed), [""; 0]);
        assert!(!nodes.view(&used, &config).known().unwrap().has_others);
        assert_eq!(
            nodes.note(node("c", false)),
            ["a", "c"],
            "now there is a way to go"
        );
        assert!(nodes.view(&used, &config).known().unwrap().has_others);
        assert_eq!(nodes.note(node("d", false)), [""; 0]);
        assert_eq!(nodes.note(node("a", false)), ["a"]);
        assert!(nodes.view(&used, &config).known().unwrap().leaving.is_empty());
    }
}
