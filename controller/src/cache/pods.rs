//! The pods of all clusters, as the plan sees them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use pgherd_planner::observed::PodView;

use super::locked;
use crate::cluster_ref::ClusterRef;

/// All pods by cluster and name.
#[derive(Debug, Default)]
pub struct Pods {
    clusters: Mutex<HashMap<ClusterRef, BTreeMap<String, PodView>>>,
}

impl Pods {
    /// The pod is like this now. True when that is news: most of a pod's changes are not in its view.
    pub fn note(&self, cluster: &ClusterRef, pod: PodView) -> bool {
        let mut clusters = locked(&self.clusters);
        let pods = clusters.entry(cluster.clone()).or_default();
        if pods.get(&pod.name) == Some(&pod) {
            return false;
        }
        pods.insert(pod.name.clone(), pod);
        true
    }

    /// The pod is gone. True when that is news.
    pub fn note_gone(&self, cluster: &ClusterRef, pod: &PodView) -> bool {
        let mut clusters = locked(&self.clusters);
        let Some(pods) = clusters.get_mut(cluster) else {
            return false;
        };
        let same = pods.get(&pod.name).is_some_and(|known| known.uid == pod.uid);
        if same {
            pods.remove(&pod.name);
        }
        if pods.is_empty() {
            clusters.remove(cluster);
        }
        same
    }

    /// All pods of a namespace (of all, when none is given) have been listed anew: what was not listed is gone. Returns the clusters that
    /// lost something.
    pub fn note_listed(
        &self,
        namespace: Option<&str>,
        listed: &HashSet<(ClusterRef, String)>,
    ) -> Vec<ClusterRef> {
        let mut losers = Vec::new();
        let mut clusters = locked(&self.clusters);
        for (cluster, pods) in clusters.iter_mut() {
            if namespace.is_some_and(|namespace| namespace != cluster.namespace) {
                continue;
            }
            let before = pods.len();
            pods.retain(|name, _| listed.contains(&(cluster.clone(), name.clone())));
            if pods.len() < before {
                losers.push(cluster.clone());
            }
        }
        clusters.retain(|_, pods| !pods.is_empty());
        losers
    }

    /// The cluster's pods by name.
    pub fn of(&self, cluster: &ClusterRef) -> Vec<PodView> {
        let clusters = locked(&self.clusters);
        clusters
            .get(cluster)
            .map(|pods| pods.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Clusters that have pods, by their labels.
    pub fn clusters(&self) -> Vec<ClusterRef> {
        locked(&self.clusters).keys().cloned().collect()
    }

    /// Clusters that have a pod on this node.
    pub fn on_node(&self, node: &str) -> Vec<ClusterRef> {
        let clusters = locked(&self.clusters);
        let here = |pods: &BTreeMap<String, PodView>| pods.values().any(|pod| pod.node == node);
        let found = clusters.iter().filter(|(_, pods)| here(pods));
        found.map(|(cluster, _)| cluster.clone()).collect()
    }

    pub fn len(&self) -> usize {
        locked(&self.clusters).values().map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&self) {
        locked(&self.clusters).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, role: &str) -> PodView {
        PodView {
            name: "a-0".into(),
            uid: uid.into(),
            role_label: role.into(),
            ..PodView::default()
        }
    }

    #[test]
    fn a_new_role_label_is_news_and_the_same_pod_again_is_not() {
        let (pods, cluster) = (Pods::default(), ClusterRef::new("n", "a"));
        assert!(pods.note(&cluster, pod("u-1", "replica")));
        assert!(!pods.note(&cluster, pod("u-1", "replica")));
        assert!(pods.note(&cluster, pod("u-1", "master")));
        assert_eq!(pods.of(&cluster)[0].role_label, "master");
    }

    #[test]
    fn the_end_of_a_former_pod_leaves_its_successor() {
        let (pods, cluster) = (Pods::default(), ClusterRef::new("n", "a"));
        pods.note(&cluster, pod("u-2", "replica"));
        assert!(!pods.note_gone(&cluster, &pod("u-1", "replica")));
        assert!(pods.note_gone(&cluster, &pod("u-2", "replica")));
        assert!(pods.is_empty());
    }

    #[test]
    fn a_list_of_one_namespace_says_nothing_about_another() {
        let pods = Pods::default();
        let (here, there) = (ClusterRef::new("here", "a"), ClusterRef::new("there", "a"));
        pods.note(&here, pod("u-1", ""));
        pods.note(&there, pod("u-2", ""));
        assert_eq!(pods.note_listed(Some("here"), &HashSet::new()), [here]);
        assert_eq!(pods.len(), 1);
    }
}
