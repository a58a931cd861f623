//! Tests of the configuration: the table of rows, both readers, the CRD, what is shown and written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::source::{Outcome, from_config_map, from_object};
use super::{ConfigError, Finding, OperatorConfig};

mod golden;
mod object;
mod schema;
mod shown;
pub(crate) mod table;
mod texts;

/// A file of the recorded configurations.
fn recorded(name: &str) -> Value {
    let path = format!("{}/../../tests/data/config/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// The `data` of a recorded ConfigMap.
fn recorded_data(name: &str) -> BTreeMap<String, String> {
    serde_json::from_value(recorded(name)["data"].clone()).unwrap()
}

fn read(pairs: &[(&str, &str)]) -> Outcome {
    let data = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    from_config_map(&data, "operators")
}

fn config(pairs: &[(&str, &str)]) -> OperatorConfig {
    read(pairs).unwrap().0
}

fn findings(pairs: &[(&str, &str)]) -> Vec<Finding> {
    read(pairs).unwrap().1
}

fn errors(pairs: &[(&str, &str)]) -> Vec<ConfigError> {
    read(pairs).unwrap_err()
}

/// Reads an OperatorConfiguration whose `configuration` is the given JSON.
fn read_object(configuration: &Value) -> Outcome {
    from_object(
        &serde_json::json!({ "configuration": configuration }),
        "operators",
    )
}

fn object(configuration: &Value) -> OperatorConfig {
    read_object(configuration).unwrap().0
}
