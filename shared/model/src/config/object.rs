//! The wire kind `OperatorConfiguration`, as the programs watch it.
//!
//! Its `configuration` stays JSON here: what it means is read by `source::from_object` and by nothing else.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::source::{self, Outcome};
use crate::api::{API_VERSION, GROUP, VERSION};

pub(super) const KIND: &str = "OperatorConfiguration";
pub(super) const PLURAL: &str = "operatorconfigurations";

/// An `OperatorConfiguration` as stored. `Debug` shows only which object it is: the configuration may hold
/// credentials.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorConfiguration {
    #[serde(default = "api_version")]
    api_version: String,
    #[serde(default = "kind")]
    kind: String,
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Everything under `configuration`, as the API server stores it.
    #[serde(default)]
    pub configuration: Value,
    /// What the controller reported about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OperatorConfigurationStatus>,
}

/// What the controller reports about a configuration.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorConfigurationStatus {
    /// The generation that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted` and its kin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

impl OperatorConfiguration {
    /// Makes an object around a `configuration`.
    pub fn new(name: &str, namespace: &str, configuration: Value) -> Self {
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        };
        Self {
            api_version: api_version(),
            kind: kind(),
            metadata,
            configuration,
            status: None,
        }
    }

    /// Reads what it says, by [`source::from_object`].
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn parse(&self, operator_namespace: &str) -> Outcome {
        source::from_configuration(Some(&self.configuration), operator_namespace)
    }
}

impl fmt::Debug for OperatorConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(KIND)
            .field("namespace", &self.metadata.namespace)
            .field("name", &self.metadata.name)
            .field("generation", &self.metadata.generation)
            .finish_non_exhaustive()
    }
}

impl Resource for OperatorConfiguration {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

fn api_version() -> String {
    API_VERSION.to_owned()
}

fn kind() -> String {
    KIND.to_owned()
}
