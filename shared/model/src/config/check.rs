//! What values are allowed, each by itself.
//!
//! Not here: reading them (`source`), nor what must hold for several together (`rules`).

use regex_lite::Regex;
use serde_json::Value;

use super::OperatorConfig;
use super::param::{Form, Kind, Param, Width};
use super::scope::Scope;
use crate::units::cron;

impl Param {
    /// What may be written, in words.
    pub fn allowed(&self) -> String {
        let text = match self.kind {
            Kind::Text => "a text",
            Kind::Switch => "true or false",
            Kind::Integer(width) => return self.allowed_numbers(width),
            Kind::Duration => "a duration such as 30s, 10m or 1h30m, longer than 0",
            Kind::List => "a list of texts",
            Kind::Map => "key:value items",
            Kind::OneOf(words) => return format!("one of {}", words.join(", ")),
            Kind::NamespacedName => "name or namespace/name",
            Kind::MajorVersion => "a Postgres major version such as 17",
            Kind::Cpu => "a CPU quantity such as 500m or 1.5",
            Kind::Memory => "a memory quantity such as 500Mi or 2Gi",
            Kind::Template(known) => return self.allowed_variables(known),
            Kind::Schedule => "a cron schedule of five fields",
            Kind::Windows => "windows such as Sat:01:00-06:00 or 01:00-06:00 (UTC)",
            Kind::InfrastructureRoles => "definitions with secretname, userkey, passwordkey, rolekey",
            Kind::ClaimRetention => "when_deleted and when_scaled, each retain or delete",
            Kind::Selector => "a label selector such as team=shop,tier in (gold,silver)",
            Kind::Severities => "ids of rules such as PGV-011, each with deny or warn",
            Kind::Containers => "a list of containers",
            Kind::Probe => "a probe",
            Kind::Manifest(kind) => return format!("a {kind} as JSON or YAML"),
            Kind::Expressions => "a list of regular expressions",
        };
        text.to_owned()
    }

    fn allowed_numbers(&self, width: Width) -> String {
        let unsigned = matches!(width, Width::U16 | Width::U32).then_some(0);
        match (self.min.or(unsigned), self.max) {
            (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
            (Some(min), None) => format!("a whole number, at least {min}"),
            (None, Some(max)) => format!("a whole number, at most {max}"),
            (None, None) => "a whole number".to_owned(),
        }
    }

    fn allowed_variables(&self, known: &[&str]) -> String {
        format!(
            "a name with {}; variables: {}",
            braced(self.required_variables),
            braced(known)
        )
    }
}

fn braced(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("{{{name}}}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The row's own limits on the value that `config` now holds. What is odd but harmless goes to the remarks.
pub(super) fn limits(param: &Param, config: &OperatorConfig, scope: &mut Scope<'_>) -> Result<(), String> {
    let value = param.show(config);
    let text = value.as_str().unwrap_or_default();
    let items = || value.as_array().into_iter().flatten().filter_map(Value::as_str);
    match param.kind {
        Kind::Integer(_) => range(param, &value),
        Kind::Template(known) => variables(text, known, param.required_variables),
        Kind::Schedule => cron::check(text),
        Kind::Selector if !text.is_empty() => selector(text),
        Kind::Manifest(kind) if !text.is_empty() => manifest(text, kind),
        Kind::Expressions => {
            let odd = items().filter(|item| Regex::new(item).is_err());
            scope
                .remarks
                .extend(odd.map(|item| format!("{item:?} matches nothing: it is not a regular expression")));
            Ok(())
        }
        _ => Ok(()),
    }
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

/// What the API server takes as a label selector: requirements separated by commas.
fn selector(text: &str) -> Result<(), String> {
    const KEY: &str = r"([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?";
    const VALUE: &str = r"([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?";
    let values = format!(r"\(\s*{VALUE}(\s*,\s*{VALUE})*\s*\)");
    let requirement = format!(r"!?\s*{KEY}|{KEY}\s*(=|==|!=)\s*{VALUE}|{KEY}\s+(in|notin)\s*{values}");
    let whole = format!(r"^\s*({requirement})(\s*,\s*({requirement}))*\s*$");
    let is_one = Regex::new(&whole).is_ok_and(|whole| whole.is_match(text));
    is_one
        .then_some(())
        .ok_or_else(|| "is not a label selector".to_owned())
}

fn manifest(text: &str, kind: &str) -> Result<(), String> {
    let value: Value =
        serde_yaml::from_str(text).map_err(|error| format!("is neither JSON nor YAML: {error}"))?;
    match value.get("kind").and_then(Value::as_str) {
        Some(found) if found == kind => Ok(()),
        Some(found) => Err(format!("is a {found}")),
        None => Err("has no kind".to_owned()),
    }
}

/// Replaces a value that counts differently than written, and says so.
pub(super) fn adjust(config: &mut OperatorConfig, form: Form) -> Option<(&'static str, String)> {
    let instances = &mut config.connection_pooler.connection_pooler_number_of_instances;
    if form == Form::ConfigMap || *instances >= 2 {
        return None;
    }
    let message = format!("{instances} counts as 2 in this form");
    *instances = 2;
    Some(("connection_pooler_number_of_instances", message))
}

pub(super) fn place(name: &str, form: Form) -> String {
    super::param(name).map_or_else(|| name.to_owned(), |param| param.place(form))
}
