//! Backup schedules, by two readers over one table of fields: what manifests may say ([`Schedule`]: five fields, each a number or `*`, each with
//! an optional `/step`, as in Zalando's schema), and what Kubernetes takes ([`check`]: also lists, ranges, names and macros), which is what the
//! ConfigMap form may say.

use std::fmt;
use std::ops::RangeInclusive;

use super::{GoDuration, UnitError};

/// The pattern of Zalando's schema.
pub const PATTERN: &str = r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$";

/// Names that stand for a whole schedule.
const MACROS: &[&str] = &[
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];
const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A schedule that a `CronJob` accepts. Keeps the user's spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Schedule(String);

/// One field of a schedule.
struct Field {
    name: &'static str,
    /// What a manifest may say there.
    expected: &'static str,
    numbers: RangeInclusive<u32>,
    /// What stands for its numbers, in their order.
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        expected: "minute must be * or 0 to 59",
        numbers: 0..=59,
        words: &[],
    },
    Field {
        name: "hour",
        expected: "hour must be * or 0 to 23",
        numbers: 0..=23,
        words: &[],
    },
    Field {
        name: "day of month",
        expected: "day of month must be * or 1 to 31",
        numbers: 1..=31,
        words: &[],
    },
    Field {
        name: "month",
        expected: "month must be * or 1 to 12",
        numbers: 1..=12,
        words: MONTHS,
    },
    Field {
        name: "day of week",
        expected: "day of week must be * or 0 to 6, Sunday is 0",
        numbers: 0..=6,
        words: DAYS,
    },
];

impl Schedule {
    /// Reads `30 00 * * *`.
    ///
    /// # Errors
    /// Not five fields, another syntax, or a number that the API server would refuse in a `CronJob`.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = |why| UnitError::new(text, "a schedule", why);
        let given: Vec<&str> = text.split_ascii_whitespace().collect();
        if given.len() != FIELDS.len() {
            return Err(error("expected five fields"));
        }
        for (field, item) in FIELDS.iter().zip(given) {
            let (value, step) = with_step(item);
            if value != "*" && !number(value).is_some_and(|value| field.numbers.contains(&value)) {
                return Err(error(field.expected));
            }
            if step.is_some_and(|step| !is_step(step)) {
                return Err(error("a step must be a number from 1"));
            }
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether Kubernetes takes a text for the schedule of a `CronJob`.
///
/// # Errors
///
/// What is wrong, naming the field.
pub fn check(text: &str) -> Result<(), String> {
    if MACROS.contains(&text) {
        return Ok(());
    }
    if let Some(period) = text.strip_prefix("@every ") {
        return GoDuration::parse(period)
            .map(drop)
            .map_err(|error| format!("has a wrong period: {}", error.why));
    }
    let given: Vec<&str> = text.split_whitespace().collect();
    if given.len() != FIELDS.len() {
        return Err(format!("has {} fields instead of 5", given.len()));
    }
    for (field, text) in FIELDS.iter().zip(given) {
        if !text.split(',').all(|item| item_fits(field, item)) {
            return Err(format!("has a wrong {}: {text:?}", field.name));
        }
    }
    Ok(())
}

/// `*`, `?`, `a` or `a-b`, with an optional `/step`.
fn item_fits(field: &Field, item: &str) -> bool {
    let (range, step) = with_step(item);
    if step.is_some_and(|step| !is_step(step)) {
        return false;
    }
    let value = |text: &str| {
        let word = field
            .words
            .iter()
            .position(|word| word.eq_ignore_ascii_case(text));
        match word.and_then(|at| u32::try_from(at).ok()) {
            Some(at) => Some(at + field.numbers.start()),
            None => number(text).filter(|number| field.numbers.contains(number)),
        }
    };
    match range.split_once('-') {
        _ if range == "*" || range == "?" => true,
        Some((from, to)) => value(from).zip(value(to)).is_some_and(|(from, to)| from <= to),
        None => value(range).is_some(),
    }
}

fn with_step(item: &str) -> (&str, Option<&str>) {
    match item.split_once('/') {
        Some((value, step)) => (value, Some(step)),
        None => (item, None),
    }
}

fn is_step(text: &str) -> bool {
    number(text).is_some_and(|step| step > 0)
}

/// Digits only: Rust's own parser would take a sign.
fn number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_lite::Regex;

    use super::*;

    #[test]
    fn usual_schedules_are_read() {
        for good in ["30 00 * * *", "*/15 * * * *", "0 3 1 * 0", "5/10 */2 1 12 6"] {
            assert_eq!(Schedule::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn lists_ranges_names_and_wrong_numbers_are_refused() {
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "0,30 * * * *",
            "1-5 * * * *",
            "@daily",
            "0 0 * * MON",
            "60 * * * *",
            "0 24 * * *",
            "0 0 0 * *",
            "0 0 1 13 *",
            "0 0 * * 7",
            "*/0 * * * *",
            "+5 * * * *",
            "/5 * * * *",
            "99999999999 * * * *",
        ] {
            assert!(Schedule::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn kubernetes_takes_more() {
        for text in [
            "30 00 * * *",
            "*/5 * * * *",
            "0 2 * * 1-5",
            "0 0,12 1 JAN-mar ?",
            "@daily",
            "@every 1h30m",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_kubernetes_refuses_is_refused() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "*/0 * * * *",
            "5-1 * * * *",
            "+1 * * * *",
            "@reboot",
            "@every soon",
            "a * * * *",
            "1, * * * *",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_matches_the_pattern_and_is_taken_by_kubernetes(text in "[0-9*/ ]{0,14}") {
            if Schedule::parse(&text).is_ok() {
                prop_assert!(Regex::new(PATTERN).unwrap().is_match(text.trim()));
                prop_assert_eq!(check(&text), Ok(()));
            }
        }
    }
}
