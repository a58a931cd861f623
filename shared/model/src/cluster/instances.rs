//! How many members (zalando-behaviour 4.17).

use super::{
    reading::Reading,
    rules::{self, reason::INSTANCE_LIMITS},
};
use crate::default;

const PATH: &str = "spec.numberOfInstances";

/// The number after the operator's limits. An annotation lifts them; a standby with one member keeps it.
pub(super) fn read(reading: &mut Reading<'_>) -> i32 {
    let wanted = reading
        .spec
        .number_of_instances
        .unwrap_or_else(|| default::instances(reading.config));
    if wanted < 0 {
        reading.violate(
            rules::INSTANCES,
            PATH,
            format!("{wanted} is negative; 0 keeps the volumes and runs no pod"),
        );
        return 0;
    }
    let general = &reading.config.general;
    let exempt = reading.has_switch(general.ignore_instance_limits_annotation_key.as_ref());
    if exempt || (reading.spec.standby.is_some() && wanted == 1) {
        return wanted;
    }
    let effective = default::within_limits(wanted, reading.config);
    if effective != wanted {
        let (min, max) = (general.min_instances, general.max_instances);
        let message = format!(
            "{wanted} becomes {effective}: the operator allows {}",
            range(min, max)
        );
        reading.note(INSTANCE_LIMITS, PATH, message);
    }
    effective
}

fn range(min: i32, max: i32) -> String {
    match (min >= 0, max >= 0) {
        (true, true) => format!("{min} to {max}"),
        (true, false) => format!("at least {min}"),
        _ => format!("at most {max}"),
    }
}
