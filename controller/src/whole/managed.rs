//! What is kept of managedFields, which are as long as the rest of an object. Must not: decode what nobody asks for.

use std::collections::BTreeMap;

use pgherd_model::names::labels::STANDING;
use pgherd_model::names::operator::FIELD_MANAGER;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What managedFields say of our writes.
#[derive(Debug, Default)]
pub(super) struct Managed {
    /// We wrote fields otherwise than by apply.
    pub(super) is_updated: bool,
    /// Labels and annotations that may have to go because we wrote them, beside those that all have; in the form of managedFields.
    pub(super) ours: Option<Value>,
}

/// An entry.
#[derive(Deserialize)]
struct Written<'a> {
    manager: Option<String>,
    operation: Option<String>,
    subresource: Option<String>,
    #[serde(borrow, rename = "fieldsV1")]
    fields: Option<&'a RawValue>,
}

/// The fields that are of interest, as a set is written down.
#[derive(Default, Deserialize)]
struct Fields {
    #[serde(default, rename = "f:metadata")]
    metadata: Worn,
    #[serde(default, rename = "f:spec")]
    spec: Spec,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default, rename = "f:template")]
    template: Template,
}

#[derive(Default, Deserialize)]
struct Template {
    #[serde(default, rename = "f:metadata")]
    metadata: Worn,
}

/// What objects and pods wear.
#[derive(Default, Deserialize)]
struct Worn {
    #[serde(default, rename = "f:annotations")]
    annotations: Names,
    #[serde(default, rename = "f:labels")]
    labels: Names,
}

type Names = BTreeMap<String, Value>;

impl Managed {
    /// Of what is no list of entries nothing is known.
    pub(super) fn of(entries: &str) -> Self {
        let entries: Vec<Written<'_>> = serde_json::from_str(entries).unwrap_or_default();
        let ours = entries
            .iter()
            .filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
        let (mut managed, mut kept) = (Self::default(), json!({}));
        for entry in ours {
            managed.is_updated |= entry.is_update();
            entry.fields().keep(&mut kept);
        }
        let has_any = kept.as_object().is_some_and(|kept| !kept.is_empty());
        managed.ours = has_any.then(|| json!([{ "manager": FIELD_MANAGER, "fieldsV1": kept }]));
        managed
    }
}

impl Written<'_> {
    fn is_update(&self) -> bool {
        self.operation.as_deref() == Some("Update") && self.subresource.is_none()
    }

    fn fields(&self) -> Fields {
        let fields = self
            .fields
            .and_then(|fields| serde_json::from_str(fields.get()).ok());
        fields.unwrap_or_default()
    }
}

impl Fields {
    fn keep(&self, kept: &mut Value) {
        let template = &self.spec.template.metadata;
        self.metadata.keep(kept, &["f:metadata"]);
        template.keep(kept, &["f:spec", "f:template", "f:metadata"]);
    }
}

impl Worn {
    fn keep(&self, kept: &mut Value, path: &[&str]) {
        let stands = |name: &str| {
            name.strip_prefix("f:")
                .is_some_and(|name| STANDING.contains(&name))
        };
        for (what, names) in [("f:annotations", &self.annotations), ("f:labels", &self.labels)] {
            for name in names.keys().filter(|name| *name != "." && !stands(name)) {
                let tree = path.iter().fold(&mut *kept, |tree, step| &mut tree[*step]);
                tree[what][name.as_str()] = json!({});
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_another_form_is_of_no_interest() {
        for other in ["null", "7", "[7]", "{}", r#"[{"manager":7}]"#] {
            let managed = Managed::of(other);
            assert!(!managed.is_updated && managed.ours.is_none(), "{other}");
        }
        let odd = r#"[{"manager":"pgherd","operation":"Update","fieldsV1":{"f:metadata":7}}]"#;
        let managed = Managed::of(odd);
        assert!(managed.is_updated && managed.ours.is_none());
    }
}
