//! Maintenance windows: `Sat:01:00-05:00`, or `01:00-05:00` for every day. All times are UTC; a window cannot cross midnight.

use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration, Timestamp,
    civil::{self, Weekday},
    tz::TimeZone,
};

use super::UnitError;

/// The pattern of Zalando's schema.
pub const PATTERN: &str = r"^\ *((Mon|Tue|Wed|Thu|Fri|Sat|Sun):(2[0-3]|[01]?\d):([0-5]?\d)|(2[0-3]|[01]?\d):([0-5]?\d))-((2[0-3]|[01]?\d):([0-5]?\d)|(2[0-3]|[01]?\d):([0-5]?\d))\ *$";

/// A window. Both ends belong to it, the last minute in full: `00:00-23:59` is all day, `10:00-10:00` is one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// The day of the week; every day when absent.
    pub day: Option<Weekday>,
    /// First minute.
    pub from: civil::Time,
    /// Last minute.
    pub to: civil::Time,
}

const WHAT: &str = "a maintenance window";
const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

impl Window {
    /// Reads the text form; blanks around it do not matter.
    ///
    /// # Errors
    /// Another form, an unknown day, a time that does not exist, or an end before the start.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = |why| UnitError::new(text, WHAT, why);
        let (start, end) = text
            .trim_matches(' ')
            .split_once('-')
            .ok_or_else(|| error("expected start and end, as in Sat:01:00-05:00 or 01:00-05:00"))?;
        let (day, start) = match start.split_once(':') {
            Some((day, time)) if time.contains(':') => {
                let known = DAYS.into_iter().find(|(name, _)| *name == day);
                let (_, day) =
                    known.ok_or_else(|| error("the day must be one of Mon, Tue, Wed, Thu, Fri, Sat, Sun"))?;
                (Some(day), time)
            }
            _ => (None, start),
        };
        let from = time(start).ok_or_else(|| error("the start must be a time from 00:00 to 23:59"))?;
        let to = time(end).ok_or_else(|| error("the end must be a time from 00:00 to 23:59"))?;
        if to < from {
            return Err(error(
                "the end is before the start; a window past midnight must be written as two",
            ));
        }
        Ok(Self { day, from, to })
    }

    /// `at` lies in the window.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let now = at.to_zoned(TimeZone::UTC);
        let minute = civil::time(now.hour(), now.minute(), 0, 0);
        self.day.is_none_or(|day| day == now.weekday()) && (self.from..=self.to).contains(&minute)
    }

    /// The first start of the window after `at`.
    pub fn next_start(&self, at: Timestamp) -> Timestamp {
        let today = at.to_zoned(TimeZone::UTC).date();
        (0..=7)
            .filter_map(|days| today.checked_add(jiff::Span::new().days(days)).ok())
            .filter(|date| self.day.is_none_or(|day| day == date.weekday()))
            .filter_map(|date| date.to_datetime(self.from).to_zoned(TimeZone::UTC).ok())
            .map(|start| start.timestamp())
            .find(|start| *start > at)
            // Only at the end of year 9999 is there no day left to count.
            .unwrap_or(Timestamp::MAX)
    }

    /// From the first to behind the last minute.
    pub fn length(&self) -> SignedDuration {
        self.from.duration_until(self.to) + SignedDuration::from_mins(1)
    }
}

/// Hours of one or two digits, minutes of two: what Go's layout `15:04` reads.
fn time(text: &str) -> Option<civil::Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 || !digits(hour) || !digits(minute) {
        return None;
    }
    civil::Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// Disruptive work may happen at `at`: a window is open, or there is none at all.
pub fn is_open(windows: &[Window], at: Timestamp) -> bool {
    windows.is_empty() || windows.iter().any(|window| window.is_open(at))
}

/// The earliest start of any window after `at`; none without windows.
pub fn next_start(windows: &[Window], at: Timestamp) -> Option<Timestamp> {
    windows.iter().map(|window| window.next_start(at)).min()
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = DAYS.iter().find(|(_, day)| Some(*day) == self.day) {
            write!(f, "{name}:")?;
        }
        let (from, to) = (self.from, self.to);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from.hour(),
            from.minute(),
            to.hour(),
            to.minute()
        )
    }
}

impl FromStr for Window {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests;
