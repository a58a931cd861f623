//! What the readers of the parts share while a manifest is read. Lives here: their inputs, and where they leave what they found.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    api::postgresql::PostgresqlSpec,
    config::OperatorConfig,
    finding::{Finding, Violation},
    names::Names,
    units::Quantity,
};

/// One manifest being read.
pub(super) struct Reading<'a> {
    pub(super) meta: &'a ObjectMeta,
    /// The spec without the names of version 1.
    pub(super) spec: &'a PostgresqlSpec,
    pub(super) config: &'a OperatorConfig,
    /// Of its objects; they cost too much to be made for each.
    pub(super) names: Names,
    pub(super) violations: Vec<Violation>,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(meta: &'a ObjectMeta, spec: &'a PostgresqlSpec, config: &'a OperatorConfig) -> Self {
        let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
        Self {
            meta,
            spec,
            config,
            names: Names::of(namespace.unwrap_or_default(), name.unwrap_or_default(), config),
            violations: Vec::new(),
            findings: Vec::new(),
        }
    }

    pub(super) fn into_reports(self) -> (Vec<Finding>, Vec<Violation>) {
        (self.findings, self.violations)
    }

    pub(super) fn violate(
        &mut self,
        rule: &'static str,
        path: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.violations.push(Violation::new(rule, path, message));
    }

    pub(super) fn note(&mut self, reason: &str, path: impl Into<String>, message: impl Into<String>) {
        self.findings.push(Finding::new(reason, path, message));
    }

    /// Reads a quantity that must not be negative; what is wrong is a violation of `rule`.
    pub(super) fn quantity(&mut self, rule: &'static str, path: &str, text: &str) -> Option<Quantity> {
        match Quantity::parse(text) {
            Ok(quantity) if quantity.is_negative() => {
                self.violate(rule, path, format!("{text:?} is negative"));
                None
            }
            Ok(quantity) => Some(quantity),
            Err(error) => {
                self.violate(rule, path, error.to_string());
                None
            }
        }
    }

    /// Whether the object carries the annotation, whose key is configured, with the value `true`.
    pub(super) fn has_switch(&self, key: Option<&String>) -> bool {
        let annotations = self.meta.annotations.as_ref();
        key.and_then(|key| annotations?.get(key))
            .is_some_and(|value| value == "true")
    }
}

/// Those entries of `map` whose keys are listed.
pub(super) fn pick(map: Option<&BTreeMap<String, String>>, keys: &[String]) -> BTreeMap<String, String> {
    let found = |key: &String| Some((key.clone(), map?.get(key)?.clone()));
    keys.iter().filter_map(found).collect()
}
