//! What of an object differs from what we want of it. Lives here: the comparison of one desired object with the one that is stored, by
//! meaning rather than by text. Must not: what is done about a difference (`plan`).
//!
//! What others add stays: fields that the API server fills in, labels and annotations, owners. What we decide is exact: the table in
//! [`place`] says of which fields an absent one means that it has to go, which lists have keys, and which texts are quantities. The order of
//! a list with keys does not count.

use json_patch::PatchOperation;
use serde_json::{Map, Value};

mod equal;
mod place;
#[cfg(test)]
mod tests;

use place::Place;

/// A comparison's outcome.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    /// What is wanted, in the stored object's spelling where both mean the same.
    pub settled: Value,
    /// From the stored object to the one that is wanted, with all that others added.
    pub operations: Vec<PatchOperation>,
}

impl Difference {
    /// Pointers of all operations, for people.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.operations
            .iter()
            .map(|operation| operation.path().to_string())
            .collect()
    }

    /// Something has to go that server-side apply may leave, because somebody else set it.
    pub(crate) fn removes(&self) -> bool {
        self.operations
            .iter()
            .any(|operation| matches!(operation, PatchOperation::Remove(_)))
    }
}

/// Compares an object of `kind`; none when nothing has to be done. Metadata that only the API server writes is not part of it.
pub(crate) fn difference(kind: &str, desired: &Value, stored: &Value) -> Option<Difference> {
    let place = Place::root(kind);
    let settled = settle(desired, stored, &place);
    let wanted = overlay(&settled, stored, &place);
    let operations = json_patch::diff(stored, &wanted).0;
    (!operations.is_empty()).then_some(Difference { settled, operations })
}

/// The desired value, spelled as the stored one wherever both mean the same.
fn settle(desired: &Value, stored: &Value, place: &Place) -> Value {
    match (desired, stored) {
        _ if desired == stored => stored.clone(),
        (Value::Object(wanted), Value::Object(found)) => {
            let field = |(name, value): (&String, &Value)| {
                let settled = match found.get(name) {
                    Some(stored) if stored == value => stored.clone(),
                    Some(stored) => settle(value, stored, &place.field(name)),
                    None => value.clone(),
                };
                (name.clone(), settled)
            };
            settle_variable(wanted, found, place)
                .unwrap_or_else(|| Value::Object(wanted.iter().map(field).collect()))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            let item = place.item();
            let settled = wanted.iter().enumerate().map(|(index, value)| {
                let stored = match place.key() {
                    Some(key) => find(found, key, value),
                    None => found.get(index),
                };
                stored.map_or_else(|| value.clone(), |stored| settle(value, stored, &item))
            });
            Value::Array(settled.collect())
        }
        _ if equal::scalars(desired, stored, place) => stored.clone(),
        _ => desired.clone(),
    }
}

/// A variable whose value means the same is taken whole.
fn settle_variable(wanted: &Map<String, Value>, found: &Map<String, Value>, place: &Place) -> Option<Value> {
    let value = |variable: &Map<String, Value>| variable.get("value")?.as_str().map(str::to_owned);
    let name = wanted.get("name")?.as_str()?;
    let is_same = place.is_variable() && equal::variables(name, &value(wanted)?, &value(found)?);
    is_same.then(|| Value::Object(found.clone()))
}

/// The stored value with the settled one laid over it, and without what must not be there.
fn overlay(settled: &Value, stored: &Value, place: &Place) -> Value {
    match (settled, stored) {
        _ if settled == stored => stored.clone(),
        (Value::Object(wanted), Value::Object(found)) => Value::Object(overlay_fields(wanted, found, place)),
        (Value::Array(wanted), Value::Array(found)) => Value::Array(match place.key() {
            Some(key) => overlay_keyed(wanted, found, key, place),
            None => overlay_ordered(wanted, found, place),
        }),
        _ => settled.clone(),
    }
}

fn overlay_fields(
    wanted: &Map<String, Value>,
    found: &Map<String, Value>,
    place: &Place,
) -> Map<String, Value> {
    let mut fields = Map::with_capacity(found.len());
    for (name, stored) in found {
        let laid = match wanted.get(name) {
            Some(value) if value == stored => stored.clone(),
            Some(value) => overlay(value, stored, &place.field(name)),
            None if place.decides(name) => continue,
            None => stored.clone(),
        };
        fields.insert(name.clone(), laid);
    }
    let new = wanted.iter().filter(|(name, _)| !found.contains_key(*name));
    fields.extend(
        new.filter(|(_, value)| !equal::is_empty(value))
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    fields
}

fn overlay_keyed(wanted: &[Value], found: &[Value], key: &str, place: &Place) -> Vec<Value> {
    let item = place.item();
    let mut items: Vec<Value> = found
        .iter()
        .filter_map(|stored| match find(wanted, key, stored) {
            Some(value) => Some(overlay(value, stored, &item)),
            None => place.is_open().then(|| stored.clone()),
        })
        .collect();
    items.extend(
        wanted
            .iter()
            .filter(|value| find(found, key, value).is_none())
            .cloned(),
    );
    items
}

fn overlay_ordered(wanted: &[Value], found: &[Value], place: &Place) -> Vec<Value> {
    let item = place.item();
    let laid = |(index, value): (usize, &Value)| match found.get(index) {
        Some(stored) => overlay(value, stored, &item),
        None => value.clone(),
    };
    wanted.iter().enumerate().map(laid).collect()
}

/// The item with the same key. The last one, as Kubernetes reads variables.
fn find<'a>(items: &'a [Value], key: &str, like: &Value) -> Option<&'a Value> {
    items.iter().rev().find(|item| item.get(key) == like.get(key))
}
