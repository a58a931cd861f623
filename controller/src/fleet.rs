//! The fleet's turns to roll, kept for one process. A leaf. Must not: the rules of the book (`pgherd_planner::fleet`), what a turn asks of it
//! (`admit`).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgherd_model::config::{Affects, OperatorConfig};
use pgherd_planner::fleet::{Answer, Book, Roll, Verdict, Why};

use crate::cluster_ref::ClusterRef;

/// Who rolls and who waits.
#[derive(Default)]
pub struct Fleet(Mutex<State>);

#[derive(Default)]
struct State {
    book: Book<ClusterRef>,
    /// What the book's entries were heard under.
    config: Option<Arc<OperatorConfig>>,
    /// How often something changed that rolls clusters.
    changes: u64,
}

/// What a turn went by: all that rolls clusters without their own manifests, as it was at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round(u64);

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fleet").field(&self.locked().book).finish()
    }
}

impl Fleet {
    /// A turn begins, under the configuration that is current now.
    pub fn begin(&self, current: impl FnOnce() -> Arc<OperatorConfig>) -> (Arc<OperatorConfig>, Round) {
        let mut state = self.locked();
        let config = current();
        state.follow(&config);
        (config, Round(state.changes))
    }

    /// A turn of this round found this of its cluster's roll. There are `known` clusters. What was found before the last change says nothing
    /// of what the cluster needs now: it waits, and is looked at again.
    pub fn hear(
        &self,
        cluster: &ClusterRef,
        roll: &Roll,
        known: usize,
        round: Round,
        current: impl FnOnce() -> Arc<OperatorConfig>,
    ) -> Answer<ClusterRef> {
        let mut state = self.locked();
        let config = current();
        state.follow(&config);
        if round != Round(state.changes) {
            return Answer {
                verdict: if roll.is_due {
                    Verdict::Wait(Why::Looking)
                } else {
                    Verdict::Go
                },
                wake: vec![cluster.clone()],
            };
        }
        state.book.hear(cluster, roll, known, budget(&config))
    }

    /// Something else than the configuration changed, which rolls these clusters. They have to be looked at.
    pub fn renew(&self, clusters: &[ClusterRef]) {
        let mut state = self.locked();
        state.book.renew_some(clusters);
        state.changes += 1;
    }

    /// Clusters that have gone stand for none that are known.
    pub fn strike(&self, is_gone: impl Fn(&ClusterRef) -> bool) {
        self.locked().book.strike(is_gone);
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

    /// How many roll, how many wait for that, and how many fail, or have failed in their turns.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.locked().book.counts()
    }

    /// Who rolls or has failed in that, with what is wrong; and who waits, in order.
    pub fn lists(&self) -> (Vec<(ClusterRef, Option<String>)>, Vec<ClusterRef>) {
        self.locked().book.lists()
    }

    pub fn clear(&self) {
        let mut state = self.locked();
        *state = State {
            changes: state.changes + 1,
            ..State::default()
        };
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
            self.changes += 1;
        }
        self.config = Some(Arc::clone(config));
    }
}

fn budget(config: &OperatorConfig) -> usize {
    usize::try_from(config.fleet.roll_budget).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use pgherd_model::config::Form;

    use super::*;

    fn config(image: &str) -> Arc<OperatorConfig> {
        let mut config = OperatorConfig::default_for(Form::ConfigMap);
        config.general.docker_image = image.to_owned();
        Arc::new(config)
    }

    fn due() -> Roll {
        Roll {
            is_due: true,
            members: 1,
            ..Roll::default()
        }
    }

    #[test]
    fn a_turn_from_before_a_change_neither_counts_as_heard_nor_rolls() {
        let (fleet, cluster) = (Fleet::default(), ClusterRef::new("n", "a"));
        let (old, new) = (config("spilo:1"), config("spilo:2"));
        let (_, first) = fleet.begin(|| Arc::clone(&old));
        // It changes while the turn looks.
        let answer = fleet.hear(&cluster, &due(), 1, first, || Arc::clone(&new));
        assert_eq!(answer.verdict, Verdict::Wait(Why::Looking));
        assert_eq!(answer.wake, std::slice::from_ref(&cluster));
        assert_eq!(fleet.counts(), (0, 0, 0));
        let (_, second) = fleet.begin(|| Arc::clone(&new));
        let answer = fleet.hear(&cluster, &due(), 1, second, || Arc::clone(&new));
        assert_eq!(answer.verdict, Verdict::Go);
        // One of the old round that finds nothing wrong does not prove the new image.
        let whole = Roll {
            is_up: true,
            members: 1,
            ..Roll::default()
        };
        fleet.hear(&cluster, &whole, 1, first, || Arc::clone(&new));
        assert_eq!(fleet.counts(), (1, 0, 0), "it has not finished");
    }

    #[test]
    fn a_change_of_the_pods_environment_begins_with_a_canary_again() {
        let fleet = Fleet::default();
        let names = ["a", "b", "c"].map(|name| ClusterRef::new("n", name));
        let config = config("spilo:1");
        let current = || Arc::clone(&config);
        let whole = Roll {
            is_up: true,
            members: 1,
            ..Roll::default()
        };
        let (_, before) = fleet.begin(current);
        for name in &names {
            fleet.hear(name, &whole, 3, before, current);
        }
        fleet.renew(&names[1..]);
        let stale = fleet.hear(&names[1], &due(), 3, before, current);
        assert_eq!(stale.verdict, Verdict::Wait(Why::Looking));
        let (_, after) = fleet.begin(current);
        let first = fleet.hear(&names[1], &due(), 3, after, current);
        assert_eq!(first.verdict, Verdict::Wait(Why::Looking), "c was not looked at");
        let last = fleet.hear(&names[2], &due(), 3, after, current);
        assert_eq!(last.wake, [names[1].clone()]);
        let first = fleet.hear(&names[1], &due(), 3, after, current);
        assert_eq!(first.verdict, Verdict::Go);
    }
}
