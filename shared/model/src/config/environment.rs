//! What environment variables and flags override after the configuration was read.
//!
//! Not here: reading them. The programs do, and hand the values in.

use super::{OperatorConfig, OperatorMode};
use crate::secret::Secret;

/// Values from outside of the configuration. Absent or empty means: nothing overridden.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `WATCHED_NAMESPACE`: one, several separated by commas, or `*` for all.
    pub watched_namespace: Option<String>,
    /// `WATCHED_NAMESPACE_SELECTOR`.
    pub watched_namespace_selector: Option<String>,
    /// `OPERATOR_MODE`. A live operator is what the configuration makes it.
    pub mode: Option<OperatorMode>,
    /// `SCALYR_API_KEY`.
    pub scalyr_api_key: Option<Secret>,
    /// The flag `-nodatabaseaccess`.
    pub no_database_access: bool,
    /// The flag `-noteamsapi`.
    pub no_teams_api: bool,
}

impl Overrides {
    /// The configuration with the overrides in force.
    #[must_use]
    pub fn apply(&self, mut config: OperatorConfig) -> OperatorConfig {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(namespace) = given(&self.watched_namespace) {
            config.kubernetes.watched_namespace = Some(namespace);
        }
        if let Some(selector) = given(&self.watched_namespace_selector) {
            config.fleet.watched_namespace_selector = Some(selector);
        }
        if let Some(mode) = self.mode {
            config.fleet.operator_mode = mode;
        }
        if let Some(key) = self.scalyr_api_key.as_ref().filter(|key| !key.is_empty()) {
            config.scalyr.scalyr_api_key = Some(key.clone());
        }
        config.debug.enable_database_access &= !self.no_database_access;
        config.teams_api.enable_teams_api &= !self.no_teams_api;
        config
    }
}

/// The namespaces whose clusters an operator looks after, besides those that `watched_namespace_selector` finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Every namespace.
    All,
    /// These, in order, each once; none when only the selector counts.
    Namespaces(Vec<String>),
}

impl OperatorConfig {
    /// What `watched_namespace` means for an operator in the given namespace: one, several separated by commas, `*` for all. Without it the
    /// operator's own, unless a selector says which.
    pub fn watch(&self, operator_namespace: &str) -> Watch {
        let text = self.kubernetes.watched_namespace.as_deref().unwrap_or_default();
        let mut names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        names.retain(|name| !name.is_empty());
        names.sort();
        names.dedup();
        if names.iter().any(|name| name == "*") {
            return Watch::All;
        }
        if names.is_empty() && self.fleet.watched_namespace_selector.is_none() {
            names.push(operator_namespace.to_owned());
        }
        Watch::Namespaces(names)
    }
}
