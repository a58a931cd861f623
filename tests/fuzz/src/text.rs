//! Small texts: what is read must be written and read again as the same, or mean the same to all who read it.

use std::sync::LazyLock;

use pgherd_model::postgres_parameters::{canonical, same_value};
use pgherd_model::units::{PgVersion, Quantity, Schedule, Window, cron, hba};
use regex_lite::Regex;

pub(crate) fn quantity(bytes: &[u8]) {
    let Some(read) = utf8(bytes).and_then(|text| Quantity::parse(text).ok()) else {
        return;
    };
    let written = read.to_string();
    let again = Quantity::parse(&written).expect("what we write can be read");
    // Away from zero, as Kubernetes rounds.
    let is_rounded_up = if read.is_negative() {
        again <= read
    } else {
        again >= read
    };
    assert!(is_rounded_up, "{written} is less than what was read");
    assert_eq!(again.units(), read.units(), "{written}");
    assert_eq!(again.is_negative(), read.is_negative(), "{written}");
}

pub(crate) fn window(bytes: &[u8]) {
    let Some(read) = utf8(bytes).and_then(|text| Window::parse(text).ok()) else {
        return;
    };
    let written = read.to_string();
    let again = Window::parse(&written).expect("what we write can be read");
    assert_eq!(again, read, "{written}");
    assert!(read.length().as_secs() >= 0, "{written} ends before it starts");
}

/// What a manifest may say is what the CRD's pattern lets pass, and nothing that Kubernetes would refuse in a `CronJob`. Its other reader only
/// may not break.
pub(crate) fn schedule(bytes: &[u8]) {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new(cron::PATTERN).expect("it is a pattern"));
    let Some(text) = utf8(bytes) else {
        return;
    };
    let checked = cron::check(text);
    if let Ok(read) = Schedule::parse(text) {
        assert_eq!(read.as_str(), text, "the user's spelling is kept");
        assert!(
            PATTERN.is_match(text.trim()),
            "{text:?} is not what the CRD lets pass"
        );
        assert_eq!(checked, Ok(()), "{text:?}");
    }
}

/// A list of access lines, one a line. Each line is read once, and some client is let in or not.
pub(crate) fn hba(bytes: &[u8]) {
    let Some(text) = utf8(bytes) else {
        return;
    };
    let list: Vec<String> = text.lines().map(str::to_owned).collect();
    let read = hba::read(&list);
    assert!(read.is_sorted_by_key(|(index, _)| *index), "lines out of order");
    assert!(
        read.iter().all(|(index, _)| *index < list.len()),
        "a line that is not there"
    );
    let entries: Vec<_> = read.into_iter().filter_map(|(_, entry)| entry.ok()).collect();
    for (database, over_network) in [(Some("postgres"), true), (Some("postgres"), false), (None, true)] {
        let client = hba::Client {
            user: "postgres",
            database,
            over_network,
        };
        let closed = hba::decide([], &client);
        assert_eq!(closed, hba::Verdict::Forgotten, "no line lets somebody in");
        let _ = hba::decide(&entries, &client);
    }
}

/// A parameter as `name = value`, in every major version.
pub(crate) fn parameter(bytes: &[u8]) {
    let Some((name, value)) = utf8(bytes).and_then(|text| text.split_once('=')) else {
        return;
    };
    let (name, value) = (name.trim(), value.trim());
    for version in ["14", "15", "16", "17", "18"] {
        let version = PgVersion::parse(version).expect("it is a version");
        let Some(shown) = canonical(name, version, value) else {
            continue;
        };
        assert_eq!(
            canonical(name, version, &shown).as_ref(),
            Some(&shown),
            "{name} = {value}"
        );
        assert!(
            same_value(name, version, value, &shown),
            "{name} = {value} is not {shown}"
        );
    }
}

pub(crate) fn utf8(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
