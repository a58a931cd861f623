//! The operator's configuration that manifests are looked at under. Must not: judge it; that is `lint`.

use std::collections::BTreeMap;

use pgherd_model::config::{ConfigError, Form, OperatorConfig, source};
use serde_json::Value;

use crate::error::CliError;
use crate::input::{self, Document, Sort};

/// The configuration in the file, or the defaults. `config_map` is the name of the operator's ConfigMap, where it is known.
pub(crate) fn load(file: Option<&str>, config_map: Option<&str>) -> Result<OperatorConfig, CliError> {
    let Some(file) = file else {
        return Ok(OperatorConfig::default_for(Form::Crd));
    };
    for document in input::read(file)? {
        let outcome = match document.sort(config_map) {
            Sort::OperatorConfiguration => source::from_object(&document.object, document.namespace()),
            Sort::OperatorConfigMap => source::from_config_map(&texts(&document), document.namespace()),
            _ => continue,
        };
        return match outcome {
            Ok((config, _)) => Ok(config),
            Err(errors) => Err(CliError::BadConfiguration {
                file: file.to_owned(),
                problems: joined(&errors),
            }),
        };
    }
    Err(CliError::NoConfiguration {
        file: file.to_owned(),
    })
}

/// Values that are no text are left out: no API server stores them.
fn texts(document: &Document) -> BTreeMap<String, String> {
    let data = document.object.get("data").and_then(Value::as_object);
    data.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

pub(crate) fn joined(errors: &[ConfigError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
