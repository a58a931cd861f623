//! An object without `managedFields`. Which manager set which field is a quarter of what an API server sends, and no rule asks for it.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

const METADATA: &str = "metadata";
const MANAGED_FIELDS: &str = "managedFields";

/// The object; whatever else it is stays as it is.
pub(super) fn read(text: &RawValue) -> Result<Value, serde_json::Error> {
    let text = text.get();
    if text.starts_with('{') {
        let mut reader = serde_json::Deserializer::from_str(text);
        return Depth::Object.deserialize(&mut reader);
    }
    serde_json::from_str(text)
}

/// Whose fields are read.
#[derive(Clone, Copy)]
enum Depth {
    Object,
    Metadata,
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = match self {
                Self::Metadata if name == MANAGED_FIELDS => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
                Self::Object if name == METADATA => {
                    metadata(fields.next_value()?).map_err(serde::de::Error::custom)?
                }
                _ => fields.next_value()?,
            };
            kept.insert(name, value);
        }
        Ok(Value::Object(kept))
    }
}

/// Metadata of a wrong type is for the rules to find.
fn metadata(text: &RawValue) -> Result<Value, serde_json::Error> {
    if text.get().starts_with('{') {
        let mut reader = serde_json::Deserializer::from_str(text.get());
        return Depth::Metadata.deserialize(&mut reader);
    }
    serde_json::from_str(text.get())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_managers_of_the_object_itself_are_left_out() {
        let text = |managers: &str| {
            format!(
                r#"{{"metadata":{{"name":"a"{managers},"labels":{{"managedFields":"b"}}}},"spec":{{"managedFields":[1],"metadata":{{"managedFields":2}}}}}}"#
            )
        };
        let read = |text: &str| super::read(&RawValue::from_string(text.to_owned()).unwrap()).unwrap();
        let slim = read(&text(
            r#","managedFields":[{"manager":"kubectl","fieldsV1":{"f:spec":{}}}]"#,
        ));
        let whole: Value = serde_json::from_str(&text("")).unwrap();
        assert_eq!(slim.to_string(), whole.to_string(), "in the same order");
    }

    #[test]
    fn whatever_is_there_is_read() {
        for value in [
            json!(null),
            json!([{"metadata": 1}]),
            json!("x"),
            json!({"metadata": []}),
            json!({"metadata": null}),
        ] {
            let text = RawValue::from_string(value.to_string()).unwrap();
            assert_eq!(read(&text).unwrap(), value);
        }
    }
}
