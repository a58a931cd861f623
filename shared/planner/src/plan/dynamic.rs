//! Patroni's dynamic configuration (zalando-behaviour 4.7): what the manifest says and Patroni does not, and whether it will cost a restart.
//! The change itself only reloads; what then waits for a restart is planned elsewhere. What the manifest set and names no more is taken back;
//! what it never named stays as somebody set it with patronictl, and so does another spelling of the same value.

use pgherd_model::cluster::{Cluster, Origin};
use pgherd_model::config::OperatorConfig;
use pgherd_model::postgres_parameters::{Owner, owner, patroni_default, restarts, same_value};
use serde_json::{Map, Value, json};

use super::{Action, Impact, Plan, Precondition, Reason, Step};
use crate::observed::Observed;
use crate::redact::HIDDEN;

mod ours;
mod standby;

pub(crate) use ours::{IMAGES_LAG, claimed, is_kept, remember};

const POSTGRESQL: &str = "postgresql";
const PARAMETERS: &str = "parameters";
const PG_HBA: &str = "pg_hba";
const MAXIMUM_LAG: &str = "maximum_lag_on_failover";
const SLOTS: &str = "slots";
const STANDBY: &str = "standby_cluster";
const WAL_LEVEL: &str = "wal_level";

pub(super) fn ensure(cluster: &Cluster, observed: &Observed, operator: &OperatorConfig, plan: &mut Plan) {
    let (Some(view), Some(config)) = (observed.patroni.known(), known_configuration(observed)) else {
        return;
    };
    let mut patch = patch(cluster, config);
    for (place, value) in ours::leaving(cluster, observed, operator, config) {
        ours::insert(&mut patch, &place, value);
    }
    standby::ensure(cluster, view, is_promotion(&patch), plan);
    if patch.is_empty() {
        return;
    }
    let restarting = restarting(cluster, config, &patch);
    plan.steps.push(Step {
        reason: Reason::Differs(paths(&patch, &restarting)),
        action: Action::PatchPatroni(Value::Object(patch)),
        impact: if restarting.is_empty() {
            Impact::Reload
        } else {
            Impact::PrimaryRestart
        },
        precondition: Precondition::None,
    });
}

/// None before the cluster is made: the image's first configuration is on its way, and holds the same.
fn known_configuration(observed: &Observed) -> Option<&Map<String, Value>> {
    let config = observed.patroni.known()?.config.as_object()?;
    (!config.is_empty()).then_some(config)
}

fn is_promotion(patch: &Map<String, Value>) -> bool {
    patch.get(STANDBY).is_some_and(Value::is_null)
}

/// Makes a cluster that follows another one a primary of its own.
pub(crate) fn promotes(action: &Action) -> bool {
    matches!(action, Action::PatchPatroni(Value::Object(patch)) if is_promotion(patch))
}

/// The parameters of a patch that take effect when Postgres starts again.
fn restarting(cluster: &Cluster, config: &Map<String, Value>, patch: &Map<String, Value>) -> Vec<String> {
    let version = cluster.version;
    let found = parameters(config);
    let is_default = |name: &str, value: &str| {
        let is_set = found.is_some_and(|found| found.contains_key(name));
        !is_set && patroni_default(name).is_some_and(|default| same_value(name, version, default, value))
    };
    // Taken away: Patroni's own value counts then.
    let is_in_force = |name: &str, value: &Value| match value {
        Value::Null => {
            let found = found.and_then(|found| found.get(name)).map(text);
            found.is_some_and(|found| {
                patroni_default(name).is_some_and(|default| same_value(name, version, default, &found))
            })
        }
        value => is_default(name, &text(value)),
    };
    let changed = parameters(patch).into_iter().flatten();
    changed
        .filter(|(name, _)| restarts(name, version) && owner(name) != Owner::Patroni)
        .filter(|(name, value)| !is_in_force(name, value))
        .map(|(name, _)| name.clone())
        .collect()
}

fn parameters(config: &Map<String, Value>) -> Option<&Map<String, Value>> {
    config.get(POSTGRESQL)?.get(PARAMETERS)?.as_object()
}

/// What a patch changes, place by place, the parameters that need a restart first.
fn paths(patch: &Map<String, Value>, restarting: &[String]) -> Vec<String> {
    let parameters = parameters(patch).into_iter().flat_map(Map::keys);
    let others = parameters.filter(|name| !restarting.contains(name));
    let named = restarting.iter().chain(others);
    let mut paths: Vec<String> = named
        .map(|name| format!("/{POSTGRESQL}/{PARAMETERS}/{name}"))
        .collect();
    let rest = patch.get(POSTGRESQL).and_then(Value::as_object);
    let rest = rest
        .into_iter()
        .flat_map(Map::keys)
        .filter(|key| *key != PARAMETERS);
    paths.extend(rest.map(|key| format!("/{POSTGRESQL}/{key}")));
    let top = patch.keys().filter(|key| *key != POSTGRESQL);
    paths.extend(top.map(|key| format!("/{key}")));
    paths
}

/// All that the manifest says: the configuration after which nothing more is wanted.
pub(crate) fn settled(cluster: &Cluster) -> Value {
    let mut config = Map::new();
    if matches!(cluster.origin, Origin::Standby(_)) {
        config.insert(STANDBY.to_owned(), json!({}));
    }
    Value::Object(patch(cluster, &config))
}

fn patch(cluster: &Cluster, config: &Map<String, Value>) -> Map<String, Value> {
    let mut patch: Map<String, Value> = settings(cluster)
        .into_iter()
        .filter(|(key, value)| differs(config.get(key), value))
        .collect();
    let slots = slots(cluster, config);
    if !slots.is_empty() {
        patch.insert(SLOTS.to_owned(), Value::Object(slots));
    }
    let standby = standby::section(cluster, config);
    if !standby.is_empty() {
        patch.insert(STANDBY.to_owned(), Value::Object(standby));
    }
    let postgresql = postgresql(cluster, config.get(POSTGRESQL));
    if !postgresql.is_empty() {
        patch.insert(POSTGRESQL.to_owned(), Value::Object(postgresql));
    }
    patch
}

/// The switches are the manifest's whether it names them or not; numbers only when it does.
fn settings(cluster: &Cluster) -> Map<String, Value> {
    let patroni = &cluster.patroni;
    let number = |number: Option<std::num::NonZeroU32>| number.map(|number| Value::from(number.get()));
    [
        ("ttl", number(patroni.ttl)),
        ("loop_wait", number(patroni.loop_wait)),
        ("retry_timeout", number(patroni.retry_timeout)),
        (MAXIMUM_LAG, patroni.maximum_lag_on_failover.map(Value::from)),
        ("synchronous_mode", Some(Value::from(patroni.synchronous_mode))),
        (
            "synchronous_mode_strict",
            Some(Value::from(patroni.synchronous_mode_strict)),
        ),
        ("synchronous_node_count", number(patroni.synchronous_node_count)),
        ("failsafe_mode", Some(Value::from(patroni.failsafe_mode))),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect()
}

/// An absent switch is off.
fn differs(found: Option<&Value>, wanted: &Value) -> bool {
    match (found, wanted) {
        (None | Some(Value::Null), Value::Bool(false)) => false,
        (found, wanted) => found != Some(wanted),
    }
}

/// Slots of the manifest that are missing or different. Others are somebody else's.
fn slots(cluster: &Cluster, config: &Map<String, Value>) -> Map<String, Value> {
    let found = config.get(SLOTS);
    let wanted = cluster
        .patroni
        .slots
        .iter()
        .map(|(name, slot)| (name.clone(), json!(slot)));
    wanted
        .filter(|(name, slot)| found.and_then(|slots| slots.get(name)) != Some(slot))
        .collect()
}

/// The manifest's parameters, and what its streams need, whatever the manifest says (zalando-behaviour 4.14). Without streams the level of the
/// WAL is the manifest's again; where that does not name it, it stays.
pub(crate) fn wanted(cluster: &Cluster) -> impl Iterator<Item = (&str, &str)> {
    let level = (!cluster.streams.is_empty()).then_some((WAL_LEVEL, "logical"));
    let named = cluster.postgres.dynamic_parameters.iter();
    let named = named.map(|(name, value)| (name.as_str(), value.as_str()));
    named
        .filter(move |(name, _)| level.is_none() || *name != WAL_LEVEL)
        .chain(level)
}

fn postgresql(cluster: &Cluster, found: Option<&Value>) -> Map<String, Value> {
    let found = |key: &str| found.and_then(|part| part.get(key));
    let mut part = Map::new();
    let postgres = &cluster.postgres;
    let set = found(PARAMETERS);
    let parameters: Map<String, Value> = wanted(cluster)
        .filter(|(name, value)| {
            let set = set.and_then(|set| set.get(*name)).map(text);
            // A printed snapshot that was read back says nothing of it.
            !set.is_some_and(|set| set == HIDDEN || same_value(name, cluster.version, &set, value))
        })
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    if !parameters.is_empty() {
        part.insert(PARAMETERS.to_owned(), Value::Object(parameters));
    }
    if !postgres.pg_hba.is_empty() && !same_lines(&postgres.pg_hba, found(PG_HBA)) {
        part.insert(PG_HBA.to_owned(), json!(postgres.pg_hba));
    }
    part
}

/// A line may hold a password: a printed snapshot that was read back says nothing of it.
fn same_lines(wanted: &[String], found: Option<&Value>) -> bool {
    let found = found.and_then(Value::as_array);
    found.is_some_and(|found| {
        let mut pairs = wanted.iter().zip(found);
        found.len() == wanted.len() && pairs.all(|(line, found)| found == line || found == HIDDEN)
    })
}

/// Patroni keeps parameters in whatever type they were given.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
