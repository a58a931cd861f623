//! The CRDs obey the rules of structural schemas, keep Zalando's names, and fit into the annotation of a client-side apply.

use serde_json::json;

use super::*;

fn schema(crd: &CustomResourceDefinition) -> Value {
    let validation = crd.spec.versions[0].schema.as_ref().unwrap();
    serde_json::to_value(validation.open_api_v3_schema.as_ref().unwrap()).unwrap()
}

fn at(path: &str) -> Value {
    schema(&postgresql())
        .pointer(path)
        .unwrap_or_else(|| panic!("nothing at {path}"))
        .clone()
}

/// Every schema in the tree, with its path.
fn each(schema: &Value, path: &str, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, child) in properties {
            each(child, &format!("{path}.{name}"), look);
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(child) = schema.get(keyword) {
            each(child, &format!("{path}.{keyword}"), look);
        }
    }
}

#[test]
fn schemas_are_structural() {
    for crd in all() {
        let name = crd.metadata.name.clone().unwrap();
        each(&schema(&crd), &name, &mut |path, schema| {
            let has = |keyword: &str| schema.get(keyword).is_some();
            assert!(schema.is_object(), "{path}");
            for keyword in ["$ref", "definitions", "$defs", "anyOf", "oneOf", "allOf", "title"] {
                assert!(!has(keyword), "{path} has {keyword}");
            }
            assert!(!(has("properties") && has("additionalProperties")), "{path}");
            let free = has("x-kubernetes-int-or-string") || has("x-kubernetes-preserve-unknown-fields");
            assert!(schema["type"].is_string() || free, "{path} has no type");
            if schema["type"] == "array" {
                assert!(has("items"), "{path} has no items");
            }
            if let Some(format) = schema.get("format") {
                let known = ["int32", "int64", "date-time", "uuid", "double", "password"];
                assert!(known.iter().any(|word| format == word), "{path}: {format}");
            }
            for name in schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let exists = schema["properties"].get(name.as_str().unwrap()).is_some();
                assert!(exists || name == "metadata", "{path} requires {name}");
            }
        });
    }
}

#[test]
fn a_row_without_a_field_is_an_error() {
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}});
    let row = |path: &str| [(path.to_owned(), constraints::Constraint::Pattern("x"))];
    assert_eq!(
        structural::apply(schema.clone(), &row("a.[].b")),
        Err("a.[].b".to_owned())
    );
    let done = structural::apply(schema, &row("a.[]")).unwrap();
    assert_eq!(done.pointer("/properties/a/items/pattern"), Some(&json!("x")));
}

#[test]
fn files_fit_into_the_annotation_of_a_client_side_apply() {
    for crd in all() {
        let yaml = serde_yaml::to_string(&crd).unwrap();
        assert!(yaml.len() < 200_000, "{} bytes", yaml.len());
    }
}

#[test]
fn names_are_zalandos() {
    let names = all().map(|crd| {
        let names = crd.spec.names;
        let (list, short) = (names.list_kind.unwrap(), names.short_names.unwrap().concat());
        assert_eq!(names.categories.unwrap(), ["all"]);
        (
            crd.metadata.name.unwrap(),
            names.kind,
            list,
            names.singular.unwrap(),
            short,
        )
    });
    let expected = [
        (
            "postgresqls.acid.zalan.do",
            "postgresql",
            "postgresqlList",
            "postgresql",
            "pg",
        ),
        (
            "operatorconfigurations.acid.zalan.do",
            "OperatorConfiguration",
            "OperatorConfigurationList",
            "operatorconfiguration",
            "opconfig",
        ),
        (
            "postgresteams.acid.zalan.do",
            "PostgresTeam",
            "PostgresTeamList",
            "postgresteam",
            "pgteam",
        ),
    ]
    .map(|(a, b, c, d, e)| {
        (
            a.to_owned(),
            b.to_owned(),
            c.to_owned(),
            d.to_owned(),
            e.to_owned(),
        )
    });
    assert_eq!(names, expected);
}

#[test]
fn columns_are_zalandos_and_two_more_for_wide() {
    let versions = postgresql().spec.versions;
    let columns = versions[0].additional_printer_columns.clone().unwrap();
    let shown: Vec<_> = columns
        .iter()
        .filter(|column| column.priority.is_none())
        .collect();
    let names: Vec<_> = shown.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Team",
            "Version",
            "Pods",
            "Volume",
            "CPU-Request",
            "Memory-Request",
            "Age",
            "Status"
        ]
    );
    assert_eq!(columns.len() - shown.len(), 2);
}

#[test]
fn what_must_be_there_is_what_zalando_requires_and_images() {
    for (path, required) in [
        ("/required", json!(["spec"])),
        (
            "/properties/spec/required",
            json!(["numberOfInstances", "postgresql", "teamId", "volume"]),
        ),
        (
            "/properties/spec/properties/postgresql/required",
            json!(["version"]),
        ),
        ("/properties/spec/properties/volume/required", json!(["size"])),
        (
            "/properties/spec/properties/initContainers/items/required",
            json!(["image", "name"]),
        ),
        ("/properties/status/required", json!(["PostgresClusterStatus"])),
    ] {
        assert_eq!(at(path), required, "{path}");
    }
    let sidecar = at("/properties/spec/properties/sidecars/items");
    assert!(sidecar["required"] == json!(["image"]) && sidecar["properties"]["volumeMounts"].is_object());
}

#[test]
fn defaults_are_few_and_only_constants() {
    let mut found = Vec::new();
    each(&schema(&postgresql()), "", &mut |path, schema| {
        if let Some(default) = schema.get("default") {
            found.push(format!("{}={default}", path.rsplit('.').next().unwrap()));
        }
    });
    found.sort();
    assert_eq!(
        found,
        [
            "certificateFile=\"tls.crt\"",
            "defaultRoles=true",
            "defaultUsers=false",
            "defaultUsers=false",
            "privateKeyFile=\"tls.key\"",
        ]
    );
}

#[test]
fn every_field_of_our_own_is_described() {
    for crd in [postgresql(), postgres_team()] {
        let spec = schema(&crd)["properties"]["spec"].clone();
        for (name, field) in spec["properties"].as_object().unwrap() {
            assert!(field["description"].is_string(), "{name}");
        }
    }
}
