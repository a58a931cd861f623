//! Gates between a process and its first request: it is ready when all of them are open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All gates of a process. Cheap to clone; clones share the gates.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    gates: Gates,
}

/// One condition of readiness, closed until it is opened. Cheap to clone; clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate {
    name: &'static str,
    gates: Gates,
}

/// Per gate: why it is closed, or nothing when it is open.
type Gates = Arc<Mutex<BTreeMap<&'static str, Option<String>>>>;

impl Readiness {
    /// A process without gates: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a gate, closed for the reason given. A name used twice is one gate.
    pub fn gate(&self, name: &'static str, reason: &str) -> Gate {
        lock(&self.gates).insert(name, Some(reason.to_owned()));
        Gate {
            name,
            gates: Arc::clone(&self.gates),
        }
    }

    /// The closed gates with their reasons, by name. Empty means ready.
    pub fn closed(&self) -> Vec<(&'static str, String)> {
        lock(&self.gates)
            .iter()
            .filter_map(|(name, reason)| Some((*name, reason.clone()?)))
            .collect()
    }
}

impl Gate {
    /// The condition holds.
    pub fn open(&self) {
        lock(&self.gates).insert(self.name, None);
    }

    /// The condition does not hold (any more).
    pub fn close(&self, reason: impl Into<String>) {
        lock(&self.gates).insert(self.name, Some(reason.into()));
    }
}

/// The map is whole after every statement, so a panic elsewhere does not spoil it.
fn lock(gates: &Gates) -> MutexGuard<'_, BTreeMap<&'static str, Option<String>>> {
    gates.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_when_every_gate_is_open() {
        let readiness = Readiness::new();
        assert!(readiness.closed().is_empty());
        let config = readiness.gate("config", "not read yet");
        let certificate = readiness.gate("certificate", "none yet");
        config.open();
        assert_eq!(readiness.closed(), [("certificate", "none yet".to_owned())]);
        certificate.clone().open();
        assert!(readiness.closed().is_empty());
        config.close("source was deleted");
        assert_eq!(readiness.closed(), [("config", "source was deleted".to_owned())]);
    }
}
