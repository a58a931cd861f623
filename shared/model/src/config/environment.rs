//! What environment variables and flags override after the configuration was read.
//!
//! Not here: reading them. The programs do, and hand the values in.

use super::OperatorConfig;
use crate::secret::Secret;

/// Values from outside of the configuration. Absent or empty means: nothing overridden.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `WATCHED_NAMESPACE`; `*` for all.
    pub watched_namespace: Option<String>,
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
        if let Some(namespace) = self
            .watched_namespace
            .as_ref()
            .filter(|namespace| !namespace.is_empty())
        {
            config.kubernetes.watched_namespace = Some(namespace.clone());
        }
        if let Some(key) = self.scalyr_api_key.as_ref().filter(|key| !key.is_empty()) {
            config.scalyr.scalyr_api_key = Some(key.clone());
        }
        config.debug.enable_database_access &= !self.no_database_access;
        config.teams_api.enable_teams_api &= !self.no_teams_api;
        config
    }
}

/// The namespaces whose clusters an operator looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Every namespace.
    All,
    /// One namespace.
    Namespace(String),
}

impl OperatorConfig {
    /// What `watched_namespace` means for an operator in the given namespace.
    pub fn watch(&self, operator_namespace: &str) -> Watch {
        match self.kubernetes.watched_namespace.as_deref() {
            Some("*") => Watch::All,
            Some(namespace) => Watch::Namespace(namespace.to_owned()),
            None => Watch::Namespace(operator_namespace.to_owned()),
        }
    }
}
