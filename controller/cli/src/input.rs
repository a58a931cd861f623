//! Files and what is in them: documents, and of which sort. Must not: judge them.

use std::fs;
use std::io::{self, Read};
use std::rc::Rc;

use pgherd_model::api;
use pgherd_model::config;
use serde::Deserialize;
use serde_json::Value;

use crate::error::CliError;
use crate::places::{self, Place, Places};

/// One object of a file.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) file: String,
    /// Its place in the file, from 1.
    pub(crate) number: usize,
    pub(crate) object: Value,
    /// Where the object stands in its document: empty, or an item of a list.
    within: String,
    places: Option<Rc<Places>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Cluster,
    OperatorConfiguration,
    OperatorConfigMap,
    Team,
    /// It claims our group, but there is no such kind or version.
    Stray,
    Other,
}

impl Document {
    /// `config_map` is the name of the operator's ConfigMap, or namespace/name; without it, one that looks like it is taken for it.
    pub(crate) fn sort(&self, config_map: Option<&str>) -> Sort {
        let (version, kind) = (self.text("/apiVersion"), self.text("/kind"));
        match kind {
            _ if kind.is_empty() || version.is_empty() => Sort::Stray,
            "postgresql" if version == api::API_VERSION => Sort::Cluster,
            "OperatorConfiguration" if version == api::API_VERSION => Sort::OperatorConfiguration,
            "PostgresTeam" if version == api::API_VERSION => Sort::Team,
            _ if version.split('/').next() == Some(api::GROUP) => Sort::Stray,
            "ConfigMap" if version == "v1" && self.configures_operator(config_map) => Sort::OperatorConfigMap,
            _ => Sort::Other,
        }
    }

    /// It has that name; or at least half of its keys are the operator's parameters.
    fn configures_operator(&self, name: Option<&str>) -> bool {
        if let Some(name) = name {
            return match name.split_once('/') {
                Some((namespace, name)) => namespace == self.namespace() && name == self.name(),
                None => name == self.name(),
            };
        }
        let data = self.object.get("data").and_then(Value::as_object);
        let Some(data) = data else { return false };
        let known = data
            .keys()
            .filter(|key| config::param(&key.to_lowercase()).is_some());
        let known = known.count();
        known > 0 && known * 2 >= data.len()
    }

    /// Where a field stands in the file, or the nearest one around it.
    pub(crate) fn place(&self, path: &str) -> Option<Place> {
        let path = match (path, self.within.as_str()) {
            (".", within) => within.to_owned(),
            (path, "") => path.to_owned(),
            (path, within) => format!("{within}.{path}"),
        };
        self.places.as_ref()?.of(&path)
    }

    /// The text at a JSON pointer, or none: empty.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        match (self.text("/metadata/name"), self.text("/metadata/generateName")) {
            ("", "") => "(unnamed)",
            ("", prefix) => prefix,
            (name, _) => name,
        }
    }

    /// The namespace; a file that names none leaves it to kubectl, which takes this one unless told otherwise.
    pub(crate) fn namespace(&self) -> &str {
        match self.text("/metadata/namespace") {
            "" => "default",
            namespace => namespace,
        }
    }
}

/// All documents of a file, items of lists one by one, empty ones left out.
pub(crate) fn read(file: &str) -> Result<Vec<Document>, CliError> {
    let text = if file == "-" {
        io::read_to_string(io::stdin().lock().by_ref())
    } else {
        fs::read_to_string(file)
    };
    let text = text.map_err(|source| CliError::Read {
        file: file.to_owned(),
        source,
    })?;
    let mut documents = Vec::new();
    let mut places: Vec<_> = places::find(&text).into_iter().map(Rc::new).map(Some).collect();
    for (index, document) in serde_yaml::Deserializer::from_str(&text).enumerate() {
        let number = index + 1;
        let object = json(document).map_err(|source| CliError::Syntax {
            file: file.to_owned(),
            number,
            source,
        })?;
        let places = places.get_mut(index).and_then(Option::take);
        let found = objects(object).into_iter().map(|(within, object)| Document {
            file: file.to_owned(),
            number,
            object,
            within,
            places: places.clone(),
        });
        documents.extend(found);
    }
    if documents.is_empty() {
        return Err(CliError::Empty {
            file: file.to_owned(),
        });
    }
    Ok(documents)
}

/// By way of YAML's own value, which refuses duplicate keys and knows `<<`.
fn json(document: serde_yaml::Deserializer<'_>) -> Result<Value, serde_yaml::Error> {
    let mut value = serde_yaml::Value::deserialize(document)?;
    value.apply_merge()?;
    serde_yaml::from_value(value)
}

/// An object, or those of a list, each with where it stands.
fn objects(value: Value) -> Vec<(String, Value)> {
    match value {
        Value::Null => Vec::new(),
        Value::Object(mut fields) if is_list(&fields) => match fields.remove("items") {
            Some(Value::Array(items)) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| (format!("items[{index}]"), item))
                .collect(),
            _ => Vec::new(),
        },
        other => vec![(String::new(), other)],
    }
}

/// `List`, or the list of a kind as `kubectl get --raw` prints it.
fn is_list(fields: &serde_json::Map<String, Value>) -> bool {
    let kind = fields.get("kind").and_then(Value::as_str).unwrap_or_default();
    kind.ends_with("List") && fields.get("items").is_some_and(Value::is_array)
}
