//! Durations in Go's spelling: `30m` is read, `30m0s` is written.

use std::{fmt, time::Duration};

use super::UnitError;

/// A duration that is not negative. `Display` writes what Go's `Duration.String` writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(pub Duration);

const WHAT: &str = "a duration";
/// Unit and its nanoseconds. Both letters that look like a mu are Go's.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl GoDuration {
    /// Reads what Go's `time.ParseDuration` reads, except negative values.
    ///
    /// # Errors
    /// No number, an unknown unit or none, a negative value, or more than Go can hold (292 years).
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = |why| UnitError::new(text, WHAT, why);
        if text.starts_with('-') {
            return Err(error("it is negative"));
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self::default());
        }
        if rest.is_empty() {
            return Err(error("it is empty"));
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let (number, after) = split(rest, |c| !c.is_ascii_digit() && c != '.');
            let (unit, after) = split(after, |c| c.is_ascii_digit() || c == '.');
            let (_, size) = UNITS
                .into_iter()
                .find(|(name, _)| *name == unit)
                .ok_or_else(|| error("expected numbers with units ns, us, ms, s, m or h, as in 1h30m"))?;
            let part = nanoseconds(number, size).map_err(error)?;
            total = total
                .checked_add(part)
                .filter(|total| i64::try_from(*total).is_ok())
                .ok_or_else(|| error(TOO_LONG))?;
            rest = after;
        }
        Ok(Self(Duration::from_nanos(total)))
    }
}

const TOO_LONG: &str = "it is longer than 292 years";

fn split(text: &str, at: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(at).unwrap_or(text.len()))
}

/// `number` units of `size`, rounded down to whole nanoseconds as Go does.
fn nanoseconds(number: &str, size: u64) -> Result<u64, &'static str> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err("expected a number before each unit");
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| TOO_LONG)?
    };
    // 13 digits are finer than a nanosecond of an hour.
    let fraction = &fraction[..fraction.len().min(13)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let part = u128::from(size) * fraction.parse::<u128>().unwrap_or(0) / scale;
    whole
        .checked_mul(size)
        .and_then(|nanoseconds| nanoseconds.checked_add(u64::try_from(part).ok()?))
        .ok_or(TOO_LONG)
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        let (seconds, below) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
        match nanoseconds {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanoseconds}ns"),
            1_000..1_000_000 => write!(f, "{}µs", decimal(nanoseconds / 1_000, nanoseconds % 1_000, 3)),
            1_000_000..1_000_000_000 => {
                write!(
                    f,
                    "{}ms",
                    decimal(nanoseconds / 1_000_000, nanoseconds % 1_000_000, 6)
                )
            }
            _ => {
                if seconds >= 3_600 {
                    write!(f, "{}h", seconds / 3_600)?;
                }
                if seconds >= 60 {
                    write!(f, "{}m", seconds / 60 % 60)?;
                }
                write!(f, "{}s", decimal(seconds % 60, below, 9))
            }
        }
    }
}

/// `whole.fraction` with as few of the fraction's digits as possible.
fn decimal(whole: u128, fraction: u128, digits: usize) -> String {
    let padded = format!("{whole}.{fraction:0digits$}");
    padded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_written_as_go_writes_it() {
        for (text, written) in [
            ("30m", "30m0s"),
            ("1h2m3.5s", "1h2m3.5s"),
            ("90s", "1m30s"),
            ("1h", "1h0m0s"),
            ("24h", "24h0m0s"),
            ("0", "0s"),
            ("0s", "0s"),
            ("1.5h", "1h30m0s"),
            (".5s", "500ms"),
            ("1.s", "1s"),
            ("1500us", "1.5ms"),
            ("1500ns", "1.5µs"),
            ("7ns", "7ns"),
            ("+5s", "5s"),
            ("3s500ms", "3.5s"),
        ] {
            assert_eq!(GoDuration::parse(text).unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for bad in [
            "", "5", "s", "5x", "1h 2m", ".s", "1.2.3s", "-5s", "five", "1d", "9999999h", "+", "1e3s",
        ] {
            assert!(GoDuration::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same(nanoseconds in 0..=i64::MAX.unsigned_abs()) {
            let duration = GoDuration(Duration::from_nanos(nanoseconds));
            prop_assert_eq!(GoDuration::parse(&duration.to_string()), Ok(duration));
        }

        #[test]
        fn no_text_breaks_the_parser(text in "\\PC*") {
            let _ = GoDuration::parse(&text);
        }
    }
}
