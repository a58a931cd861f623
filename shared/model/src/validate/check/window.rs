//! Maintenance windows.

use super::super::{Hit, Subject};
use crate::units::Window;

/// Windows that are heeded, long enough for the operator to come by, each for a time of its own.
pub(in super::super) fn windows_are_of_use(subject: &Subject<'_>) -> Vec<Hit> {
    let texts = &subject.spec.maintenance_windows;
    let general = &subject.config.general;
    if !general.enable_maintenance_windows && !texts.is_empty() {
        let message = "are not heeded: the operator takes any time (enable_maintenance_windows)";
        return vec![Hit::new("spec.maintenanceWindows", message)];
    }
    let needed = general.resync_period.saturating_mul(2);
    let mut before: Vec<Window> = Vec::new();
    let mut hits = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let Ok(window) = Window::parse(text) else { continue };
        let path = format!("spec.maintenanceWindows[{index}]");
        if window.length().unsigned_abs() < needed {
            let message = format!(
                "{window} is shorter than two looks of the operator ({} minutes); work may never fall into it",
                needed.as_secs().div_ceil(60)
            );
            hits.push(Hit::new(path, message));
        } else if let Some(other) = before.iter().find(|other| overlap(other, &window)) {
            hits.push(Hit::new(
                path,
                format!("{window} and {other} overlap; one of them is enough"),
            ));
        }
        before.push(window);
    }
    hits
}

fn overlap(one: &Window, other: &Window) -> bool {
    let same_day = one.day.is_none() || other.day.is_none() || one.day == other.day;
    same_day && one.from <= other.to && other.from <= one.to
}
