//! Objects of any type by their JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) fn to_value<T: Serialize>(object: &T) -> Value {
    serde_json::to_value(object).unwrap()
}

pub(super) fn from_value<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

pub(super) fn named<T: Serialize>(objects: &[T], name: &str) -> Option<Value> {
    objects
        .iter()
        .map(to_value)
        .find(|value| value["metadata"]["name"] == name)
}

pub(super) fn replace<T: Serialize + DeserializeOwned>(
    objects: &mut Vec<T>,
    name: &str,
    value: Option<Value>,
) {
    objects.retain(|object| to_value(object)["metadata"]["name"] != name);
    objects.extend(value.map(from_value::<T>));
}
