//! What the manifest set in Patroni's configuration and names no more. Lives here: telling that from what others set with patronictl, and what
//! takes its place. Must not: what the manifest says now (the parent).
//!
//! Remembered are places, in the status, so that an edit made while no operator ran counts too. What Zalando's operator left behind before
//! the takeover was never seen in a manifest, and stays.

use std::collections::BTreeSet;

use pgherd_model::api::postgresql::Postgresql;
use pgherd_model::cluster::{Cluster, Origin};
use pgherd_model::config::OperatorConfig;
use pgherd_model::postgres_parameters::{image_default, same_value};
use serde_json::{Map, Value};

use super::{MAXIMUM_LAG, PARAMETERS, PG_HBA, POSTGRESQL, SLOTS, STANDBY, settings, text, wanted};
use crate::observed::Observed;
use crate::plan::Mode;
use crate::redact::HIDDEN;

/// With less of these a server does not start any more that has logical slots, many slots, or prepared transactions. Whoever wants less says
/// how much.
const KEPT: [&str; 3] = ["max_prepared_transactions", "max_replication_slots", "wal_level"];

/// Patroni's default is smaller than what the image begins with.
pub(crate) const IMAGES_LAG: u64 = 33_554_432;

/// It leaves the manifest, and stays in Patroni.
pub(crate) fn is_kept(parameter: &str) -> bool {
    KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(parameter))
}

/// Places that the manifest sets, as pointers. The switches are not among them: the manifest sets them whether it names them or not.
pub(crate) fn claimed(cluster: &Cluster) -> BTreeSet<String> {
    let parameters = wanted(cluster).map(|(name, _)| name);
    let parameters = parameters.filter(|name| !is_kept(name));
    let mut places: BTreeSet<String> = parameters
        .map(|name| format!("/{POSTGRESQL}/{PARAMETERS}/{name}"))
        .collect();
    let numbers = settings(cluster);
    let numbers = numbers.iter().filter(|(_, value)| value.is_number());
    places.extend(numbers.map(|(name, _)| format!("/{name}")));
    if !cluster.postgres.pg_hba.is_empty() {
        places.insert(format!("/{POSTGRESQL}/{PG_HBA}"));
    }
    let slots = cluster.patroni.slots.keys();
    places.extend(slots.map(|slot| format!("/{SLOTS}/{slot}")));
    if let Origin::Standby(standby) = &cluster.origin {
        places.insert(format!("/{STANDBY}"));
        let named = super::standby::named(standby).into_iter();
        let named = named.filter(|(_, value)| value.is_some());
        places.extend(named.map(|(name, _)| format!("/{STANDBY}/{name}")));
    }
    places
}

/// What to remember. What left stays remembered until Patroni shows it no more. Who only looks has set nothing.
pub(crate) fn remember(
    cluster: &Cluster,
    observed: &Observed,
    config: &OperatorConfig,
) -> Option<BTreeSet<String>> {
    let previous = observed.cluster.status.patroni_settings.as_ref();
    if Mode::of(&observed.cluster, config) != Mode::Live {
        return previous.cloned();
    }
    let mut places = claimed(cluster);
    match super::known_configuration(observed) {
        Some(found) => places.extend(
            leaving(cluster, observed, config, found)
                .into_iter()
                .map(|(place, _)| place),
        ),
        None => places.extend(previous.into_iter().flatten().cloned()),
    }
    (!places.is_empty()).then_some(places)
}

/// Places that the manifest set, names no more, and that Patroni still has, each with what comes back there; null: nothing. What was changed
/// since by somebody else is theirs.
pub(super) fn leaving(
    cluster: &Cluster,
    observed: &Observed,
    config: &OperatorConfig,
    found: &Map<String, Value>,
) -> Vec<(String, Value)> {
    let Some(previous) = &observed.cluster.status.patroni_settings else {
        return Vec::new();
    };
    let claimed = claimed(cluster);
    let mut left: Vec<(String, Value, &Value)> = previous
        .difference(&claimed)
        .filter_map(|place| {
            let value = find(found, place)?;
            let back = default(place);
            (!is_same(cluster, place, value, &back)).then(|| (place.clone(), back, value))
        })
        .collect();
    if !left.is_empty() {
        let last = last_settings(cluster, observed, config);
        left.retain(|(place, _, value)| {
            let ours = last.as_ref().and_then(|last| find(last, place));
            ours.is_none_or(|ours| value.is_object() || is_same(cluster, place, value, ours))
        });
    }
    left.into_iter().map(|(place, back, _)| (place, back)).collect()
}

/// What the last manifest that had a meaning set.
fn last_settings(
    cluster: &Cluster,
    observed: &Observed,
    config: &OperatorConfig,
) -> Option<Map<String, Value>> {
    let spec = observed.cluster.status.last_good_spec.as_deref()?;
    let mut raw = Postgresql::new(&cluster.identity.name, spec.clone());
    raw.metadata.namespace = Some(cluster.identity.namespace.clone());
    let last = Cluster::parse(&raw, config).ok()?;
    Some(super::patch(&last, &Map::new()))
}

/// The same value there; a printed snapshot that was read back says nothing of it.
fn is_same(cluster: &Cluster, place: &str, found: &Value, other: &Value) -> bool {
    match steps(place).as_slice() {
        _ if found == HIDDEN || found == other => true,
        [POSTGRESQL, PARAMETERS, name] if !other.is_null() => {
            same_value(name, cluster.version, &text(found), &text(other))
        }
        _ => false,
    }
}

/// What the image begins with, so that a cluster is as one that was made without the setting.
fn default(place: &str) -> Value {
    match steps(place).as_slice() {
        [POSTGRESQL, PARAMETERS, name] => image_default(name).map_or(Value::Null, Value::from),
        [MAXIMUM_LAG] => Value::from(IMAGES_LAG),
        _ => Value::Null,
    }
}

/// Names of parameters and slots are taken as they are.
fn steps(place: &str) -> Vec<&str> {
    let place = place.trim_start_matches('/');
    let parameter = place.strip_prefix(POSTGRESQL).and_then(|rest| {
        rest.strip_prefix('/')?
            .strip_prefix(PARAMETERS)?
            .strip_prefix('/')
    });
    match parameter {
        Some(name) => vec![POSTGRESQL, PARAMETERS, name],
        None => place.splitn(2, '/').collect(),
    }
}

fn find<'a>(config: &'a Map<String, Value>, place: &str) -> Option<&'a Value> {
    let steps = steps(place);
    let (first, rest) = steps.split_first()?;
    let mut steps = rest.iter();
    let found = steps.try_fold(config.get(*first)?, |value, step| value.get(step));
    found.filter(|value| !value.is_null())
}

/// Puts a value into a patch; not below one that takes the whole away.
pub(super) fn insert(patch: &mut Map<String, Value>, place: &str, value: Value) {
    let steps = steps(place);
    let Some((last, parents)) = steps.split_last() else {
        return;
    };
    let mut part = patch;
    for step in parents {
        let inner = part.entry(*step).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else { return };
        part = inner;
    }
    part.insert((*last).to_owned(), value);
}
