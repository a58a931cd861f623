//! The fleet's turns to roll, kept for one process. A leaf. Must not: the rules of the book (`pgherd_planner::fleet`), what a turn asks of it
//! (`admit`).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgherd_model::config::{Affects, OperatorConfig};
use pgherd_planner::fleet::{Answer, Book, Roll};

use crate::cluster_ref::ClusterRef;

/// Who rolls and who waits.
#[derive(Default)]
pub struct Fleet(Mutex<State>);

#[derive(Default)]
struct State {
    book: Book<ClusterRef>,
    /// What the book's entries were heard under.
    config: Option<Arc<OperatorConfig>>,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fleet").field(&self.locked().book).finish()
    }
}

impl Fleet {
    /// A turn found this of its cluster's roll, under this configuration. There are `known` clusters.
    pub fn hear(
        &self,
        cluster: &ClusterRef,
        roll: &Roll,
        known: usize,
        config: &Arc<OperatorConfig>,
    ) -> Answer<ClusterRef> {
        let mut state = self.locked();
        state.follow(config);
        state.book.hear(cluster, roll, known, budget(config))
    }

    /// The cluster will not roll. Returns those to look at.
    pub fn skip(&self, cluster: &ClusterRef, known: usize, config: &OperatorConfig) -> Vec<ClusterRef> {
        self.locked().book.skip(cluster, known, budget(config))
    }

    /// The cluster could not be looked at. Returns those to look at.
    pub fn lose(
        &self,
        cluster: &ClusterRef,
        why: &str,
        known: usize,
        config: &OperatorConfig,
    ) -> Vec<ClusterRef> {
        self.locked().book.lose(cluster, why, known, budget(config))
    }

    /// A turn was acted on, and this step failed, if one did. Returns those to look at.
    pub fn acted(
        &self,
        cluster: &ClusterRef,
        failed: Option<String>,
        known: usize,
        config: &OperatorConfig,
    ) -> Vec<ClusterRef> {
        self.locked().book.acted(cluster, failed, known, budget(config))
    }

    /// The cluster is gone. Returns those to look at.
    pub fn forget(&self, cluster: &ClusterRef, known: usize, config: &OperatorConfig) -> Vec<ClusterRef> {
        self.locked().book.forget(cluster, known, budget(config))
    }

    /// How many roll, how many wait for that, and how many of the first fail.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.locked().book.counts()
    }

    /// Who rolls, with what is wrong; and who waits, in order.
    pub fn lists(&self) -> (Vec<(ClusterRef, Option<String>)>, Vec<ClusterRef>) {
        self.locked().book.lists()
    }

    pub fn clear(&self) {
        *self.locked() = State::default();
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Another configuration rolls other clusters, or the same ones again.
    fn follow(&mut self, config: &Arc<OperatorConfig>) {
        if self
            .config
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, config))
        {
            return;
        }
        let rolls = |known: &Arc<OperatorConfig>| {
            let mut changes = known.changes(config);
            changes.any(|param| param.affects.contains(&Affects::Pods))
        };
        if self.config.as_ref().is_some_and(rolls) {
            self.book.renew();
        }
        self.config = Some(Arc::clone(config));
    }
}

fn budget(config: &OperatorConfig) -> usize {
    usize::try_from(config.fleet.roll_budget).unwrap_or(usize::MAX)
}
