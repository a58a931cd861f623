//! Manifests of the right shape with arbitrary contents: fields drawn from the CRD's schema, as deep as it goes.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::manifest;
use crate::crd;

/// The least manifest with some fields of the spec replaced by arbitrary values of their type.
pub(super) fn any_shaped() -> impl Strategy<Value = Value> {
    let version = crd::postgresql().spec.versions.remove(0);
    let mut fields = version
        .schema
        .and_then(|schema| schema.open_api_v3_schema?.properties)
        .unwrap();
    of(&fields.remove("spec").unwrap()).prop_map(|spec| {
        let mut object = manifest("{}");
        json_patch::merge(&mut object["spec"], &spec);
        object
    })
}

fn of(schema: &JSONSchemaProps) -> BoxedStrategy<Value> {
    if let Some(fields) = &schema.properties {
        return some_of(
            fields
                .iter()
                .map(|(name, field)| (name.clone(), of(field)))
                .collect(),
        );
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        let entries = prop::collection::vec((any_text(), of(values)), 0..3);
        return entries
            .prop_map(|entries| Value::Object(entries.into_iter().collect()))
            .boxed();
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        return prop::collection::vec(of(items), 0..4)
            .prop_map(Value::from)
            .boxed();
    }
    match schema.type_.as_deref() {
        Some("string") => any_text().prop_map(Value::from).boxed(),
        Some("integer") => prop_oneof![-2_i64..8, Just(5432), Just(31_000), Just(i64::from(i32::MAX))]
            .prop_map(Value::from)
            .boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        _ => prop_oneof![
            Just(json!({})),
            Just(json!({"emptyDir": {}})),
            any_text().prop_map(Value::from)
        ]
        .boxed(),
    }
}

/// Few fields of many, so that most of what is drawn says something of its own.
fn some_of(fields: Vec<(String, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    if fields.is_empty() {
        return Just(json!({})).boxed();
    }
    let most = fields.len().min(5);
    prop::sample::subsequence(fields, 0..=most)
        .prop_flat_map(|chosen| {
            let (names, values): (Vec<_>, Vec<_>) = chosen.into_iter().unzip();
            values.prop_map(move |values| Value::Object(names.iter().cloned().zip(values).collect()))
        })
        .boxed()
}

/// Texts that mean something in one field or another.
fn any_text() -> BoxedStrategy<String> {
    let known = prop::sample::select(WORDS).prop_map(str::to_owned);
    prop_oneof![4 => known, 1 => "[a-zA-Z0-9_.:/, -]{0,12}", 1 => "\\PC{0,4}"].boxed()
}

const WORDS: &[&str] = &[
    "",
    "a",
    "postgres",
    "standby",
    "pooler",
    "fes_user",
    "acid-test",
    "all",
    "a.b",
    "A_b",
    "pg_x",
    "data",
    "public",
    "10Gi",
    "1",
    "500m",
    "17",
    "5432",
    "2 weeks",
    "0 1 * * *",
    "Sat:01:00-05:00",
    "01:00-01:10",
    "10.0.0.1/8",
    "0.0.0.0/0",
    "::/0",
    "physical",
    "logical",
    "pgoutput",
    "wal_level",
    "In",
    "Exists",
    "NoExecute",
    "DoNotSchedule",
    "example.org/a",
    "login",
    "nologin",
    "session",
    "/dev/shm",
    "/home/postgres/pgdata",
    "/tls",
    "pgdata",
    "local all all trust",
    "host all all all md5",
    "hostssl all all all reject",
    "host all \"a b\",+c 10.0.0.0 255.0.0.0 md5 x=y",
    "2026-02-03T04:05:06+01:00",
    "s3://b/p",
    "encoding",
    "PASSWORD",
];
