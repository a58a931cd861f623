//! What the watches have told, kept in memory so that a steady cluster costs no request. A leaf: it is filled by `watch` and `execute` and
//! read by `observe`. Must not: requests, or judgement beyond "is this news".

use std::sync::{Mutex, MutexGuard, PoisonError};

pub mod earlier;
pub mod environment;
pub mod given;
pub mod manifests;
pub mod nodes;
pub mod outside;
pub mod owned;
pub mod pods;

pub use earlier::Earlier;
pub use environment::Environments;
pub use given::Given;
pub use manifests::{Manifest, Manifests};
pub use nodes::Nodes;
pub use outside::Outside;
pub use owned::{Key, Owned, Stored};
pub use pods::Pods;

/// All caches. One per process, emptied when the operator's scope changes but for the manifests, which then are out of view.
#[derive(Debug, Default)]
pub struct Cache {
    pub manifests: Manifests,
    pub pods: Pods,
    pub nodes: Nodes,
    pub owned: Owned,
    pub environments: Environments,
    pub outside: Outside,
    pub given: Given,
    pub earlier: Earlier,
}

impl Cache {
    pub fn clear(&self) {
        self.manifests.set_all_aside();
        self.pods.clear();
        self.nodes.clear();
        self.owned.clear();
        self.environments.clear();
        self.outside.clear();
        self.given.clear();
        self.earlier.set([]);
    }
}

/// The caches' maps are whole after every statement, so a panic elsewhere does not spoil them.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
