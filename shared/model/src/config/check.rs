//! What values are allowed: each by itself, and together.
//!
//! Not here: reading them (`source`).

use serde_json::Value;

use super::param::{Form, Kind, Param, Width};
use super::{ConfigError, Finding, FindingKind, OperatorConfig};

impl Param {
    /// What may be written, in words.
    pub fn allowed(&self) -> String {
        let range = match (self.min, self.max) {
            (Some(min), Some(max)) => format!(" from {min} to {max}"),
            (Some(min), None) => format!(", at least {min}"),
            (None, Some(max)) => format!(", at most {max}"),
            (None, None) => String::new(),
        };
        match self.kind {
            Kind::Text => "a text".to_owned(),
            Kind::Switch => "true or false".to_owned(),
            Kind::Integer(Width::U16 | Width::U32) if self.min.is_none() => {
                "a whole number, at least 0".to_owned()
            }
            Kind::Integer(_) => format!("a whole number{range}"),
            Kind::Duration => "a duration such as 30s, 10m or 1h30m, longer than 0".to_owned(),
            Kind::List => "a list of texts".to_owned(),
            Kind::Map => "key:value items".to_owned(),
            Kind::OneOf(words) => format!("one of {}", words.join(", ")),
            Kind::NamespacedName => "name or namespace/name".to_owned(),
            Kind::MajorVersion => "a Postgres major version such as 17".to_owned(),
            Kind::Cpu => "a CPU quantity such as 500m or 1.5".to_owned(),
            Kind::Memory => "a memory quantity such as 500Mi or 2Gi".to_owned(),
            Kind::Template(known) => self.allowed_variables(known),
            Kind::Schedule => "five fields, each a number or *, optionally with /step".to_owned(),
            Kind::Windows => "windows such as Sat:01:00-06:00 or 01:00-06:00 (UTC)".to_owned(),
            Kind::InfrastructureRoles => {
                "definitions with secretname, userkey, passwordkey, rolekey".to_owned()
            }
            Kind::ClaimRetention => "when_deleted and when_scaled, each retain or delete".to_owned(),
            Kind::Containers => "a list of containers".to_owned(),
            Kind::Probe => "a probe".to_owned(),
        }
    }

    fn allowed_variables(&self, known: &[&str]) -> String {
        let braced = |names: &[&str]| {
            names
                .iter()
                .map(|name| format!("{{{name}}}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        format!(
            "a name with {}; variables: {}",
            braced(self.required_variables),
            braced(known)
        )
    }
}

/// The row's own limits on the value that `config` now holds.
pub(super) fn limits(param: &Param, config: &OperatorConfig) -> Result<(), String> {
    let value = param.show(config);
    let text = value.as_str().unwrap_or_default();
    match param.kind {
        Kind::Integer(_) => range(param, &value),
        Kind::Duration if text == "0s" => Err("is not longer than 0".to_owned()),
        Kind::Cpu | Kind::Memory if !is_none(text) => quantity(text),
        Kind::Template(known) => variables(text, known, param.required_variables),
        Kind::Schedule => pattern(param, [text].into_iter()),
        Kind::Windows => pattern(
            param,
            value.as_array().into_iter().flatten().filter_map(Value::as_str),
        ),
        _ => Ok(()),
    }
}

/// Quantities that mean "none".
fn is_none(text: &str) -> bool {
    matches!(text, "" | "0" | "null")
}

fn range(param: &Param, value: &Value) -> Result<(), String> {
    let Some(number) = value.as_i64() else {
        return Ok(());
    };
    if param.min.is_some_and(|min| number < min) {
        return Err("is too small".to_owned());
    }
    if param.max.is_some_and(|max| number > max) {
        return Err("is too large".to_owned());
    }
    Ok(())
}

fn quantity(_text: &str) -> Result<(), String> {
    Ok(())
}

fn variables(text: &str, known: &[&str], required: &[&str]) -> Result<(), String> {
    let template = super::Template::new(text);
    if let Some(missing) = required
        .iter()
        .find(|name| !template.variables().any(|used| used == **name))
    {
        return Err(format!("does not contain {{{missing}}}"));
    }
    match template.variables().find(|used| !known.contains(used)) {
        Some(strange) => Err(format!("contains {{{strange}}}, which is not a variable")),
        None => Ok(()),
    }
}

fn pattern<'v>(param: &Param, mut texts: impl Iterator<Item = &'v str>) -> Result<(), String> {
    let Some(Ok(expression)) = param.pattern.map(regex_lite::Regex::new) else {
        return Ok(());
    };
    match texts.find(|text| !expression.is_match(text)) {
        Some(text) => Err(format!("does not have the form it should have: {text:?}")),
        None => Ok(()),
    }
}

/// Values that count differently than written.
pub(super) fn adjust(config: &mut OperatorConfig, form: Form) -> Vec<Finding> {
    let instances = &mut config.connection_pooler.connection_pooler_number_of_instances;
    if form == Form::Crd && *instances < 2 {
        let message = format!("{instances} counts as 2 in this form");
        *instances = 2;
        let path = "configuration.connection_pooler.connection_pooler_number_of_instances";
        return vec![Finding::new(FindingKind::Adjusted.reason(), path, message)];
    }
    Vec::new()
}

/// Values that do not go together.
pub(super) fn conflicts(config: &OperatorConfig, form: Form) -> Vec<ConfigError> {
    let place = |name: &str| super::param(name).map_or_else(|| name.to_owned(), |param| param.place(form));
    let conflict = |first: &str, others: &[&str], problem: &str| ConfigError::Conflict {
        path: place(first),
        others: others.iter().copied().map(place).collect(),
        problem: problem.to_owned(),
    };
    let mut errors = Vec::new();
    let (min, max) = (config.general.min_instances, config.general.max_instances);
    if min > 0 && max > 0 && min > max {
        errors.push(conflict(
            "min_instances",
            &["max_instances"],
            &format!("{min} is more than the maximum {max}"),
        ));
    }
    if config.connection_pooler.connection_pooler_user == config.users.super_username {
        let problem = "the pooler's role must not be the superuser";
        errors.push(conflict("connection_pooler_user", &["super_username"], problem));
    }
    errors
}
