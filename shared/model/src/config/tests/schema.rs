//! The CRD: what the API server will make of an object.

use serde_json::{Map, Value, json};

use super::recorded;
use crate::config::schema::crd;
use crate::config::{Kind, params};

fn root() -> Value {
    let crd = serde_json::to_value(crd()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// What the API server does on a create: fills in the defaults of fields that are absent, depth first.
fn fill_defaults(schema: &Value, value: &mut Value) {
    let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object_mut()) else {
        return;
    };
    for (name, schema) in properties {
        if !fields.contains_key(name) && !schema["default"].is_null() {
            fields.insert(name.clone(), schema["default"].clone());
        }
        if let Some(field) = fields.get_mut(name) {
            fill_defaults(schema, field);
        }
    }
}

/// Order of fields does not matter.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.keys().collect();
            names.sort();
            names
                .into_iter()
                .map(|name| (name.clone(), sorted(&fields[name])))
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        _ => value.clone(),
    }
}

#[test]
fn empty_groups_get_the_defaults_that_a_real_api_server_gave_them() {
    let mut written = recorded("C.yaml");
    fill_defaults(&root(), &mut written);
    assert_eq!(
        sorted(&written["configuration"]),
        sorted(&recorded("C-stored.yaml")["configuration"])
    );
}

#[test]
fn it_is_known_by_its_names() {
    let crd = serde_json::to_value(crd()).unwrap();
    assert_eq!(crd["metadata"]["name"], "operatorconfigurations.acid.zalan.do");
    assert_eq!(
        crd["spec"]["names"],
        json!({ "kind": "OperatorConfiguration", "listKind": "OperatorConfigurationList",
            "plural": "operatorconfigurations", "singular": "operatorconfiguration", "shortNames": ["opconfig"],
            "categories": ["all"] })
    );
    let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"]
        .as_array()
        .unwrap();
    let columns: Vec<_> = columns
        .iter()
        .map(|column| {
            (
                column["name"].as_str().unwrap(),
                column["jsonPath"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        columns,
        [
            ("Image", ".configuration.docker_image"),
            ("Cluster-Label", ".configuration.kubernetes.cluster_name_label"),
            (
                "Service-Account",
                ".configuration.kubernetes.pod_service_account_name"
            ),
            ("Min-Instances", ".configuration.min_instances"),
            ("Age", ".metadata.creationTimestamp"),
        ]
    );
    assert_eq!(root()["required"], json!(["configuration", "metadata"]));
    assert_eq!(
        crd["spec"]["versions"][0]["subresources"],
        json!({ "status": {} })
    );
}

#[test]
fn it_is_small() {
    let size = serde_json::to_string(&crd()).unwrap().len();
    assert!(size < 200_000, "{size} bytes");
}

#[test]
fn every_parameter_is_in_it_with_its_limits() {
    let configuration = &root()["properties"]["configuration"]["properties"];
    for param in params() {
        let field = match param.crd_group() {
            Some(group) => &configuration[group]["properties"][param.name],
            None => &configuration[param.name],
        };
        assert!(field["description"].is_string(), "{}", param.name);
        assert_eq!(
            field["minimum"].as_f64().is_some(),
            param.min.is_some(),
            "{}",
            param.name
        );
        let typed = field["type"].is_string() || param.kind == Kind::Containers;
        assert!(typed, "{}", param.name);
        if let Kind::OneOf(words) = param.kind {
            assert_eq!(field["enum"], json!(words));
        }
    }
    assert_eq!(
        configuration["sidecars"]["x-kubernetes-preserve-unknown-fields"],
        true
    );
    assert!(configuration["sidecars"]["type"].is_null());
}

#[test]
fn its_patterns_compile_and_admit_the_defaults_and_the_empty_quantity() {
    let pattern = |text: &str| regex_lite::Regex::new(text).unwrap();
    for param in params() {
        let configuration = &root()["properties"]["configuration"]["properties"];
        let field = match param.crd_group() {
            Some(group) => &configuration[group]["properties"][param.name],
            None => &configuration[param.name],
        };
        if let (Some(text), Some(default)) = (field["pattern"].as_str(), field["default"].as_str()) {
            assert!(pattern(text).is_match(default), "{}", param.name);
        }
        if matches!(param.kind, Kind::Cpu | Kind::Memory) {
            let pattern = pattern(field["pattern"].as_str().unwrap());
            assert!(
                pattern.is_match("") && pattern.is_match("1") && !pattern.is_match("lots"),
                "{}",
                param.name
            );
        }
    }
}
