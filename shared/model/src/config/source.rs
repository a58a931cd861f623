//! Reads both forms of the configuration, by Zalando's rules, and reports everything that is wrong at once.
//!
//! Not here: where the objects come from (the runtime package), nor syntax of values (`text`, `value`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::param::{Form, Forms, Kind, Param};
use super::rules::{self, Remark};
use super::scope::Scope;
use super::section::SECTIONS;
use super::{ConfigError, Finding, FindingKind, OperatorConfig, check, retired};

/// A configuration with its findings, or everything that is wrong with it.
pub type Outcome = Result<(OperatorConfig, Vec<Finding>), Vec<ConfigError>>;

/// Everything that there is to say about a configuration.
#[derive(Debug)]
pub struct Look {
    /// What it says, with defaults in the place of what is wrong.
    pub config: OperatorConfig,
    /// What is odd.
    pub remarks: Vec<Remark>,
    /// What is wrong.
    pub errors: Vec<ConfigError>,
}

impl Look {
    fn outcome(self) -> Outcome {
        if self.errors.is_empty() {
            let findings = self.remarks.into_iter().map(|remark| remark.finding).collect();
            Ok((self.config, findings))
        } else {
            Err(self.errors)
        }
    }
}

/// Reads the ConfigMap form.
///
/// Keys count in any case. An absent key means the default. An empty value means "none" for lists, maps and
/// parameters that can be unset, and the default for everything else.
///
/// # Errors
///
/// Every value that cannot be read, is not allowed, or does not go with another one.
pub fn from_config_map(data: &BTreeMap<String, String>, operator_namespace: &str) -> Outcome {
    look_at_config_map(data, operator_namespace).outcome()
}

/// As [`from_config_map`], with all that there is to say about it, whether or not it can be used.
pub fn look_at_config_map(data: &BTreeMap<String, String>, operator_namespace: &str) -> Look {
    let mut reader = Reader::new(Form::ConfigMap, operator_namespace);
    let mut given: BTreeMap<String, &str> = BTreeMap::new();
    for (key, value) in data {
        given.insert(key.to_lowercase(), value);
    }
    for param in super::params() {
        match given.remove(param.name) {
            Some(text) if param.forms == Forms::CrdOnly => {
                if !text.is_empty() {
                    reader.find(
                        param,
                        FindingKind::Ignored,
                        "can only be given in an OperatorConfiguration",
                    );
                }
                reader.set_default(param, param.default);
            }
            Some(text) if !text.is_empty() || param.access.empty_is_value => reader.read_text(param, text),
            Some(_) if !param.default.is_empty() => {
                let message = format!("is empty, so the default counts: {}", param.default);
                reader.find(param, FindingKind::Adjusted, &message);
                reader.set_default(param, param.default);
            }
            _ => reader.set_default(param, param.default),
        }
    }
    for key in given.into_keys() {
        reader.strange(&key, &key, super::params());
    }
    reader.finish()
}

/// Reads the OperatorConfiguration form: the whole object, or at least its `configuration`.
///
/// The CRD's schema defaults are applied first, as the API server does, so an object read from a file means
/// the same as the stored one: to the top level always, to a group when the group is there. What is still
/// absent gets the row's fallback.
///
/// # Errors
///
/// As for [`from_config_map`], and when `configuration` or a group in it is not an object.
pub fn from_object(object: &Value, operator_namespace: &str) -> Outcome {
    look_at_object(object, operator_namespace).outcome()
}

/// As [`from_object`], with all that there is to say about it, whether or not it can be used.
pub fn look_at_object(object: &Value, operator_namespace: &str) -> Look {
    look_at_configuration(object.get("configuration"), operator_namespace)
}

/// Reads the part under `configuration`.
pub(super) fn from_configuration(configuration: Option<&Value>, operator_namespace: &str) -> Outcome {
    look_at_configuration(configuration, operator_namespace).outcome()
}

fn look_at_configuration(configuration: Option<&Value>, operator_namespace: &str) -> Look {
    let mut reader = Reader::new(Form::Crd, operator_namespace);
    let nothing = Map::new();
    let configuration = match configuration {
        Some(Value::Object(fields)) => fields,
        None | Some(Value::Null) => {
            reader.shape("configuration", "is missing");
            &nothing
        }
        Some(_) => {
            reader.shape("configuration", "is not an object");
            &nothing
        }
    };
    for section in SECTIONS {
        let group = if section.group == "general" {
            Some(configuration)
        } else {
            reader.group(configuration, section.group)
        };
        for param in section.params {
            reader.read_field(param, group);
        }
        for name in group.into_iter().flat_map(Map::keys) {
            let top = section.group == "general";
            let is_group = top && SECTIONS.iter().any(|section| section.group == name);
            if !is_group && !section.params.iter().any(|param| param.name == name) {
                let path = if top {
                    String::new()
                } else {
                    format!("{}.", section.group)
                };
                reader.strange(&format!("configuration.{path}{name}"), name, super::params());
            }
        }
    }
    reader.finish()
}

/// A configuration in the making.
struct Reader<'a> {
    form: Form,
    config: OperatorConfig,
    scope: Scope<'a>,
    remarks: Vec<Remark>,
    errors: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    fn new(form: Form, namespace: &'a str) -> Self {
        Self {
            form,
            config: OperatorConfig::unset(),
            scope: Scope::new(namespace),
            remarks: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn read_text(&mut self, param: &Param, text: &str) {
        let outcome = (param.access.read_text)(&mut self.config, text, &mut self.scope);
        self.settle(param, outcome, &format!("{text:?}"));
    }

    fn read_json(&mut self, param: &Param, value: &Value) {
        let outcome = (param.access.read_json)(&mut self.config, value, &mut self.scope);
        self.settle(param, outcome, &value.to_string());
    }

    /// After an attempt to read: checks the row's own limits, or notes the error and falls back to the default, so
    /// that the checks across parameters have something to look at.
    fn settle(&mut self, param: &Param, outcome: Result<(), String>, written: &str) {
        let outcome = outcome.and_then(|()| check::limits(param, &self.config, &mut self.scope));
        for remark in std::mem::take(&mut self.scope.remarks) {
            self.find(param, FindingKind::Remark, &remark);
        }
        match outcome {
            Ok(()) => {
                if let Some(why) = param.deprecated {
                    self.find(param, FindingKind::Deprecated, &format!("is deprecated: {why}"));
                }
            }
            Err(problem) => {
                self.errors
                    .push(ConfigError::value(param, self.form, written, problem));
                self.set_default(param, param.default);
            }
        }
    }

    fn set_default(&mut self, param: &Param, default: &str) {
        if default.is_empty() {
            return;
        }
        let outcome = (param.access.read_text)(&mut self.config, default, &mut self.scope);
        debug_assert!(outcome.is_ok(), "default of {}: {outcome:?}", param.name);
    }

    /// One field of the OperatorConfiguration; `group` is the object that may hold it.
    fn read_field(&mut self, param: &Param, group: Option<&Map<String, Value>>) {
        let written = group
            .and_then(|fields| fields.get(param.name))
            .filter(|value| !value.is_null());
        match written {
            Some(value) if counts_as_absent(param, value) => self.set_default(param, param.fallback),
            Some(value) => self.read_json(param, value),
            None => {
                let schema = param.schema_default.filter(|_| group.is_some());
                self.set_default(param, schema.unwrap_or(param.fallback));
            }
        }
    }

    fn group<'v>(
        &mut self,
        configuration: &'v Map<String, Value>,
        name: &str,
    ) -> Option<&'v Map<String, Value>> {
        match configuration.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::Object(fields)) => Some(fields),
            Some(_) => {
                self.shape(&format!("configuration.{name}"), "is not an object");
                None
            }
        }
    }

    /// A key that no row has: retired, misspelt, or in the wrong group.
    fn strange(&mut self, path: &str, name: &str, known: impl Iterator<Item = &'static Param>) {
        let (kind, message) = match retired::reason(name) {
            Some(reason) => (FindingKind::Retired, format!("is ignored: {reason}")),
            None => match retired::nearest(name, known) {
                Some(param) => {
                    let place = param.place(self.form);
                    (
                        FindingKind::Unknown,
                        format!("is not a parameter; did you mean {place}?"),
                    )
                }
                None => (FindingKind::Unknown, "is not a parameter".to_owned()),
            },
        };
        self.remark(kind, path.to_owned(), message);
    }

    fn find(&mut self, param: &Param, kind: FindingKind, message: &str) {
        self.remark(kind, param.place(self.form), message.to_owned());
    }

    fn remark(&mut self, kind: FindingKind, path: String, message: String) {
        self.remarks.push(Remark {
            rule: kind.rule(),
            finding: Finding::new(kind.reason(), path, message),
        });
    }

    fn shape(&mut self, path: &str, problem: &str) {
        self.errors.push(ConfigError::Shape {
            path: path.to_owned(),
            problem: problem.to_owned(),
        });
    }

    fn finish(mut self) -> Look {
        if let Some((name, message)) = check::adjust(&mut self.config, self.form) {
            self.remark(FindingKind::Adjusted, check::place(name, self.form), message);
        }
        self.remarks.extend(rules::remarks(&self.config, self.form));
        self.errors.extend(rules::errors(&self.config, self.form));
        Look {
            config: self.config,
            remarks: self.remarks,
            errors: self.errors,
        }
    }
}

/// Written values that mean "not set": what Go's types cannot tell from absence.
fn counts_as_absent(param: &Param, value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty() && !param.access.empty_is_value,
        Value::Number(number) => param.zero_is_unset && number.as_i64() == Some(0),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => {
            fields.is_empty() && matches!(param.kind, Kind::Map | Kind::ClaimRetention | Kind::Severities)
        }
        _ => false,
    }
}

/// The defaults of a form: what its reader makes of nothing at all (for the OperatorConfiguration: of
/// empty groups).
pub(super) fn defaults(form: Form, operator_namespace: &str) -> OperatorConfig {
    let mut reader = Reader::new(form, operator_namespace);
    let empty = Map::new();
    for param in super::params() {
        match form {
            Form::ConfigMap => reader.set_default(param, param.default),
            Form::Crd => reader.read_field(param, Some(&empty)),
        }
    }
    reader.config
}
