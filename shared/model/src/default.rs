//! Defaults, of three classes: constants (the CRD's schema), what is decided once, at creation, and kept whatever the operator's
//! configuration becomes, and what follows the operator. Lives here: the table of the second and the patch, and the list of the third, whose
//! meaning is in `cluster`. Must not: constants.

use std::borrow::Cow;

use json_patch::{AddOperation, Patch, PatchOperation, jsonptr::PointerBuf};
use serde_json::{Map, Value};

use crate::config::OperatorConfig;

mod follows;
pub mod reference;

pub use follows::{FOLLOWS, Follows, How};

/// A field that is filled in when a manifest leaves it out.
#[derive(Debug, Clone, Copy)]
pub struct DecidedOnce {
    /// Its path from the object's root.
    pub path: &'static [&'static str],
    /// What it becomes, in words.
    pub becomes: &'static str,
    /// Why it is decided once.
    pub why: &'static str,
    /// The value for an object; none when the object does not say enough.
    value: fn(&Value, &OperatorConfig) -> Option<Value>,
}

/// All of them.
pub const TABLE: &[DecidedOnce] = &[
    DecidedOnce {
        path: &["spec", "teamId"],
        becomes: "the cluster's name up to its first dash",
        why: "It is a label on every object: another team relabels them all.",
        value: |object, _| Some(Value::from(team(name(object)?))),
    },
    DecidedOnce {
        path: &["spec", "numberOfInstances"],
        becomes: "2: a primary and a replica that can take over; fewer or more where `min_instances` and `max_instances` say so",
        why: "Members must not come or go because the operator's configuration changed.",
        value: |_, config| Some(Value::from(instances(config))),
    },
    DecidedOnce {
        path: &["spec", "postgresql", "version"],
        becomes: "the operator's `target_major_version`",
        why: "A newer target must not upgrade the clusters that exist.",
        value: |_, config| {
            Some(Value::from(
                config.major_version_upgrade.target_major_version.to_string(),
            ))
        },
    },
];

/// The team of a cluster that names none: its name up to the first dash.
pub fn team(cluster: &str) -> &str {
    cluster.split_once('-').map_or(cluster, |(team, _)| team)
}

/// The number of instances of a cluster that names none: a primary and a replica, within the operator's limits.
pub fn instances(config: &OperatorConfig) -> i32 {
    within_limits(2, config)
}

/// A number of instances between the operator's limits; a negative limit is none, and the lower one wins (zalando-behaviour 4.17).
pub fn within_limits(wanted: i32, config: &OperatorConfig) -> i32 {
    let (min, max) = (config.general.min_instances, config.general.max_instances);
    let capped = if max >= 0 { wanted.min(max) } else { wanted };
    if min >= 0 { capped.max(min) } else { capped }
}

/// What to add to a `postgresql` so that nothing of [`TABLE`] is missing. `old` is the stored object on an update: what it has is kept,
/// so that an apply without the field never changes a decision.
///
/// Works on raw JSON, so that fields which this program does not know survive. Only adds, never replaces or removes; null counts as absent.
/// None when nothing is missing, or when the object has a shape that is not understood: the API server's own error is better.
pub fn patch(new: &Value, old: Option<&Value>, config: &OperatorConfig) -> Option<Patch> {
    new.as_object()?;
    // Most objects are normal, and a copy costs more than a look.
    if TABLE.iter().all(|default| lookup(new, default.path).is_some()) {
        return None;
    }
    let mut known = new.clone();
    let mut operations = Vec::new();
    for default in TABLE {
        if lookup(new, default.path).is_some() {
            continue;
        }
        let kept = old.and_then(|old| lookup(old, default.path)).cloned();
        let Some(value) = kept.or_else(|| (default.value)(new, config)) else {
            continue;
        };
        if let Some(operation) = add(&mut known, default.path, value) {
            operations.push(PatchOperation::Add(operation));
        }
    }
    (!operations.is_empty()).then_some(Patch(operations))
}

/// The object with its defaults in place; as it is when nothing is missing.
pub fn complete<'a>(object: &'a Value, old: Option<&Value>, config: &OperatorConfig) -> Cow<'a, Value> {
    let Some(patch) = patch(object, old, config) else {
        return Cow::Borrowed(object);
    };
    let mut object = object.clone();
    // The operations were made for this very object; if one did not fit, the object stays as it is.
    let _ = json_patch::patch(&mut object, &patch.0);
    Cow::Owned(object)
}

/// The name, or what the API server will make it start with.
fn name(object: &Value) -> Option<&str> {
    let given = |field| {
        object
            .get("metadata")?
            .get(field)?
            .as_str()
            .filter(|name| !name.is_empty())
    };
    given("name").or_else(|| given("generateName"))
}

/// The value at a path; null counts as absent.
fn lookup<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter()
        .try_fold(object, |part, key| part.get(key))
        .filter(|value| !value.is_null())
}

/// One operation that sets `path`, with the objects on the way that are missing; `known` is kept in step, so that the next operation fits
/// behind this one. None where something on the way is no object.
fn add(known: &mut Value, path: &[&str], value: Value) -> Option<AddOperation> {
    let (last, parents) = path.split_last()?;
    let mut place = known;
    let mut tokens = Vec::new();
    for (depth, key) in parents.iter().enumerate() {
        tokens.push(*key);
        let fields = place.as_object_mut()?;
        if fields.get(*key).is_none_or(Value::is_null) {
            let nested = nest(&path[depth + 1..], value);
            fields.insert((*key).to_owned(), nested.clone());
            return Some(AddOperation {
                path: PointerBuf::from_tokens(tokens),
                value: nested,
            });
        }
        place = fields.get_mut(*key)?;
    }
    place.as_object_mut()?.insert((*last).to_owned(), value.clone());
    tokens.push(last);
    Some(AddOperation {
        path: PointerBuf::from_tokens(tokens),
        value,
    })
}

fn nest(path: &[&str], value: Value) -> Value {
    let wrap = |inner: Value, key: &&str| Value::Object(Map::from_iter([((*key).to_owned(), inner)]));
    path.iter().rev().fold(value, wrap)
}

#[cfg(test)]
pub(crate) mod tests;
