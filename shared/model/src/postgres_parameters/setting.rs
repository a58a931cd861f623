//! A value of a parameter. Lives here: reading it from a manifest's text, its range, writing it. Must not: numbers (number).

use super::{Kind, Parameter, Unit, Unreadable, number};

/// What a text means to the server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting<'a> {
    /// On or off.
    Boolean(bool),
    /// The word, as the server shows it.
    Choice(&'static str),
    /// In the parameter's unit.
    Integer(i64),
    /// In the parameter's unit.
    Real(f64),
    /// The text itself.
    Text(&'a str),
}

impl Parameter {
    /// Reads a value as the server does, whatever its range. Beside the words it lists, the server takes `true`, `yes`, `1` and so on where
    /// it lists `on` and `off`, and names of former versions for some levels.
    ///
    /// # Errors
    /// The server would refuse the text.
    pub fn read<'a>(&self, text: &'a str) -> Result<Setting<'a>, Unreadable> {
        match self.kind {
            Kind::Boolean => boolean(text).map(Setting::Boolean).ok_or(Unreadable::NoBoolean),
            Kind::Choice(words) => {
                let word = word(self.name, words, text).map(Setting::Choice);
                word.ok_or(Unreadable::NoChoice(words))
            }
            Kind::Integer { unit, .. } => number::integer(text, unit).map(Setting::Integer),
            Kind::Real { unit, .. } => number::real(text, unit).map(Setting::Real),
            Kind::Text => Ok(Setting::Text(text)),
        }
    }

    /// The end of the range that a value lies beyond; None: it lies within.
    pub fn bound(&self, setting: Setting<'_>) -> Option<Setting<'static>> {
        match (self.kind, setting) {
            (Kind::Integer { min, max, .. }, Setting::Integer(value)) => {
                (value != value.clamp(min, max)).then(|| Setting::Integer(value.clamp(min, max)))
            }
            (Kind::Real { min, .. }, Setting::Real(value)) if value < min => Some(Setting::Real(min)),
            (Kind::Real { max, .. }, Setting::Real(value)) if value > max => Some(Setting::Real(max)),
            _ => None,
        }
    }

    /// The one spelling of a value, which means the same when it is read again.
    pub fn show(&self, setting: Setting<'_>) -> String {
        match setting {
            Setting::Boolean(true) => "on".to_owned(),
            Setting::Boolean(false) => "off".to_owned(),
            Setting::Choice(word) => word.to_owned(),
            Setting::Integer(value) => number::show(value, self.unit()),
            Setting::Real(value) => value.to_string(),
            Setting::Text(text) => text.to_owned(),
        }
    }

    /// Bytes that a value of a size stands for. None for what is no size, and for special values below zero.
    pub fn bytes(&self, setting: Setting<'_>) -> Option<i64> {
        let (Setting::Integer(value), Some(unit)) = (setting, self.unit()) else {
            return None;
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the sizes of units are whole and small"
        )]
        let size = unit.bytes()? as i64;
        (value >= 0).then_some(value.saturating_mul(size))
    }

    /// What a bare number counts.
    pub fn unit(&self) -> Option<Unit> {
        match self.kind {
            Kind::Integer { unit, .. } | Kind::Real { unit, .. } => unit,
            _ => None,
        }
    }
}

/// Any beginning of `true`, `false`, `yes`, `no`, `on`, `off` that is like no other, or `1` or `0`.
fn boolean(text: &str) -> Option<bool> {
    let begins = |word: &str, least: usize| {
        let part = word.get(..text.len());
        text.len() >= least && part.is_some_and(|part| part.eq_ignore_ascii_case(text))
    };
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if begins("true", 1) || begins("yes", 1) || begins("on", 2) => Some(true),
        _ if begins("false", 1) || begins("no", 1) || begins("off", 2) => Some(false),
        _ => None,
    }
}

/// The listed word that a text means.
fn word(name: &str, words: &'static [&'static str], text: &str) -> Option<&'static str> {
    let listed = |wanted: &str| {
        words
            .iter()
            .copied()
            .find(|word| word.eq_ignore_ascii_case(wanted))
    };
    let found = listed(text).or_else(|| unlisted(name, words, text));
    // The two are one value, and the server shows the first.
    match found {
        Some("on") if words.contains(&"pglz") => Some("pglz"),
        found => found,
    }
}

/// Words that the server takes and does not list.
fn unlisted(name: &str, words: &'static [&'static str], text: &str) -> Option<&'static str> {
    let is_one_of = |spellings: &[&str]| spellings.iter().any(|word| word.eq_ignore_ascii_case(text));
    let switches = words.contains(&"on") && words.contains(&"off");
    let levels = words.contains(&"debug5");
    match name {
        _ if switches && is_one_of(&["true", "yes", "1"]) => Some("on"),
        _ if switches && is_one_of(&["false", "no", "0"]) => Some("off"),
        _ if levels && is_one_of(&["debug"]) => Some("debug2"),
        _ if levels && is_one_of(&["info"]) => Some("info"),
        "wal_level" if is_one_of(&["archive", "hot_standby"]) => Some("replica"),
        _ => None,
    }
}
