//! Which fields of an object are ours to take away by an apply that no longer names them. What we made or patched is recorded as updated, and an
//! apply leaves it; so it is recorded as applied before the next one. Must not: change what the object says.

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::observed::ObjectRef;
use serde_json::{Map, Value, json};

use crate::error::TurnError;
use crate::kinds;

/// The object's version before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) before: String,
    pub(super) after: String,
}

/// Records all that we have written of the object as applied. None where that is so already, or the object is gone.
pub(super) async fn unite(client: &Client, target: &ObjectRef) -> Result<Option<Versions>, TurnError> {
    let failed = |verb, error| TurnError::kubernetes(verb, target, error);
    let Some(resource) = kinds::resource_of(&target.kind) else {
        return Ok(None);
    };
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), &target.namespace, &resource);
    let found = api.get_metadata_opt(&target.name).await;
    let Some(found) = found.map_err(|error| failed("read", error))? else {
        return Ok(None);
    };
    let entries = serde_json::to_value(&found.metadata.managed_fields).unwrap_or_default();
    let before = found.metadata.resource_version.unwrap_or_default();
    let Some(united) = united(entries.as_array().map_or(&[], Vec::as_slice)) else {
        return Ok(None);
    };
    let operations = json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": united},
        // As a precondition: the API server refuses another one.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": before},
    ]);
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let operations = serde_json::from_value(operations).map_err(kube::Error::SerdeError);
    let operations = operations.map_err(|error| failed("patch", error))?;
    let written = api
        .patch_metadata(&target.name, &params, &Patch::<Value>::Json(operations))
        .await;
    let written = written.map_err(|error| failed("patch", error))?;
    let after = written.metadata.resource_version.unwrap_or_default();
    Ok(Some(Versions { before, after }))
}

/// The entries, with all of ours in one that is applied; none when they are so already.
fn united(entries: &[Value]) -> Option<Vec<Value>> {
    let ours = |entry: &&Value| entry["manager"] == FIELD_MANAGER && entry["subresource"].is_null();
    let is_updated = |entry: &&Value| ours(entry) && entry["operation"] == "Update";
    let version = &entries.iter().find(is_updated)?["apiVersion"];
    let (mine, mut others): (Vec<&Value>, Vec<&Value>) = entries
        .iter()
        .partition(|entry| ours(entry) && entry["apiVersion"] == *version);
    let mut all = mine.last().map(|entry| (*entry).clone())?;
    let mut fields = Map::new();
    for entry in &mine {
        if let Some(set) = entry["fieldsV1"].as_object() {
            add(&mut fields, set);
        }
    }
    all["operation"] = "Apply".into();
    all["fieldsV1"] = Value::Object(fields);
    // There can be one only.
    others.retain(|entry| !(ours(entry) && entry["operation"] == "Apply"));
    Some(others.into_iter().cloned().chain([all]).collect())
}

/// A set of fields is a tree of its steps.
fn add(fields: &mut Map<String, Value>, set: &Map<String, Value>) {
    for (step, below) in set {
        let known = fields.entry(step.clone()).or_insert_with(|| json!({}));
        if let (Some(known), Some(below)) = (known.as_object_mut(), below.as_object()) {
            add(known, below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn what_we_wrote_in_two_ways_becomes_one_entry_and_others_keep_theirs() {
        let made = json!({"f:metadata": {"f:annotations": {".": {}, "f:a": {}}}, "f:spec": {"f:type": {}}});
        let applied = json!({"f:metadata": {"f:annotations": {"f:b": {}}}});
        let other = entry("kubectl", "Update", &json!({"f:data": {}}));
        let entries = [
            other.clone(),
            entry(FIELD_MANAGER, "Apply", &applied),
            entry(FIELD_MANAGER, "Update", &made),
        ];
        let both = json!({"f:metadata": {"f:annotations": {"f:b": {}, ".": {}, "f:a": {}}}, "f:spec": {"f:type": {}}});
        let expected = vec![other, entry(FIELD_MANAGER, "Apply", &both)];
        assert_eq!(united(&entries), Some(expected.clone()));
        assert_eq!(united(&expected), None, "once");
    }

    #[test]
    fn a_status_that_we_wrote_is_no_field_of_an_apply() {
        let mut status = entry(FIELD_MANAGER, "Update", &json!({"f:status": {}}));
        status["subresource"] = "status".into();
        assert_eq!(united(&[status]), None);
        assert_eq!(united(&[]), None);
    }
}
