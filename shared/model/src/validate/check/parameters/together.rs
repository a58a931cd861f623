//! Parameters that do not go with each other, with the pod, or with what the manifest says elsewhere.

use std::collections::BTreeMap;

use super::{Given, PARAMETERS, Subject, can_be_written, given, is_taken, readable, value_of, version};
use crate::{
    cluster::postgres::LOCAL_PARAMETERS,
    cluster::resources::MEMORY,
    postgres_parameters::{HOT_STANDBY, Setting},
    units::Quantity,
    validate::Hit,
};

/// What Spilo loads into each server.
const LIBRARIES: [&str; 5] = [
    "bg_mon",
    "pg_auth_mon",
    "pg_stat_statements",
    "pgextwlist",
    "set_user",
];

/// The number that counts for a parameter: the manifest's if Patroni takes it.
fn number(subject: &Subject<'_>, name: &str) -> Option<i64> {
    readable(subject)
        .filter(|(given, ..)| given.name.eq_ignore_ascii_case(name))
        .find_map(|(_, parameter, setting)| match setting {
            Setting::Integer(value) if is_taken(parameter, setting) => Some(value),
            _ => None,
        })
}

fn is(subject: &Subject<'_>, name: &str, wanted: Setting<'_>) -> bool {
    readable(subject).any(|(given, _, setting)| given.name.eq_ignore_ascii_case(name) && setting == wanted)
}

pub(in super::super::super) fn memory_holds_shared_buffers(subject: &Subject<'_>) -> Vec<Hit> {
    let limit = subject
        .cluster()
        .and_then(|cluster| cluster.resources.limits.get(MEMORY).copied());
    let Some(limit) = limit else { return Vec::new() };
    readable(subject)
        .filter(|(given, ..)| given.name.eq_ignore_ascii_case("shared_buffers"))
        .filter(|(_, parameter, setting)| {
            let bytes = parameter.bytes(*setting);
            bytes.is_some_and(|bytes| Quantity::from_bytes(bytes) >= limit)
        })
        .map(|(given, parameter, setting)| {
            let value = parameter.show(setting);
            given.hit(format!(
                "{value} is not below the memory limit of {limit}: the pod would be killed"
            ))
        })
        .collect()
}

pub(in super::super::super) fn some_connections_are_free(subject: &Subject<'_>) -> Vec<Hit> {
    const RESERVES: [(&str, i64); 2] = [("superuser_reserved_connections", 3), ("reserved_connections", 0)];
    const ALL: &str = "max_connections";
    let mut mentioned = RESERVES.iter().map(|(name, _)| *name).chain([ALL]);
    let Some(given) = mentioned.find_map(|name| value_of(subject, name)) else {
        return Vec::new();
    };
    let reserved: i64 = RESERVES
        .iter()
        .map(|(name, default)| number(subject, name).unwrap_or(*default))
        .sum();
    let all = number(subject, ALL).unwrap_or(100);
    if reserved < all {
        return Vec::new();
    }
    let message = format!("{reserved} of {all} connections are reserved: the server does not start");
    vec![given.hit(message)]
}

pub(in super::super::super) fn wal_level_is_logical(subject: &Subject<'_>) -> Vec<Hit> {
    if version(subject).is_none() || is(subject, "wal_level", Setting::Choice("logical")) {
        return Vec::new();
    }
    let slots = subject.spec.patroni.iter().flat_map(|patroni| &patroni.slots);
    let slot = slots
        .filter(|(_, slot)| is_logical(slot))
        .map(|(name, _)| name)
        .next();
    let message = match slot {
        Some(slot) => format!("is not logical, and without that there is no logical slot {slot}"),
        None if !subject.spec.streams.is_empty() && value_of(subject, "wal_level").is_some() => {
            "is replaced by logical, which streams need".to_owned()
        }
        None => return Vec::new(),
    };
    vec![Hit::new(format!("{PARAMETERS}.wal_level"), message)]
}

/// What servers let logical slots use where nobody says otherwise.
const PLUGINS: [&str; 2] = ["pgoutput", "test_decoding"];

pub(in super::super::super) fn plugins_are_trusted(subject: &Subject<'_>) -> Vec<Hit> {
    const LIST: &str = "output_plugin_libraries";
    let trusted: Vec<&str> =
        value_of(subject, LIST).map_or_else(|| PLUGINS.to_vec(), |given| libraries(given.value));
    let slots = subject.spec.patroni.iter().flat_map(|patroni| &patroni.slots);
    slots
        .filter(|(_, slot)| is_logical(slot))
        .filter_map(|(name, slot)| Some((name, slot.get("plugin")?)))
        .filter(|(_, plugin)| !trusted.contains(&plugin.as_str()))
        .map(|(name, _)| {
            let message = format!("is not in {LIST}, and servers since August 2026 take no other");
            Hit::new(format!("spec.patroni.slots.{name}.plugin"), message)
        })
        .collect()
}

fn is_logical(slot: &BTreeMap<String, String>) -> bool {
    slot.get("type").is_some_and(|kind| kind == "logical")
}

/// The items of a list of libraries.
fn libraries(list: &str) -> Vec<&str> {
    let items = list.split(',');
    items.map(|library| library.trim_matches([' ', '"'])).collect()
}

pub(in super::super::super) fn huge_pages_are_granted(subject: &Subject<'_>) -> Vec<Hit> {
    let granted = subject.cluster().is_none_or(|cluster| {
        let mut limits = cluster.resources.limits.keys();
        limits.any(|name| name.starts_with("hugepages-"))
    });
    if granted || !is(subject, "huge_pages", Setting::Choice("on")) {
        return Vec::new();
    }
    let message = "on, and the pod has no limit of hugepages-2Mi or hugepages-1Gi: the server does not start";
    value_of(subject, "huge_pages")
        .map(|given| given.hit(message))
        .into_iter()
        .collect()
}

pub(in super::super::super) fn image_libraries_stay(subject: &Subject<'_>) -> Vec<Hit> {
    let is_spilo = subject
        .cluster()
        .is_some_and(|cluster| cluster.image.contains("spilo"));
    let Some(given) = value_of(subject, "shared_preload_libraries").filter(|_| is_spilo) else {
        return Vec::new();
    };
    let listed = libraries(given.value);
    let missing: Vec<&str> = LIBRARIES
        .into_iter()
        .filter(|library| !listed.contains(library))
        .collect();
    if missing.is_empty() {
        return Vec::new();
    }
    vec![given.hit(format!("leaves out {} of the image", missing.join(", ")))]
}

pub(in super::super::super) fn archive_is_the_images(subject: &Subject<'_>) -> Vec<Hit> {
    let cloud = &subject.config.aws_or_gcp;
    let buckets = [
        &cloud.wal_s3_bucket,
        &cloud.wal_gs_bucket,
        &cloud.wal_az_storage_account,
    ];
    if buckets.into_iter().all(Option::is_none) {
        return Vec::new();
    }
    let off = is(subject, "archive_mode", Setting::Choice("off"));
    let rows = [
        ("archive_command", true),
        ("archive_library", true),
        ("archive_mode", off),
    ];
    rows.into_iter()
        .filter(|(_, replaces)| *replaces)
        .filter_map(|(name, _)| value_of(subject, name))
        .map(|given| given.hit("keeps the image from archiving into the operator's bucket"))
        .collect()
}

/// The image's own section goes before Patroni's, and the operator knows the names of that section only as the server spells them.
pub(in super::super::super) fn names_are_unique(subject: &Subject<'_>) -> Vec<Hit> {
    let twin = |given: &Given<'_>| {
        let mut others = super::given(subject);
        let is_twin = |other: &Given<'_>| other.name.eq_ignore_ascii_case(given.name);
        others
            .find(|other| is_twin(other) && other.name != given.name)
            .map(|other| other.name)
    };
    let is_misplaced = |name: &str| {
        let mut local = LOCAL_PARAMETERS.iter();
        !LOCAL_PARAMETERS.contains(&name) && local.any(|known| known.eq_ignore_ascii_case(name))
    };
    given(subject)
        .filter(|given| can_be_written(given.name))
        .filter_map(|given| match twin(&given) {
            Some(other) => Some(given.hit(format!("is the same parameter as {other}, and only one counts"))),
            None if is_misplaced(given.name) => {
                let lower = given.name.to_ascii_lowercase();
                Some(given.hit(format!("does not replace the image's value: write {lower}")))
            }
            None => None,
        })
        .collect()
}

/// A replica must not have less of these than its primary.
pub(in super::super::super) fn primary_restarts_first(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    HOT_STANDBY
        .into_iter()
        .filter_map(|name| Some((name, number(old, name)?, number(new, name)?)))
        .filter(|(_, from, to)| to < from)
        .map(|(name, from, to)| {
            let message = format!("goes from {from} to {to}: the primary restarts before the replicas");
            Hit::new(format!("{PARAMETERS}.{name}"), message)
        })
        .collect()
}
