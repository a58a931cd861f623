//! A Kubernetes object of any kind, kept as the text that it came as: of its parts only the metadata is decoded. A leaf. Must not: be printed; it
//! may be a secret.
//!
//! kube's `DynamicObject` keeps everything twice while it is decoded, and a tree of values costs five times the text.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

mod managed;

use managed::Managed;

/// An object without its managedFields, which are as long as the rest. What stays of them are names of labels and annotations that we wrote
/// beside those that all have: mostly none.
#[derive(Clone)]
pub struct Whole {
    pub metadata: ObjectMeta,
    /// All of it but its status, and its version, which changes without anything else: that is in the decoded metadata.
    text: String,
    status: Option<String>,
    /// We wrote fields of it otherwise than by apply, when we made it for example: our applies do not take these away.
    pub is_updated: bool,
}

impl Whole {
    /// None where it is no object, or the metadata is none.
    pub fn of(value: &Value) -> Option<Self> {
        Self::parse(&value.to_string())
    }

    fn parse(object: &str) -> Option<Self> {
        let fields: Fields<'_> = serde_json::from_str(object).ok()?;
        let (mut text, mut status) = (Text::begin(object.len()), None);
        let (mut metadata, mut is_updated) = (ObjectMeta::default(), false);
        for (name, value) in fields.0 {
            if name == "metadata" {
                let kept = Metadata::parse(value.get())?;
                text.add(&name, &kept.text);
                (metadata, is_updated) = (kept.decoded, kept.is_updated);
            } else if name == "status" {
                status = Some(value.get().to_owned());
            } else {
                text.add(&name, value.get());
            }
        }
        Some(Self {
            metadata,
            text: text.end(),
            status,
            is_updated,
        })
    }

    /// The object again.
    pub fn value(&self) -> Value {
        let mut value: Value = serde_json::from_str(&self.text()).unwrap_or_default();
        if let Some(version) = &self.metadata.resource_version {
            value["metadata"]["resourceVersion"] = version.as_str().into();
        }
        value
    }

    /// All of it but its version.
    pub fn text(&self) -> String {
        let Some(status) = &self.status else {
            return self.text.clone();
        };
        let rest = self.text.strip_suffix('}').unwrap_or_default();
        let comma = if rest.len() > 1 { "," } else { "" };
        format!("{rest}{comma}\"status\":{status}}}")
    }

    /// Takes the status out.
    pub fn take_status(&mut self) -> Option<String> {
        self.status.take()
    }

    /// Puts what `change` makes of it in place of the status.
    pub fn change_status(&mut self, change: impl FnOnce(&str) -> String) {
        self.status = self.status.as_deref().map(change);
    }
}

/// An object's fields, in their order, not decoded.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Of)
    }
}

/// An object's text in the making.
struct Text(String);

impl Text {
    fn begin(size: usize) -> Self {
        let mut text = String::with_capacity(size);
        text.push('{');
        Self(text)
    }

    fn add(&mut self, name: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&Value::from(name).to_string());
        self.0.push(':');
        self.0.push_str(value);
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// What is kept of the metadata.
struct Metadata {
    decoded: ObjectMeta,
    text: String,
    is_updated: bool,
}

impl Metadata {
    fn parse(metadata: &str) -> Option<Self> {
        let fields: Option<Fields<'_>> = serde_json::from_str(metadata).ok()?;
        let (mut text, mut version, mut managed) = (Text::begin(metadata.len()), None, Managed::default());
        for (name, value) in fields.into_iter().flat_map(|fields| fields.0) {
            match &*name {
                "resourceVersion" => version = serde_json::from_str(value.get()).ok()?,
                "managedFields" => managed = Managed::of(value.get()),
                _ => text.add(&name, value.get()),
            }
        }
        if let Some(ours) = managed.ours {
            text.add("managedFields", &ours.to_string());
        }
        let text = text.end();
        let mut decoded: ObjectMeta = serde_json::from_str(&text).ok()?;
        decoded.resource_version = version;
        Some(Self {
            decoded,
            text,
            is_updated: managed.is_updated,
        })
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole")
            .field("namespace", &self.metadata.namespace)
            .field("name", &self.metadata.name)
            .finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(object.get()).ok_or_else(|| D::Error::custom("an object's metadata cannot be decoded"))
    }
}

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = RawValue::from_string(self.text());
        let text = text.map_err(|_| S::Error::custom("an object's text cannot be decoded"))?;
        text.serialize(serializer)
    }
}

impl Resource for Whole {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    /// Of the decoded metadata: the object itself stays as it came.
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use pgherd_model::names::operator::FIELD_MANAGER;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_kept_as_it_came_and_not_printed() {
        let text = r#"{"kind":"Secret","metadata":{"name":"s","namespace":"n","managedFields":[{"manager":"m"}],
            "generation":3,"resourceVersion":"7"},"data":{"password":"aHVudGVyMg=="}}"#;
        let whole: Whole = serde_json::from_str(text).unwrap();
        let expected = json!({"kind": "Secret", "metadata": {"name": "s", "namespace": "n", "generation": 3, "resourceVersion": "7"},
            "data": {"password": "aHVudGVyMg=="}});
        assert_eq!(whole.value(), expected);
        assert!(!whole.text().contains("resourceVersion"), "it changes alone");
        assert_eq!(serde_json::to_value(&whole).unwrap()["data"], expected["data"]);
        assert_eq!(whole.metadata.generation, Some(3));
        assert!(!format!("{whole:?}").contains("aHVu"));
    }

    #[test]
    fn of_managed_fields_stays_what_we_wrote_and_others_may_lack() {
        let annotations =
            json!({"f:annotations": {".": {}, "f:a": {}}, "f:labels": {"f:team": {}, "f:application": {}}});
        let template = json!({"f:template": {"f:metadata": {"f:labels": {"f:tier": {}}}, "f:spec": {"f:containers": {}}}});
        let managed = json!([
            {"manager": "pgherd", "operation": "Apply", "fieldsV1": {"f:metadata": annotations, "f:spec": template}},
            {"manager": "somebody", "operation": "Update", "fieldsV1": {"f:metadata": {"f:annotations": {"f:b": {}}}}},
        ]);
        let whole = Whole::of(&json!({"metadata": {"name": "s", "managedFields": managed}})).unwrap();
        let kept = json!([{"manager": "pgherd", "fieldsV1": {
            "f:metadata": {"f:annotations": {"f:a": {}}},
            "f:spec": {"f:template": {"f:metadata": {"f:labels": {"f:tier": {}}}}},
        }}]);
        assert_eq!(whole.value()["metadata"]["managedFields"], kept);
        assert!(whole.metadata.managed_fields.is_some());
        let plain = json!([{"manager": "pgherd", "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}}]);
        let whole = Whole::of(&json!({"metadata": {"name": "s", "managedFields": plain}})).unwrap();
        assert!(whole.value()["metadata"].get("managedFields").is_none());
    }

    #[test]
    fn what_cannot_be_decoded_is_not_quoted() {
        let text = r#"{"metadata":{"name":{"hunter2":1}}}"#;
        let error = serde_json::from_str::<Whole>(text).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(Whole::of(&json!({"data": {}})).is_some());
    }

    #[test]
    fn a_watch_and_a_list_tell_of_whole_objects() {
        let event = r#"{"type":"ADDED","object":{"metadata":{"name":"a"},"status":{"x":1},"spec":{}}}"#;
        let event: kube::core::WatchEvent<Whole> = serde_json::from_str(event).unwrap();
        let kube::core::WatchEvent::Added(mut whole) = event else {
            panic!("{event:?}");
        };
        whole.change_status(|status| status.replace('1', "234"));
        whole.change_status(|status| status.replace('3', ""));
        let expected = json!({"metadata": {"name": "a"}, "status": {"x": 24}, "spec": {}});
        assert_eq!(whole.value(), expected);
        assert_eq!(whole.take_status().as_deref(), Some(r#"{"x":24}"#));
        assert_eq!(whole.text(), r#"{"metadata":{"name":"a"},"spec":{}}"#);
        let lone: Whole = serde_json::from_str(r#"{"status":{}}"#).unwrap();
        assert_eq!(lone.text(), r#"{"status":{}}"#);
        let list =
            r#"{"kind":"List","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"a"}},{}]}"#;
        let list: kube::core::ObjectList<Whole> = serde_json::from_str(list).unwrap();
        assert_eq!(list.items[0].metadata.name.as_deref(), Some("a"));
        assert_eq!(list.items[1].value(), json!({}));
    }

    #[test]
    fn what_we_wrote_otherwise_than_by_apply_is_noticed() {
        let written = |entry: Value| {
            let object = json!({"metadata": {"managedFields": [{"manager": "kubectl", "operation": "Update"}, entry]}});
            Whole::of(&object).unwrap().is_updated
        };
        assert!(written(json!({"manager": FIELD_MANAGER, "operation": "Update"})));
        for other in [
            json!({"manager": FIELD_MANAGER, "operation": "Apply"}),
            json!({"manager": FIELD_MANAGER, "operation": "Update", "subresource": "status"}),
        ] {
            assert!(!written(other.clone()), "{other}");
        }
    }
}
