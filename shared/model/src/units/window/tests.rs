//! Texts, and when a window is open, from the tables of the behaviour inventory (A.3, A.4).

use proptest::prelude::*;
use regex_lite::Regex;

use super::*;

fn windows(texts: &[&str]) -> Vec<Window> {
    texts.iter().map(|text| Window::parse(text).unwrap()).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn accepted_texts_come_back_unchanged() {
    for text in [
        "Tue:10:00-20:00",
        "05:00-07:00",
        "Mon:10:00-10:00",
        "Sun:00:00-00:00",
        "01:00-10:00",
        "00:00-23:59",
    ] {
        assert_eq!(Window::parse(text).unwrap().to_string(), text);
        assert!(Regex::new(PATTERN).unwrap().is_match(text));
    }
    assert_eq!(
        Window::parse("Tue:10:00-20:00").unwrap().day,
        Some(Weekday::Tuesday)
    );
    assert_eq!(Window::parse("05:00-07:00").unwrap().day, None);
    assert_eq!(Window::parse("  5:00-07:00 "), Window::parse("05:00-07:00"));
}

#[test]
fn other_texts_are_errors() {
    for (text, word) in [
        ("Mon:12:00-11:00", "before the start"),
        ("Mon:10:00-00:00", "before the start"),
        ("Wed:33:00-00:00", "start"),
        ("Wed:00:00-26:00", "end"),
        ("23:69", "expected start and end"),
        ("23:69-23:59", "start"),
        ("Sunday:00:00-00:00", "day"),
        ("sun:00:00-00:00", "day"),
        (":00:00-10:00", "day"),
        ("Mon:00:00:00-10:00:00", "start"),
        ("Mon:00:00", "expected start and end"),
        ("Mon:00:00-00:00:00", "end"),
        ("Mon:00:00-Fri:00:00", "end"),
        ("00:00-01:00-02:00", "end"),
        ("00:0-01:00", "start"),
        ("+1:00-02:00", "start"),
        ("", "expected start and end"),
    ] {
        let error = Window::parse(text).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn both_ends_are_inside_the_last_minute_in_full() {
    let window = windows(&["Tue:10:00-11:00"])[0];
    for (moment, open) in [
        ("2025-11-11T09:59:59Z", false),
        ("2025-11-11T10:00:00Z", true),
        ("2025-11-11T11:00:59Z", true),
        ("2025-11-11T11:01:00Z", false),
        ("2025-11-12T10:30:00Z", false),
    ] {
        assert_eq!(window.is_open(at(moment)), open, "{moment}");
    }
    assert_eq!(window.length(), SignedDuration::from_mins(61));
}

#[test]
fn without_windows_it_is_always_time() {
    let now = at("2025-11-11T12:35:00Z");
    assert!(is_open(&[], now));
    assert_eq!(next_start(&[], now), None);
    assert!(is_open(&windows(&["00:00-02:00", "02:00-23:59"]), now));
}

#[test]
fn next_start_is_the_earliest_of_all() {
    // A Tuesday.
    let now = at("2025-11-11T12:35:00Z");
    for (texts, expected) in [
        (&["13:35-14:35"][..], "2025-11-11T13:35:00Z"),
        (&["10:35-11:35"], "2025-11-12T10:35:00Z"),
        (&["Tue:13:35-14:35"], "2025-11-11T13:35:00Z"),
        (&["Tue:10:35-11:35"], "2025-11-18T10:35:00Z"),
        (&["Thu:13:35-14:35", "10:35-11:35"], "2025-11-12T10:35:00Z"),
        (&["Thu:13:35-14:35", "Wed:10:35-11:35"], "2025-11-12T10:35:00Z"),
    ] {
        let next = next_start(&windows(texts), now).unwrap();
        assert_eq!(next, at(expected), "{texts:?}");
    }
}

#[test]
fn the_last_day_of_all_has_an_answer() {
    let window = windows(&["Tue:13:35-14:35"])[0];
    assert_eq!(window.next_start(Timestamp::MAX), Timestamp::MAX);
}

fn any_window() -> impl Strategy<Value = Window> {
    let time = || (0..24_i8, 0..60_i8).prop_map(|(hour, minute)| civil::time(hour, minute, 0, 0));
    (proptest::option::of(0..7_usize), time(), time()).prop_map(|(day, a, b)| Window {
        day: day.map(|index| DAYS[index].1),
        from: a.min(b),
        to: a.max(b),
    })
}

proptest! {
    #[test]
    fn reading_what_was_written_gives_the_same(window in any_window()) {
        prop_assert_eq!(Window::parse(&window.to_string()), Ok(window));
    }

    #[test]
    fn the_next_start_is_ahead_within_a_week_and_open(window in any_window(), second in 0..4_000_000_000_i64) {
        let now = Timestamp::from_second(second).unwrap();
        let next = window.next_start(now);
        prop_assert!(next > now);
        prop_assert!(next.duration_since(now) <= SignedDuration::from_hours(7 * 24));
        prop_assert!(window.is_open(next));
        prop_assert!(!window.is_open(next - SignedDuration::from_secs(1)) || window.length() >= SignedDuration::from_hours(24));
    }

    #[test]
    fn no_text_breaks_the_parser(text in "[A-Za-z0-9:+ -]{0,20}") {
        if let Ok(window) = Window::parse(&text) {
            prop_assert!(Regex::new(PATTERN).unwrap().is_match(&text), "{window}");
        }
    }
}
