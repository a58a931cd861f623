//! The leaf being served, to be swapped while connections live: new handshakes get the new one, open connections go on.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;

use crate::leaf::Leaf;

/// The leaf being served, if any yet. Without one, handshakes fail.
#[derive(Debug, Default)]
pub struct Serving {
    leaf: RwLock<Option<Leaf>>,
    swapped: Notify,
}

impl Serving {
    /// Nothing to serve yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Serves `leaf` from now on.
    pub fn swap(&self, leaf: Leaf) {
        *self.leaf.write().unwrap_or_else(PoisonError::into_inner) = Some(leaf);
        self.swapped.notify_one();
    }

    /// Waits until another leaf is served; at once when that has happened since the last time. For one who waits, not for more.
    pub(crate) async fn swapped(&self) {
        self.swapped.notified().await;
    }

    /// What is being served.
    pub fn leaf(&self) -> Option<Leaf> {
        self.leaf.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Serving {
    /// Whatever name is asked for: the API server asks for a service's name, probes by hand for anything.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.leaf
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(Leaf::certified)
    }
}
