//! The catalog as last read: for what, and when that is read again which it lacks. Must not: read it.

use std::time::Duration;

use pgherd_planner::observed::{Catalog, ObjectRef};
use tokio::time::Instant;

use super::{LAST_RETRY, Memory, jittered};
use crate::sql::catalog::Inside;

/// After this what is missing is asked for again for the first time; then after twice the time, and so on.
const FIRST_AGAIN: Duration = Duration::from_secs(3);

/// When any of this changes, the catalog may have to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogKey {
    /// The manifest's identity and generation.
    pub manifest: (String, i64),
    /// The pod that leads; a new primary may lack the last changes of the old one.
    pub primary: String,
    /// It waits for a restart, after which its settings are others.
    pub restarts: bool,
    /// The secrets with their versions.
    pub secrets: Vec<ObjectRef>,
    /// Whose inside is looked at.
    pub databases: Inside,
}

impl Memory {
    /// What is remembered, if it was read for this, and it is not yet time to ask for what it lacks: a database that does not answer is no reason
    /// to read all the others every few seconds.
    pub fn catalog_for(&self, key: &CatalogKey, now: Instant) -> Option<Catalog> {
        let is_due = self.lacking.is_some_and(|(_, again)| again <= now);
        let known = self.catalog.as_ref().filter(|(known, _)| !is_due && known == key);
        known.map(|(_, catalog)| catalog.clone())
    }

    /// What was read. Nothing tells when what it lacks could be read.
    pub fn note_catalog(&mut self, key: CatalogKey, catalog: Catalog, is_whole: bool, now: Instant) {
        let times = self.lacking.map_or(0, |(times, _)| times);
        self.lacking = (!is_whole).then(|| {
            let pause = FIRST_AGAIN.saturating_mul(1 << times.min(10)).min(LAST_RETRY);
            (times + 1, now + jittered(pause, 0.2))
        });
        self.catalog = Some((key, catalog));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(generation: i64) -> CatalogKey {
        CatalogKey {
            manifest: ("u".to_owned(), generation),
            primary: "acid-demo-0".to_owned(),
            restarts: false,
            secrets: Vec::new(),
            databases: Inside::default(),
        }
    }

    /// How often it is read in ten minutes, by who looks every five seconds.
    fn reads(is_whole: bool) -> u64 {
        let (mut memory, start) = (Memory::default(), Instant::now());
        let mut reads = 0;
        for second in (0..600).step_by(5) {
            let now = start + Duration::from_secs(second);
            if memory.catalog_for(&key(1), now).is_none() {
                memory.note_catalog(key(1), Catalog::default(), is_whole, now);
                reads += 1;
            }
        }
        reads
    }

    #[test]
    fn what_is_missing_is_asked_for_ever_more_rarely() {
        assert_eq!(reads(true), 1);
        assert!((7..=14).contains(&reads(false)), "{}", reads(false));
    }

    #[test]
    fn what_it_was_read_for_counts_and_one_whole_answer_ends_the_waiting() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for _ in 0..6 {
            memory.note_catalog(key(1), Catalog::default(), false, now);
        }
        assert!(memory.catalog_for(&key(1), now).is_some());
        assert!(memory.catalog_for(&key(2), now).is_none());
        assert!(memory.catalog_for(&key(1), now + LAST_RETRY * 2).is_none());
        memory.note_catalog(key(1), Catalog::default(), true, now);
        assert!(memory.catalog_for(&key(1), now + LAST_RETRY * 9).is_some());
        memory.note_catalog(key(1), Catalog::default(), false, now);
        let soon = now + FIRST_AGAIN * 2;
        assert!(memory.catalog_for(&key(1), soon).is_none(), "it begins anew");
    }
}
