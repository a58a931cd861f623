//! The operator's own configuration under review, in both forms, by the parser that the controller uses and the rules in `config`. Must not:
//! other rules, but the one that needs to know all the others.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::Value;

use super::{
    Check, Example, Excuses, Found, Hit, Review, Rule,
    Severity::Warn,
    When::Changed,
    policy::{self, Policy},
};
use crate::config::{ConfigError, Form, OperatorConfig, param, rules as rows, source};

pub use crate::config::rules::{CONFLICT, SHAPE, VALUE};

/// Reviews a configuration that is being stored: an `OperatorConfiguration`, or the ConfigMap of that form; `old` is the stored object on an
/// update, whose own mistakes never block it. Names without a namespace are in `operator_namespace`.
///
/// Neither profile nor severities count here: they would be those of the configuration under review.
pub fn operator_configuration(
    new: &Value,
    old: Option<&Value>,
    form: Form,
    operator_namespace: &str,
) -> Review {
    let (found, config) = look(new, form, operator_namespace);
    let stored = old.map(|old| look(old, form, operator_namespace).0);
    let stored = stored.unwrap_or_default().into_iter();
    let excuses = Excuses {
        known: stored.map(|(rule, hit)| (rule.id, hit.path)).collect(),
        ..Excuses::default()
    };
    Policy::of(&config).settle(found, old.is_some(), &excuses)
}

/// All rules about the operator's configuration, in the order of their ids.
pub(super) fn rules() -> &'static [Rule] {
    static ALL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        let mut rules: Vec<Rule> = rows::RULES.iter().map(of_row).collect();
        rules.push(SEVERITIES);
        rules.sort_by_key(|rule| rule.id);
        rules
    });
    &ALL
}

const fn of_row(row: &rows::ConfigRule) -> Rule {
    Rule {
        id: row.id,
        paths: row.parameters,
        severity: row.severity,
        fixed: true,
        when: Changed,
        demand: row.demand,
        reason: row.reason,
        accepts: Example::of(row.accepts),
        rejects: Example::of(row.rejects),
        since: row.since,
        check: Check::Configuration,
    }
}

const SEVERITIES: Rule = Rule {
    id: "PGC-016",
    paths: &["validation_severity"],
    severity: Warn,
    fixed: true,
    when: Changed,
    demand: "Severities are given to rules that there are, and that can have another one.",
    reason: "An unknown id is ignored, and so is one whose rule is fixed: what that keeps out would reach beyond the cluster.",
    accepts: Example::of("validation_severity: 'PGV-011:deny'"),
    rejects: Example::of("validation_severity: 'PGV-911:deny'"),
    since: "0.1",
    check: Check::Configuration,
};

/// What is found, and what the configuration comes to.
fn look(object: &Value, form: Form, operator_namespace: &str) -> (Found, OperatorConfig) {
    let look = match form {
        Form::Crd => source::look_at_object(object, operator_namespace),
        Form::ConfigMap => match texts(object.get("data")) {
            Ok(data) => source::look_at_config_map(&data, operator_namespace),
            Err(hit) => {
                let found = known(SHAPE, hit).into_iter().collect();
                return (found, OperatorConfig::default_for(form));
            }
        },
    };
    let errors = look
        .errors
        .iter()
        .filter_map(|error| known(id(error), hit(error)));
    let remarks = look.remarks.iter().filter_map(|remark| {
        let finding = &remark.finding;
        known(
            remark.rule,
            Hit::new(finding.path.clone(), finding.message.clone()),
        )
    });
    let severities = severities(&look.config, form);
    let found = errors.chain(remarks).chain(severities).collect();
    (found, look.config)
}

fn known(id: &str, hit: Hit) -> Option<(&'static Rule, Hit)> {
    let rule = rules().iter().find(|rule| rule.id == id);
    debug_assert!(rule.is_some(), "{id} has a row");
    Some((rule?, hit))
}

fn severities(config: &OperatorConfig, form: Form) -> Vec<(&'static Rule, Hit)> {
    let path = param("validation_severity").map_or_else(String::new, |param| param.place(form));
    let problem = |id: &String| match super::rule(id) {
        Some(rule) if policy::is_fixed(rule) => Some(format!("{id} is ignored: its severity is fixed")),
        Some(_) => None,
        None => Some(format!("{id} is no rule; did you mean {}?", nearest(id))),
    };
    let ids = config.admission.validation_severity.keys();
    ids.filter_map(|id| known(SEVERITIES.id, Hit::new(path.clone(), problem(id)?)))
        .collect()
}

/// The rule whose id is most like this one.
fn nearest(id: &str) -> &'static str {
    let ids = super::rules()
        .filter(|rule| !policy::is_fixed(rule))
        .map(|rule| rule.id);
    ids.min_by_key(|known| strsim::osa_distance(id, known))
        .unwrap_or_default()
}

fn texts(data: Option<&Value>) -> Result<BTreeMap<String, String>, Hit> {
    let fields = match data {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(Hit::new("data", "is not an object")),
    };
    let text = |(key, value): (&String, &Value)| match value {
        Value::String(text) => Ok((key.clone(), text.clone())),
        _ => Err(Hit::new(
            format!("data.{key}"),
            "is not a string; write it in quotes",
        )),
    };
    fields.iter().map(text).collect()
}

const fn id(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Value { .. } => VALUE,
        ConfigError::Conflict { .. } => CONFLICT,
        ConfigError::Shape { .. } => SHAPE,
    }
}

/// The error's own words, without the path in front.
fn hit(error: &ConfigError) -> Hit {
    let text = error.to_string();
    let message = text
        .strip_prefix(error.path())
        .and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(&text);
    Hit::new(error.path(), message)
}

#[cfg(test)]
mod tests;
