//! Clusters of whose name Patroni has kept something, and that have neither StatefulSet nor pods: before they are made, it is looked at. Must not:
//! what becomes of it (planner).

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::locked;
use crate::cluster_ref::ClusterRef;

/// Few, if any.
#[derive(Debug, Default)]
pub struct Earlier(Mutex<BTreeSet<ClusterRef>>);

impl Earlier {
    /// All that were found.
    pub fn set(&self, found: impl IntoIterator<Item = ClusterRef>) {
        *locked(&self.0) = found.into_iter().collect();
    }

    pub fn has(&self, cluster: &ClusterRef) -> bool {
        locked(&self.0).contains(cluster)
    }
}
