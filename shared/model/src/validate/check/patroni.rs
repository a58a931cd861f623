//! Settings of Patroni that do not go together.

use super::super::{Hit, Subject};
use crate::api::postgresql::Patroni;

/// Patroni's own defaults and least values, in seconds.
const TTL: (u32, u32) = (30, 20);
const LOOP_WAIT: (u32, u32) = (10, 1);
const RETRY_TIMEOUT: (u32, u32) = (10, 3);

/// What Patroni takes for a number: absent or 0 is the default, and nothing is below the least.
fn taken(value: Option<u32>, (default, least): (u32, u32)) -> u32 {
    value.filter(|value| *value != 0).unwrap_or(default).max(least)
}

pub(in super::super) fn lease_outlives_retries(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(patroni) = subject.spec.patroni.as_ref() else {
        return Vec::new();
    };
    let (ttl, wait) = (taken(patroni.ttl, TTL), taken(patroni.loop_wait, LOOP_WAIT));
    let retry = taken(patroni.retry_timeout, RETRY_TIMEOUT);
    let least = u64::from(wait) + 2 * u64::from(retry);
    if u64::from(ttl) >= least {
        return Vec::new();
    }
    // Patroni shortens its pause first, and its patience when that is not enough.
    let pause = ttl.saturating_sub(retry.saturating_mul(2)).max(LOOP_WAIT.1);
    let patience = retry.min((ttl - pause) / 2);
    let message = format!(
        "{ttl} is below loop_wait + 2 * retry_timeout ({least}); Patroni uses {pause} and {patience} for these"
    );
    vec![Hit::new("spec.patroni.ttl", message)]
}

/// Numbers and switches that Patroni changes or ignores.
pub(in super::super) fn settings_count(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(patroni) = subject.spec.patroni.as_ref() else {
        return Vec::new();
    };
    let path = |field: &str| format!("spec.patroni.{field}");
    let mut hits = Vec::new();
    for (field, value, (_, least)) in [
        ("ttl", patroni.ttl, TTL),
        ("loop_wait", patroni.loop_wait, LOOP_WAIT),
        ("retry_timeout", patroni.retry_timeout, RETRY_TIMEOUT),
    ] {
        if let Some(value) = value.filter(|value| (1..least).contains(value)) {
            hits.push(Hit::new(
                path(field),
                format!("{value} is too small; Patroni uses {least}"),
            ));
        }
    }
    if let Some(lag) = patroni.maximum_lag_on_failover.filter(|lag| *lag < 0) {
        let message = format!("{lag} is negative: no replica could ever take over; give bytes");
        hits.push(Hit::new(path("maximum_lag_on_failover"), message));
    }
    let off = patroni.synchronous_mode != Some(true);
    if off && patroni.synchronous_mode_strict == Some(true) {
        let message = "does nothing without synchronous_mode: true";
        hits.push(Hit::new(path("synchronous_mode_strict"), message));
    }
    if off && patroni.synchronous_node_count.is_some_and(|count| count > 0) {
        let message = "does nothing without synchronous_mode: true";
        hits.push(Hit::new(path("synchronous_node_count"), message));
    }
    hits
}

/// A cluster that writes only with so many copies does not lose them to a change of its size. None at all stops it, which is meant.
pub(in super::super) fn copies_stay(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let (Some(before), Some(after), Some(patroni)) =
        (old.cluster(), new.cluster(), new.spec.patroni.as_ref())
    else {
        return Vec::new();
    };
    let count = patroni
        .synchronous_node_count
        .filter(|count| *count > 0)
        .unwrap_or(1);
    let needed = i64::from(count) + 1;
    let fell = after.instances < before.instances && after.instances > 0;
    if !is_strict(patroni) || !fell || i64::from(after.instances) >= needed {
        return Vec::new();
    }
    let message = format!(
        "{} is too few: strict synchronous mode wants {count} replicas; give {needed}, 0 to stop, or lower the count",
        after.instances
    );
    vec![Hit::new("spec.numberOfInstances", message)]
}

pub(in super::super) fn initdb_stays(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let initdb = |subject: &Subject<'_>| {
        let patroni = subject.spec.patroni.as_ref();
        patroni.map(|patroni| patroni.initdb.clone()).unwrap_or_default()
    };
    if initdb(old) == initdb(new) {
        return Vec::new();
    }
    let message = "changes nothing in a cluster that exists: it is read at the first start; pods roll for it";
    vec![Hit::new("spec.patroni.initdb", message)]
}

/// Options of initdb that Patroni passes on.
const INITDB: &[&str] = &[
    "allow-group-access",
    "auth",
    "auth-host",
    "auth-local",
    "builtin-locale",
    "data-checksums",
    "debug",
    "discard-caches",
    "encoding",
    "icu-locale",
    "icu-rules",
    "lc-collate",
    "lc-ctype",
    "lc-messages",
    "lc-monetary",
    "lc-numeric",
    "lc-time",
    "locale",
    "locale-provider",
    "no-clean",
    "no-data-checksums",
    "no-instructions",
    "no-locale",
    // In parts: written whole, these two look like names of Kubernetes objects to the test that looks for such.
    concat!("no-", "sync"),
    "noclean",
    "set",
    "show",
    "sync-method",
    concat!("text-search-", "config"),
    "username",
    "waldir",
    "wal-segsize",
    "xlogdir",
];

pub(in super::super) fn initdb_knows_them(subject: &Subject<'_>) -> Vec<Hit> {
    let patroni = subject.spec.patroni.as_ref();
    let options = patroni.into_iter().flat_map(|patroni| patroni.initdb.keys());
    let unknown = options.filter(|option| !INITDB.contains(&option.as_str()));
    unknown
        .map(|option| {
            let message = "is no option of initdb that Patroni passes on; the first start may fail";
            Hit::new(format!("spec.patroni.initdb.{option}"), message)
        })
        .collect()
}

/// The strict mode means nothing without the mode itself.
fn is_strict(patroni: &Patroni) -> bool {
    patroni.synchronous_mode == Some(true) && patroni.synchronous_mode_strict == Some(true)
}

pub(in super::super) fn strict_mode_has_replicas(subject: &Subject<'_>) -> Vec<Hit> {
    let strict = subject.spec.patroni.as_ref().is_some_and(is_strict);
    if !strict || subject.cluster().is_none_or(|cluster| cluster.instances != 1) {
        return Vec::new();
    }
    let message =
        "true with one instance: no commit could ever finish; give the cluster two instances or drop it";
    vec![Hit::new("spec.patroni.synchronous_mode_strict", message)]
}

pub(in super::super) fn enough_synchronous_nodes(subject: &Subject<'_>) -> Vec<Hit> {
    let (Some(patroni), Some(cluster)) = (subject.spec.patroni.as_ref(), subject.cluster()) else {
        return Vec::new();
    };
    let count = patroni.synchronous_node_count.unwrap_or_default();
    let replicas = u32::try_from(cluster.instances)
        .unwrap_or_default()
        .saturating_sub(1);
    if !cluster.patroni.synchronous_mode || cluster.instances == 0 || count <= replicas {
        return Vec::new();
    }
    let message = format!(
        "{count} is more than the {replicas} replicas of {} instances",
        cluster.instances
    );
    vec![Hit::new("spec.patroni.synchronous_node_count", message)]
}
