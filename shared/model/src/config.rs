//! The operator's own configuration: one row per parameter, and everything that is made of the rows.
//!
//! ```text
//! section/*.rs (rows) ─┬─► source   ConfigMap or OperatorConfiguration ─► OperatorConfig + findings, or all errors
//!                      ├─► schema   CRD of OperatorConfiguration
//!                      ├─► reference, render   documentation page, sample configurations
//!                      └─► view, changes   what is in force (no secrets), what a change touches
//! ```
//!
//! Not here: what a parameter does. That is said by its row and done by `cluster` and the planner.

mod check;
pub mod choice;
pub mod compound;
pub mod environment;
mod object;
mod outcome;
mod param;
pub mod reference;
pub mod render;
mod retired;
pub mod rules;
pub mod schema;
mod scope;
mod section;
mod severity;
pub mod source;
pub mod template;
mod text;
mod value;
mod view;

pub use crate::finding::Finding;
pub use choice::{
    ApiScheme, BackupProvider, ClaimFate, OperatorMode, PodManagement, PoolerMode, ReadinessMerge,
    ResizeMode, TlsVerification, TrafficPolicy, UpgradeMode, ValidationProfile,
};
pub use compound::{ClaimRetention, InfrastructureRole, NamespacedName};
pub use environment::{Overrides, Watch};
pub use object::{OperatorConfiguration, OperatorConfigurationStatus};
pub use outcome::{ConfigError, FindingKind};
pub use param::{Affects, Form, Forms, Kind, Param, Width};
pub use rules::ROTATION_DAYS;
pub use section::{
    Admission, AwsOrGcp, ConnectionPooler, Debugging, Fleet, General, Kubernetes, LoadBalancer,
    LoggingRestApi, LogicalBackup, MajorVersionUpgrade, OperatorConfig, Patroni, PostgresPodResources,
    Provisioning, Scalyr, Section, TeamsApi, Timeouts, Users,
};
pub use template::Template;

/// Every row, section by section.
pub fn params() -> impl Iterator<Item = &'static Param> {
    section::SECTIONS.iter().flat_map(|section| section.params)
}

/// The row of the parameter with this name.
pub fn param(name: &str) -> Option<&'static Param> {
    params().find(|param| param.name == name)
}

impl OperatorConfig {
    /// The defaults of a form, for an operator in the namespace `default`.
    ///
    /// ```
    /// use pgherd_model::config::{Form, OperatorConfig};
    /// let config = OperatorConfig::default_for(Form::ConfigMap);
    /// assert_eq!(config.kubernetes.pod_role_label, "spilo-role");
    /// assert!(config.load_balancer.enable_master_load_balancer);
    /// assert!(!OperatorConfig::default_for(Form::Crd).load_balancer.enable_master_load_balancer);
    /// ```
    pub fn default_for(form: Form) -> Self {
        source::defaults(form, "default")
    }
}

#[cfg(test)]
pub(crate) mod tests;
