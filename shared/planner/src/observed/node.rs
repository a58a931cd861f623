//! Nodes, as far as they decide where a primary may be (zalando-behaviour 4.16). Lives here: the judgement of one node, and what a snapshot
//! holds of all of them. Must not: what is done about it (`plan::roll`).

use std::collections::{BTreeMap, BTreeSet};

use pgherd_model::config::OperatorConfig;
use serde::{Deserialize, Serialize};

/// Kubernetes' own clusters once marked nodes of theirs like this, and Zalando's operator never leaves one.
const KEPT: (&str, &str) = ("master", "true");

/// What of a node matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeView {
    /// Name.
    pub name: String,
    /// No new pods: it is being drained, or about to be.
    pub unschedulable: bool,
    /// New pods do not come up here for another reason: it is not ready, or a taint keeps them away.
    pub closed: bool,
    /// Labels, at least those that [`NodeView::is_leaving`] asks for.
    pub labels: BTreeMap<String, String>,
}

/// The nodes under one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodesView {
    /// Nodes that pods of the cluster are on and that are at the end of their life.
    pub leaving: BTreeSet<String>,
    /// There is some node that takes pods.
    pub has_others: bool,
}

impl NodeView {
    /// It takes no new pods, and the labels of a node in service are not all there.
    pub fn is_leaving(&self, config: &OperatorConfig) -> bool {
        let wanted = &config.kubernetes.node_readiness_label;
        let has = |key: &str, value: &str| self.labels.get(key).is_some_and(|found| found == value);
        let in_service = !wanted.is_empty() && wanted.iter().all(|(key, value)| has(key, value));
        self.unschedulable && !in_service && !has(KEPT.0, KEPT.1)
    }

    /// A pod that is made now can come here, as far as it does not ask for something special.
    pub fn takes_pods(&self) -> bool {
        !self.unschedulable && !self.closed
    }

    /// Keys of labels that the judgement asks for.
    pub fn labels_asked(config: &OperatorConfig) -> BTreeSet<String> {
        let wanted = config.kubernetes.node_readiness_label.keys().cloned();
        wanted.chain([KEPT.0.to_owned()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use pgherd_model::config::Form;

    use super::*;

    fn node(unschedulable: bool, labels: &[(&str, &str)]) -> NodeView {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        NodeView {
            name: "n".to_owned(),
            unschedulable,
            closed: false,
            labels: labels.iter().map(owned).collect(),
        }
    }

    /// zalando-behaviour A.26.
    #[test]
    fn a_node_is_ready_as_zalandos_operator_has_it() {
        let plain = OperatorConfig::default_for(Form::ConfigMap);
        let mut labelled = plain.clone();
        let wanted = &mut labelled.kubernetes.node_readiness_label;
        wanted.insert("lifecycle".to_owned(), "ready".to_owned());
        let has = [("lifecycle", "ready")];
        for config in [&plain, &labelled] {
            assert!(!node(false, &[]).is_leaving(config));
            assert!(!node(true, &[("master", "true")]).is_leaving(config));
            assert!(node(true, &[]).is_leaving(config));
        }
        assert!(node(true, &has).is_leaving(&plain));
        assert!(!node(true, &has).is_leaving(&labelled));
        assert!(node(true, &[("lifecycle", "draining")]).is_leaving(&labelled));
        assert!(NodeView::labels_asked(&labelled).contains("lifecycle"));
    }
}
