//! Values with a syntax of their own: quantities, durations, versions, schedules, networks, windows, identifiers, positions in the log.
//! Lives here: parsing, comparing and writing them, and the patterns by which the CRDs check them. Must not: which field holds which, or
//! what is allowed beyond the syntax.

pub mod cidr;
pub mod cron;
pub mod duration;
pub mod hba;
pub mod lsn;
pub mod name;
pub mod quantity;
pub mod sql;
pub mod version;
pub mod window;

pub use cidr::Cidr;
pub use cron::Schedule;
pub use duration::GoDuration;
pub use lsn::{Lag, Lsn};
pub use quantity::Quantity;
pub use version::PgVersion;
pub use window::Window;

/// An instant in UTC without fractions, as dates are written into secrets and said to Postgres.
pub const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%SZ";
/// An instant as `clone.timestamp` wants it: RFC 3339 with a numeric offset; `Z` is refused, as in Zalando's schema.
pub const TIMESTAMP_PATTERN: &str = r"^([0-9]+)-(0[1-9]|1[012])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(\.[0-9]+)?[+-]([01][0-9]|2[0-3]):[0-5][0-9]$";

/// A text is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: {why}")]
pub struct UnitError {
    /// The text, as given.
    pub text: String,
    /// What it should be, with its article.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

impl UnitError {
    fn new(text: &str, what: &'static str, why: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            what,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use regex_lite::Regex;

    #[test]
    fn clone_timestamps_need_a_numeric_offset() {
        let pattern = Regex::new(super::TIMESTAMP_PATTERN).unwrap();
        for good in ["2026-02-03T04:05:06+01:00", "2026-02-03T04:05:06.789-11:30"] {
            assert!(pattern.is_match(good), "{good}");
        }
        for bad in [
            "2026-02-03T04:05:06Z",
            "2026-02-03T04:05:06",
            "2026-13-03T04:05:06+01:00",
            "yesterday",
        ] {
            assert!(!pattern.is_match(bad), "{bad}");
        }
    }
}
