//! What of an object differs from what we want of it. Lives here: the comparison of one desired object with the one that is stored, by
//! meaning rather than by text. Must not: what is done about a difference (`plan`).
//!
//! What others add stays: fields that the API server fills in, labels and annotations, owners. What we decide is exact: the table in
//! [`place`] says of which fields an absent one means that it has to go, which lists have keys, and which texts are quantities. Of labels and
//! annotations Kubernetes knows who wrote them (`managedFields`): ours go when they are not wanted any more. The order of a list with keys does
//! not count.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::{Map, Value};

mod equal;
mod place;
mod stateful_set;
#[cfg(test)]
mod tests;

use place::{Fate, Place};
pub(crate) use stateful_set::{of_stateful_sets, respell};

/// A comparison's outcome.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Difference {
    /// From the stored object to the one that is wanted, with all that others added, in an order in which they can be applied. Never empty.
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
    let mut found = Difference::default();
    compare(desired, stored, &Place::root(kind, stored), &mut found);
    (!found.operations.is_empty()).then_some(found)
}

/// Adds what turns `stored` into `desired`.
fn compare(desired: &Value, stored: &Value, place: &Place<'_>, found: &mut Difference) {
    match (desired, stored) {
        (Value::Object(wanted), Value::Object(present)) if is_same_variable(wanted, present, place) => {}
        (Value::Object(wanted), Value::Object(present)) => compare_fields(wanted, present, place, found),
        (Value::Array(wanted), Value::Array(present)) => compare_items(wanted, present, place, found),
        _ if desired == stored || equal::scalars(desired, stored, place) => {}
        _ => found.operations.push(PatchOperation::Replace(ReplaceOperation {
            path: place.pointer(),
            value: desired.clone(),
        })),
    }
}

fn compare_fields(
    wanted: &Map<String, Value>,
    present: &Map<String, Value>,
    place: &Place<'_>,
    found: &mut Difference,
) {
    for (name, stored) in present {
        if let Some(value) = wanted.get(name) {
            compare(value, stored, &place.field(name), found);
            continue;
        }
        match (place.fate(name, stored), stored) {
            (Fate::Goes, _) => found.operations.push(remove(place.field(name).pointer())),
            (Fate::GoesInPart, Value::Object(parts)) => {
                compare_fields(&Map::new(), parts, &place.field(name), found);
            }
            (Fate::GoesInPart | Fate::Stays, _) => {}
        }
    }
    for (name, value) in wanted {
        if !equal::is_empty(value) && !present.contains_key(name) {
            found.operations.push(add(place.field(name).pointer(), value));
        }
    }
}

/// Changes first, then what goes, last one first, then what is new: so that no position shifts before it is used.
fn compare_items(wanted: &[Value], present: &[Value], place: &Place<'_>, found: &mut Difference) {
    let key = place.key();
    let mut strays = Vec::new();
    for (index, stored) in present.iter().enumerate() {
        match counterpart(wanted, index, stored, key) {
            Some(value) => compare(value, stored, &place.item(index), found),
            None if place.is_open() => {}
            None => strays.push(remove(place.item(index).pointer())),
        }
    }
    let left = present.len() - strays.len();
    found.operations.extend(strays.into_iter().rev());
    let new = wanted
        .iter()
        .enumerate()
        .filter(|(index, value)| counterpart(present, *index, value, key).is_none());
    for (number, (_, value)) in new.enumerate() {
        found
            .operations
            .push(add(place.item(left + number).pointer(), value));
    }
}

/// The item that stands for `item`, which is at `index` of the other list: with the same key, or where the list has none, at the same place.
fn counterpart<'a>(items: &'a [Value], index: usize, item: &Value, key: Option<&str>) -> Option<&'a Value> {
    let same_place = items.get(index);
    let Some(key) = key else {
        return same_place;
    };
    let wanted = item.get(key);
    let is_same = |other: &&Value| other.get(key) == wanted;
    // Mostly both lists are in the same order. Otherwise the last one, as Kubernetes reads variables.
    same_place
        .filter(is_same)
        .or_else(|| items.iter().rev().find(is_same))
}

fn remove(path: PointerBuf) -> PatchOperation {
    PatchOperation::Remove(RemoveOperation { path })
}

fn add(path: PointerBuf, value: &Value) -> PatchOperation {
    PatchOperation::Add(AddOperation {
        path,
        value: value.clone(),
    })
}

/// A variable whose value means the same is taken whole.
fn is_same_variable(wanted: &Map<String, Value>, found: &Map<String, Value>, place: &Place<'_>) -> bool {
    fn text<'a>(variable: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
        variable.get(field)?.as_str()
    }
    if !place.is_variable() {
        return false;
    }
    match (text(wanted, "name"), text(wanted, "value"), text(found, "value")) {
        (Some(name), Some(wanted), Some(found)) => equal::variables(name, wanted, found),
        _ => false,
    }
}
