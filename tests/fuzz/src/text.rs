//! Small texts: what is read must be written and read again as the same.

use pgherd_model::units::{Quantity, Schedule, Window};

pub(crate) fn quantity(bytes: &[u8]) {
    let Some(read) = utf8(bytes).and_then(|text| Quantity::parse(text).ok()) else {
        return;
    };
    let written = read.to_string();
    let again = Quantity::parse(&written).expect("what we write can be read");
    assert!(again >= read, "{written} is less than what was read");
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

pub(crate) fn schedule(bytes: &[u8]) {
    let Some(read) = utf8(bytes).and_then(|text| Schedule::parse(text).ok()) else {
        return;
    };
    let again = Schedule::parse(read.as_str()).expect("what was kept can be read");
    assert_eq!(again.as_str(), read.as_str());
}

pub(crate) fn utf8(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
