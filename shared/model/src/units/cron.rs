//! Backup schedules: five fields, each a number or `*`, each with an optional `/step`. No lists, ranges or names, as in Zalando's schema.

use std::{fmt, str::FromStr};

use super::UnitError;

/// The pattern of Zalando's schema.
pub const PATTERN: &str = r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$";

/// A schedule that a `CronJob` accepts. Keeps the user's spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Schedule(String);

/// Name and range of each field.
const FIELDS: [(&str, u32, u32); 5] = [
    ("minute must be * or 0 to 59", 0, 59),
    ("hour must be * or 0 to 23", 0, 23),
    ("day of month must be * or 1 to 31", 1, 31),
    ("month must be * or 1 to 12", 1, 12),
    ("day of week must be * or 0 to 6, Sunday is 0", 0, 6),
];

impl Schedule {
    /// Reads `30 00 * * *`.
    ///
    /// # Errors
    /// Not five fields, another syntax, or a number that the API server would refuse in a `CronJob`.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = |why| UnitError::new(text, "a schedule", why);
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Err(error("expected five fields"));
        }
        for (field, (expected, low, high)) in fields.into_iter().zip(FIELDS) {
            let (value, step) = match field.split_once('/') {
                Some((value, step)) => (value, Some(step)),
                None => (field, None),
            };
            if value != "*" && !number(value).is_some_and(|value| (low..=high).contains(&value)) {
                return Err(error(expected));
            }
            if step.is_some_and(|step| number(step).is_none_or(|step| step == 0)) {
                return Err(error("a step must be a number from 1"));
            }
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn number(text: &str) -> Option<u32> {
    // `parse` alone would allow a sign.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Schedule {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::parse(text)
    }
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

    proptest! {
        #[test]
        fn what_is_accepted_matches_the_pattern(text in "[0-9*/ ]{0,14}") {
            if Schedule::parse(&text).is_ok() {
                prop_assert!(Regex::new(PATTERN).unwrap().is_match(text.trim()));
            }
        }
    }
}
