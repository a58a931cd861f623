//! What the stored object already broke never blocks a change. Lives here: which of the places where rules are broken are the old ones.
//!
//! The same place is the same path, but for lists: something put in before an item moves it, and it is still the same item. An item goes by
//! its name, or by what it is.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Found;

/// The rules and paths among `found` that the stored object broke already. Each old place excuses one new one.
pub(super) fn excused(
    found: &Found,
    new: &Value,
    stored: &Found,
    old: &Value,
) -> BTreeSet<(&'static str, String)> {
    let places = |found: &Found| -> BTreeSet<(&'static str, String)> {
        found
            .iter()
            .map(|(rule, hit)| (rule.id, hit.path.clone()))
            .collect()
    };
    let mut known: Vec<_> = places(stored)
        .into_iter()
        .map(|(rule, path)| (rule, identity(old, &path), path))
        .collect();
    let mut take = |wanted: &dyn Fn(&(&'static str, String, String)) -> bool| {
        let at = known.iter().position(wanted);
        at.map(|at| known.swap_remove(at)).is_some()
    };
    let (mut excused, mut others) = (BTreeSet::new(), Vec::new());
    for (rule, path) in places(found) {
        let item = identity(new, &path);
        if take(&|old| old.0 == rule && old.1 == item) {
            excused.insert((rule, path));
        } else {
            others.push((rule, path));
        }
    }
    others.retain(|(rule, path)| take(&|old| old.0 == *rule && old.2 == *path));
    excused.extend(others);
    excused
}

/// The path with names, or whole values, of items in the place of their numbers.
fn identity(object: &Value, path: &str) -> String {
    if !path.contains('[') {
        return path.to_owned();
    }
    let (mut known, mut at, mut rest) = (String::new(), object, path);
    while let Some((step, next, remaining)) = step(at, rest) {
        known.push_str(&step);
        (at, rest) = (next, remaining);
    }
    known + rest
}

/// One step down a path: what it is called, where it leads, and what is left of the path. None where the path leaves the object.
fn step<'v, 'p>(at: &'v Value, path: &'p str) -> Option<(String, &'v Value, &'p str)> {
    match at {
        Value::Array(items) => {
            let (number, rest) = path.strip_prefix('[')?.split_once(']')?;
            let item = items.get(number.parse::<usize>().ok()?)?;
            let name = item.get("name").and_then(Value::as_str);
            let name = name.filter(|name| !name.is_empty());
            let called = name.map_or_else(|| item.to_string(), str::to_owned);
            Some((format!("[{called}]"), item, rest))
        }
        Value::Object(fields) => {
            let path = path.strip_prefix('.').unwrap_or(path);
            // Keys may contain dots: the longest that fits is meant.
            let (key, value) = fields
                .iter()
                .filter(|(key, value)| is_step(path, key) && !gives_way(key, value))
                .max_by_key(|(key, _)| key.len())
                .or_else(|| fields.iter().find(|(key, _)| is_old_name(path, key)))?;
            let length = if path.starts_with(key.as_str()) {
                key.len()
            } else {
                INIT_CONTAINERS.len()
            };
            Some((format!(".{}", &path[..length]), value, &path[length..]))
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
pub(super) fn top_field(path: &str) -> Option<(String, String)> {
    let (part, rest) = path.split_once('.')?;
    let field = rest.split(['.', '[']).next()?;
    (!part.is_empty() && !field.is_empty()).then(|| (part.to_owned(), field.to_owned()))
}

/// Gives `object` the field as `from` has it.
pub(super) fn take_over(object: &mut Value, from: &Value, part: &str, field: &str) {
    let Some(fields) = object.get_mut(part).and_then(Value::as_object_mut) else {
        return;
    };
    match from.get(part).and_then(|part| part.get(field)) {
        Some(value) => fields.insert(field.to_owned(), value.clone()),
        None => fields.remove(field),
    };
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
