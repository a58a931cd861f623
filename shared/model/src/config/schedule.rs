//! Whether Kubernetes takes a text for the schedule of a `CronJob`.
//!
//! The CRDs of Zalando admit less (numbers, `*` and steps), the ConfigMap form and Kubernetes admit all of this.

use crate::units::GoDuration;

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

/// One field of a schedule.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        first: 0,
        last: 59,
        words: &[],
    },
    Field {
        name: "hour",
        first: 0,
        last: 23,
        words: &[],
    },
    Field {
        name: "day of month",
        first: 1,
        last: 31,
        words: &[],
    },
    Field {
        name: "month",
        first: 1,
        last: 12,
        words: MONTHS,
    },
    Field {
        name: "day of week",
        first: 0,
        last: 6,
        words: DAYS,
    },
];

/// Checks a schedule.
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
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    if step.is_some_and(|step| matches!(number(step), None | Some(0))) {
        return false;
    }
    let value = |text: &str| {
        let word = field
            .words
            .iter()
            .position(|word| word.eq_ignore_ascii_case(text));
        match word.and_then(|at| u32::try_from(at).ok()) {
            Some(at) => Some(at + field.first),
            None => number(text).filter(|number| (field.first..=field.last).contains(number)),
        }
    };
    match range.split_once('-') {
        _ if range == "*" || range == "?" => true,
        Some((from, to)) => value(from).zip(value(to)).is_some_and(|(from, to)| from <= to),
        None => value(range).is_some(),
    }
}

/// Digits only: Rust's own parser would take a sign.
fn number(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn takes_what_kubernetes_takes() {
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
    fn refuses_what_kubernetes_refuses() {
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
}
