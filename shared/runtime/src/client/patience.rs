//! Between two tries of a watch that fails. Short, and never longer: what happens while it does not work is to be known at once when it works
//! again, and one process has a dozen watches. Not here: what is said of a failure.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use kube::runtime::utils::Backoff;

/// The first pause.
const FIRST_TRY: Duration = Duration::from_millis(200);
/// The longest.
const LAST_TRY: Duration = Duration::from_millis(500);

/// Grows from the first to the last pause, by up to a fifth longer or shorter: the watches of a process do not come at once.
#[derive(Debug)]
pub struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(FIRST_TRY)
    }
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.0;
        self.0 = pause.saturating_mul(2).min(LAST_TRY);
        // Each hasher of the standard library has keys of its own, which is randomness enough.
        let per_mille = RandomState::new().hash_one(pause) % 401;
        Some(pause * 4 / 5 + pause * u32::try_from(per_mille).unwrap_or_default() / 1000)
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_tried_again_within_a_second_however_often_it_failed() {
        let mut patience = Patience::default();
        let pauses: Vec<Duration> = patience.by_ref().take(100).collect();
        assert!(
            pauses.iter().all(|pause| *pause >= FIRST_TRY * 4 / 5),
            "{pauses:?}"
        );
        assert!(
            pauses.iter().all(|pause| *pause <= LAST_TRY * 6 / 5),
            "{pauses:?}"
        );
        assert!(pauses[99] > FIRST_TRY * 6 / 5, "it grows");
        patience.reset();
        assert!(patience.next().is_some_and(|pause| pause <= FIRST_TRY * 6 / 5));
    }
}
