//! What the stored object already broke never blocks a change, nor does a field that stays as it is while what it names goes away. Lives here:
//! which of the places where rules are broken are such.
//!
//! The same place is the same path, but for lists: something put in before an item moves it, and it is still the same item. An item goes by
//! its name, or by what it is.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Check, Found, Rule, When};

/// A rule, and the path where it is broken.
pub(super) type Place = (&'static str, String);

/// Places that do not block.
#[derive(Debug, Default)]
pub(super) struct Excuses {
    /// The stored object broke the rule there, too.
    pub(super) known: BTreeSet<Place>,
    /// The field is as it is stored, and names what has gone.
    pub(super) untouched: BTreeSet<Place>,
}

/// A place where the stored object breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Broken {
    rule: &'static str,
    /// The path with names, or whole values, of items in the place of their numbers.
    item: String,
    path: String,
}

impl Broken {
    /// All that was found in an object.
    pub(super) fn all(found: &Found, object: &Value) -> BTreeSet<Self> {
        let broken = |rule: &Rule, path: &str| Self {
            rule: rule.id,
            item: identity(object, path),
            path: path.to_owned(),
        };
        found.iter().map(|(rule, hit)| broken(rule, &hit.path)).collect()
    }
}

/// What among `found` does not block. Each place that is broken already excuses one.
pub(super) fn excused(found: &Found, new: &Value, stored: BTreeSet<Broken>, old: &Value) -> Excuses {
    let mut stored: Vec<Broken> = stored.into_iter().collect();
    let mut take = |wanted: &dyn Fn(&Broken) -> bool| {
        let at = stored.iter().position(wanted);
        at.map(|at| stored.swap_remove(at)).is_some()
    };
    let (mut excuses, mut others) = (Excuses::default(), Vec::new());
    for Broken { rule, item, path } in Broken::all(found, new) {
        if take(&|old| old.rule == rule && old.item == item) {
            excuses.known.insert((rule, path));
        } else {
            others.push((rule, path));
        }
    }
    others.retain(|(rule, path)| take(&|old| old.rule == *rule && old.path == *path));
    excuses.known.extend(others);
    let naming = found.iter().filter(|(rule, _)| rule.when == When::Naming);
    let untouched = naming.filter(|(_, hit)| is_untouched(&hit.path, new, old));
    excuses.untouched = untouched.map(|(rule, hit)| (rule.id, hit.path.clone())).collect();
    excuses
}

/// Looks at an object that hides its mistakes behind others are made so many times. A mistake of this kind can only be stored where the
/// schema was another one.
const MOST_LOOKS: usize = 32;

/// What the stored object breaks. Where that keeps it from being read at all, it is looked at once more with what `new` has in the places that
/// are to blame: mending one mistake must not bring forth another that was hidden behind it.
pub(super) fn broken(old: &Value, new: &Value, look: impl Fn(&Value) -> Found) -> BTreeSet<Broken> {
    let mut found = look(old);
    let mut all = Broken::all(&found, old);
    let (mut mended, mut given) = (old.clone(), Vec::new());
    for _ in 0..MOST_LOOKS {
        let hides = |rule: &Rule| matches!(rule.check, Check::Decode | Check::Parse);
        let to_blame = found.iter().filter(|(rule, _)| hides(rule));
        let to_blame: BTreeSet<Vec<Key>> = to_blame.map(|(_, hit)| way(&mended, &hit.path)).collect();
        let mut changes = false;
        // The last item of a list first: those before it keep their numbers.
        for way in to_blame.iter().rev() {
            changes |= mend(&mut mended, new, way, &mut given);
        }
        if !changes {
            break;
        }
        found = look(&mended);
        // What came from the new object is no old mistake.
        found.retain(|(_, hit)| {
            let way = way(&mended, &hit.path);
            !given.iter().any(|given| way.starts_with(given))
        });
        all.extend(Broken::all(&found, &mended));
    }
    all
}

/// Gives `object` what `from` has in a place, or takes away whatever of the way there `from` has not. Whether this changed anything; `given`
/// are the places that now hold values of `from`.
fn mend(object: &mut Value, from: &Value, way: &[Key], given: &mut Vec<Vec<Key>>) -> bool {
    let theirs = |length: &usize| counterpart(from, object, &way[..*length]);
    let length = (0..way.len()).find(|length| theirs(length).is_none());
    let way = &way[..length.unwrap_or(way.len())];
    let value = counterpart(from, object, way).cloned();
    let is_given = value.is_some() && put(object, way, value);
    if is_given {
        given.push(way.to_vec());
        return true;
    }
    // The new object has the same mistake, or nothing there. Others may hide behind it: which one is found first hangs on the order of fields.
    if !put(object, way, None) {
        return false;
    }
    if let Some((Key::Item(gone), list)) = way.split_last() {
        for way in given.iter_mut().filter(|way| way.starts_with(list)) {
            if let Some(Key::Item(number)) = way.get_mut(list.len()).filter(|key| **key > Key::Item(*gone)) {
                *number -= 1;
            }
        }
    }
    true
}

fn put(object: &mut Value, way: &[Key], value: Option<Value>) -> bool {
    let Some((last, before)) = way.split_last() else {
        return value.is_some_and(|value| std::mem::replace(object, value.clone()) != value);
    };
    let place = before.iter().try_fold(object, |at, key| match key {
        Key::Field(name) => at.get_mut(name),
        Key::Item(number) => at.get_mut(number),
    });
    match (place, last, value) {
        (Some(Value::Object(fields)), Key::Field(name), Some(value)) => {
            fields.insert(name.clone(), value.clone()) != Some(value)
        }
        (Some(Value::Object(fields)), Key::Field(name), None) => fields.remove(name).is_some(),
        (Some(Value::Array(items)), Key::Item(number), Some(value)) if *number < items.len() => {
            std::mem::replace(&mut items[*number], value.clone()) != value
        }
        (Some(Value::Array(items)), Key::Item(number), None) if *number < items.len() => {
            items.remove(*number);
            true
        }
        _ => false,
    }
}

/// A field that is the same in both objects.
fn is_untouched(path: &str, new: &Value, old: &Value) -> bool {
    let way = way(new, path);
    let value = counterpart(new, new, &way);
    value.is_some() && value == counterpart(old, new, &way)
}

/// What `from` has in the place that `way` leads to in `object`.
fn counterpart<'v>(from: &'v Value, object: &Value, way: &[Key]) -> Option<&'v Value> {
    let (mut theirs, mut ours) = (from, Some(object));
    for key in way {
        theirs = match key {
            Key::Field(name) => theirs.get(name)?,
            Key::Item(number) => same_item(theirs.as_array()?, ours?.as_array()?, *number)?,
        };
        ours = ours.and_then(|ours| match key {
            Key::Field(name) => ours.get(name),
            Key::Item(number) => ours.get(number),
        });
    }
    Some(theirs)
}

/// The item of `list` that the item of another one with this number is: by name, or by what it is, or by its place.
fn same_item<'v>(list: &'v [Value], other: &[Value], number: usize) -> Option<&'v Value> {
    let item = other.get(number)?;
    if let Some(name) = name(item) {
        return list.iter().find(|item| self::name(item) == Some(name));
    }
    let in_place = || {
        list.get(number)
            .filter(|item| list.len() == other.len() && name(item).is_none())
    };
    list.iter().find(|same| *same == item).or_else(in_place)
}

/// What an item goes by.
fn name(item: &Value) -> Option<&str> {
    item.get("name")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
}

/// A step into an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Field(String),
    Item(usize),
}

/// The steps of a path, as far as it leads into the object; a field that is missing there is the last one.
fn way(object: &Value, path: &str) -> Vec<Key> {
    let (mut way, mut at, mut rest) = (Vec::new(), object, path);
    while let Some(step) = step(at, rest) {
        way.push(step.key);
        (at, rest) = (step.next, step.rest);
    }
    let missing = rest.strip_prefix('.').unwrap_or(rest);
    if at.is_object() && !missing.is_empty() && !missing.contains(['.', '[']) {
        way.push(Key::Field(missing.to_owned()));
    }
    way
}

/// The path with names, or whole values, of items in the place of their numbers.
fn identity(object: &Value, path: &str) -> String {
    if !path.contains('[') {
        return path.to_owned();
    }
    let (mut known, mut at, mut rest) = (String::new(), object, path);
    while let Some(step) = step(at, rest) {
        known.push_str(&step.called);
        (at, rest) = (step.next, step.rest);
    }
    known + rest
}

/// One step down a path: what it is called, where it leads, and what is left of the path.
struct Step<'v, 'p> {
    key: Key,
    called: String,
    next: &'v Value,
    rest: &'p str,
}

/// None where the path leaves the object.
fn step<'v, 'p>(at: &'v Value, path: &'p str) -> Option<Step<'v, 'p>> {
    match at {
        Value::Array(items) => {
            let (number, rest) = path.strip_prefix('[')?.split_once(']')?;
            let number = number.parse::<usize>().ok()?;
            let next = items.get(number)?;
            let called = name(next).map_or_else(|| next.to_string(), str::to_owned);
            Some(Step {
                key: Key::Item(number),
                called: format!("[{called}]"),
                next,
                rest,
            })
        }
        Value::Object(fields) => {
            let path = path.strip_prefix('.').unwrap_or(path);
            // Keys may contain dots: the longest that fits is meant.
            let (key, next) = fields
                .iter()
                .filter(|(key, value)| is_step(path, key) && !gives_way(key, value))
                .max_by_key(|(key, _)| key.len())
                .or_else(|| fields.iter().find(|(key, _)| is_old_name(path, key)))?;
            let length = if path.starts_with(key.as_str()) {
                key.len()
            } else {
                INIT_CONTAINERS.len()
            };
            Some(Step {
                key: Key::Field(key.clone()),
                called: format!(".{}", &path[..length]),
                next,
                rest: &path[length..],
            })
        }
        _ => None,
    }
}

fn is_step(path: &str, key: &str) -> bool {
    !key.is_empty()
        && path
            .strip_prefix(key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The only list that has an old name too; rules speak of the new one.
const INIT_CONTAINERS: &str = "initContainers";

/// An empty list under the new name leaves the word to the old one.
fn gives_way(key: &str, value: &Value) -> bool {
    key == INIT_CONTAINERS && value.as_array().is_some_and(Vec::is_empty)
}

fn is_old_name(path: &str, key: &str) -> bool {
    key == "init_containers" && is_step(path, INIT_CONTAINERS)
}

/// The part of an object and the field in it that a path leads into, as `spec` and `users` of `spec.users.a`.
#[cfg(test)]
pub(super) fn top_field(path: &str) -> Option<(String, String)> {
    let (part, rest) = path.split_once('.')?;
    let field = rest.split(['.', '[']).next()?;
    (!part.is_empty() && !field.is_empty()).then(|| (part.to_owned(), field.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::identity;

    #[test]
    fn items_go_by_name_or_by_value() {
        let object = json!({"spec": {
            "sidecars": [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 1}]}],
            "init_containers": [{"name": "old"}],
            "allowedSourceRanges": ["10.0.0.0/8", "x"],
            "users": {"a.b": ["login"]},
        }});
        for (path, expected) in [
            ("spec.sidecars[1].name", ".spec.sidecars[b].name"),
            (
                "spec.sidecars[1].ports[0].name",
                ".spec.sidecars[b].ports[{\"containerPort\":1}].name",
            ),
            ("spec.sidecars[7].name", ".spec.sidecars[7].name"),
            ("spec.initContainers[0].image", ".spec.initContainers[old].image"),
            ("spec.allowedSourceRanges[1]", ".spec.allowedSourceRanges[\"x\"]"),
            ("spec.users.a.b[0]", ".spec.users.a.b[\"login\"]"),
            ("spec.users.Bad", "spec.users.Bad"),
        ] {
            assert_eq!(identity(&object, path), expected);
        }
    }
}
