//! What is said of many durations.

use std::time::Duration;

/// Sorted durations.
#[derive(Debug, Clone, Default)]
pub struct Durations(Vec<Duration>);

impl FromIterator<Duration> for Durations {
    fn from_iter<T: IntoIterator<Item = Duration>>(all: T) -> Self {
        let mut sorted: Vec<_> = all.into_iter().collect();
        sorted.sort_unstable();
        Self(sorted)
    }
}

impl IntoIterator for Durations {
    type Item = Duration;
    type IntoIter = std::vec::IntoIter<Duration>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Durations {
    /// So many of a hundred took at most this long; in seconds. Not a number when there is none.
    pub fn percentile(&self, percent: usize) -> f64 {
        let place = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(place).map_or(f64::NAN, Duration::as_secs_f64)
    }

    /// The longest, in seconds.
    pub fn longest(&self) -> f64 {
        self.percentile(100)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A number of things, to be divided.
///
/// More than 4 billion are not counted here.
pub fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// Bytes in MiB.
#[expect(clippy::cast_precision_loss, reason = "a process has less than 2^53 bytes")]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let all: Durations = (1..=200).rev().map(Duration::from_secs).collect();
        assert!((all.percentile(50) - 100.0).abs() < 1e-9);
        assert!((all.percentile(99) - 198.0).abs() < 1e-9);
        assert!((all.longest() - 200.0).abs() < 1e-9);
        assert!(Durations::default().percentile(99).is_nan());
    }
}
