//! Numbers, quantities, periods and versions that must fit each other.

use std::ops::RangeInclusive;

use super::Fault;
use crate::config::OperatorConfig;
use crate::units::Quantity;

/// What keeps Zalando's operator from starting.
pub(super) fn fatal(config: &OperatorConfig) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (min, max) = (config.general.min_instances, config.general.max_instances);
    if min > 0 && max > 0 && min > max {
        let problem = format!("{min} is more than the maximum {max}");
        faults.push(Fault::new("min_instances", problem).with(&["max_instances"]));
    }
    let superuser = &config.users.super_username;
    if config.connection_pooler.connection_pooler_user == *superuser {
        let problem = format!("the pooler's role must not be the superuser {superuser}");
        faults.push(Fault::new("connection_pooler_user", problem).with(&["super_username"]));
    }
    faults
}

pub(super) fn versions(config: &OperatorConfig) -> Vec<Fault> {
    let upgrade = &config.major_version_upgrade;
    let target = upgrade.target_major_version;
    let fault = || {
        Fault::new(
            "minimal_major_version",
            format!("is above target_major_version {target}"),
        )
    };
    (upgrade.minimal_major_version > target)
        .then(fault)
        .into_iter()
        .collect()
}

pub(super) fn rotation(config: &OperatorConfig) -> Vec<Fault> {
    let users = &config.users;
    let interval = users.password_rotation_interval;
    let kept = 2 * interval.clamp(*ROTATION_DAYS.start(), *ROTATION_DAYS.end());
    let odd = users.enable_password_rotation && users.password_rotation_user_retention < kept;
    let problem = || format!("counts as {kept}, twice password_rotation_interval");
    odd.then(|| Fault::new("password_rotation_user_retention", problem()))
        .into_iter()
        .collect()
}

/// Days of passwords that count: names of roles tell days, and a date can be written for a century.
pub const ROTATION_DAYS: RangeInclusive<u32> = 1..=36_500;

pub(super) fn rotation_days(config: &OperatorConfig) -> Vec<Fault> {
    let users = &config.users;
    let fault = |(name, days): (&'static str, u32)| {
        let (least, most) = (*ROTATION_DAYS.start(), *ROTATION_DAYS.end());
        let problem = format!(
            "counts as {}: between {least} and {most}",
            days.clamp(least, most)
        );
        (!ROTATION_DAYS.contains(&days)).then(|| Fault::new(name, problem))
    };
    [
        ("password_rotation_interval", users.password_rotation_interval),
        (
            "password_rotation_user_retention",
            users.password_rotation_user_retention,
        ),
    ]
    .into_iter()
    .filter_map(fault)
    .collect()
}

pub(super) fn waits(config: &OperatorConfig) -> Vec<Fault> {
    let waits = &config.timeouts;
    [
        (
            waits.resource_check_interval,
            waits.resource_check_timeout,
            "resource_check_interval",
        ),
        (
            waits.ready_wait_interval,
            waits.ready_wait_timeout,
            "ready_wait_interval",
        ),
        (
            waits.patroni_api_check_interval,
            waits.patroni_api_check_timeout,
            "patroni_api_check_interval",
        ),
    ]
    .into_iter()
    .filter(|(interval, timeout, _)| interval > timeout)
    .map(|(_, _, name)| Fault::new(name, "is longer than the timeout: nothing is tried twice"))
    .collect()
}

/// Pairs of quantities of which the first must not be above the second.
const ORDERED: &[(&str, &str)] = &[
    ("default_cpu_request", "default_cpu_limit"),
    ("default_memory_request", "default_memory_limit"),
    ("min_cpu_limit", "default_cpu_limit"),
    ("min_memory_limit", "default_memory_limit"),
    ("default_cpu_request", "max_cpu_request"),
    ("default_memory_request", "max_memory_request"),
    (
        "connection_pooler_default_cpu_request",
        "connection_pooler_default_cpu_limit",
    ),
    (
        "connection_pooler_default_memory_request",
        "connection_pooler_default_memory_limit",
    ),
    ("logical_backup_cpu_request", "logical_backup_cpu_limit"),
    ("logical_backup_memory_request", "logical_backup_memory_limit"),
];

pub(super) fn resources(config: &OperatorConfig) -> Vec<Fault> {
    let quantity = |name: &str| {
        let shown = crate::config::param(name)?.show(config);
        Quantity::parse(shown.as_str()?).ok()
    };
    let fault = |(name, limit): &(&'static str, &str)| {
        let (small, large) = (quantity(name)?, quantity(limit)?);
        let problem = format!("{small} is above {limit} {large}");
        (small > large).then(|| Fault::new(name, problem))
    };
    ORDERED.iter().filter_map(fault).collect()
}

pub(super) fn pooler(config: &OperatorConfig) -> Vec<Fault> {
    let pooler = &config.connection_pooler;
    let (connections, pods) = (
        pooler.connection_pooler_max_db_connections,
        pooler.connection_pooler_number_of_instances,
    );
    if connections >= pods {
        return Vec::new();
    }
    let problem = format!("{connections} is less than one for each of {pods} pods");
    vec![Fault::new("connection_pooler_max_db_connections", problem)]
}

pub(super) fn no_instances(config: &OperatorConfig) -> Vec<Fault> {
    let stops = config.general.max_instances == 0;
    let problem = "0 takes the pods of every cluster away; write -1 for no limit";
    stops
        .then(|| Fault::new("max_instances", problem))
        .into_iter()
        .collect()
}
