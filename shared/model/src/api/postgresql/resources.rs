//! Requests and limits as the manifest writes them: texts, not quantities (those are in `units`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Requests and limits of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// What the scheduler reserves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceDescription>,
    /// What the container may use at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceDescription>,
}

/// Amounts of one side of [`Resources`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceDescription {
    /// Cores: `500m`, `1.5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Bytes: `1Gi`, `500M`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Bytes in huge pages of 2 MiB.
    #[serde(rename = "hugepages-2Mi", skip_serializing_if = "Option::is_none")]
    pub hugepages_2mi: Option<String>,
    /// Bytes in huge pages of 1 GiB.
    #[serde(rename = "hugepages-1Gi", skip_serializing_if = "Option::is_none")]
    pub hugepages_1gi: Option<String>,
}
