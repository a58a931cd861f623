//! The three classes of defaults as a page.

use std::fmt::Write;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use super::{FOLLOWS, How, TABLE};
use crate::crd;

const INTRODUCTION: &str = "\
# Defaults

<!-- Generated from the tables in `shared/model/src/default` and the CRD; do not edit. -->

What a manifest says is never changed, reordered or removed. What it leaves out belongs to one of three classes.

";

const DECIDED_ONCE: &str = "
## Decided once

The mutating webhook fills these fields in when a cluster is created, and keeps them when an update leaves them out: an apply of the same
manifest never changes them, whatever the operator's configuration has become.

| field | becomes | why it is decided once |
|---|---|---|
";

const FOLLOWING: &str = "
## Follows the operator

These are never written into a manifest. What counts is looked up each time the cluster is worked on, so a change of the operator's
configuration reaches every cluster that leaves the field open. `status.effective` shows what is in force.

| field | operator's parameter | where both are given |
|---|---|---|
";

const CONSTANTS: &str = "
## Constants

The CRD's schema has them: the API server fills them in, also without a webhook.

| field | becomes |
|---|---|
";

/// The page `docs/reference/defaults.md`.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION.trim_end());
    page.push('\n');
    page.push_str(CONSTANTS);
    // Writing into a string cannot fail.
    for (path, value) in constants() {
        let _ = writeln!(page, "| `{path}` | `{value}` |");
    }
    page.push_str(DECIDED_ONCE);
    for default in TABLE {
        let path = default.path.join(".");
        let _ = writeln!(page, "| `{path}` | {} | {} |", default.becomes, default.why);
    }
    page.push_str(FOLLOWING);
    for row in FOLLOWS {
        let parameters: Vec<String> = row.parameters.iter().map(|name| format!("`{name}`")).collect();
        let how = match row.how {
            How::Instead => "the manifest's counts",
            How::Beside => "both count, the manifest's first",
            How::Switch => "either one switches it on",
        };
        let _ = writeln!(page, "| `{}` | {} | {how} |", row.path, parameters.join(", "));
    }
    page
}

/// What the schema of `postgresql` fills in: path and value.
pub(super) fn constants() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    if let Some(schema) = schema() {
        walk(&schema, "", &mut found);
    }
    found
}

/// The schema of `postgresql`.
pub(super) fn schema() -> Option<JSONSchemaProps> {
    let version = crd::postgresql().spec.versions.into_iter().next()?;
    version.schema?.open_api_v3_schema
}

fn walk(schema: &JSONSchemaProps, path: &str, found: &mut Vec<(String, Value)>) {
    if let Some(default) = &schema.default {
        found.push((path.to_owned(), default.0.clone()));
    }
    for (name, field) in schema.properties.iter().flatten() {
        let below = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        walk(field, &below, found);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &schema.additional_properties {
        walk(value, &format!("{path}.*"), found);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        walk(item, &format!("{path}[*]"), found);
    }
}
