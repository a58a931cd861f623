//! `connectionPooler`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Resources;

/// Settings of the poolers; each that is absent follows the operator's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionPooler {
    /// Pooler pods per role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_of_instances: Option<i32>,
    /// Schema of the look-up function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Role with which the pooler looks up passwords.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// When a server connection is given back: `session` or `transaction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Image of the pooler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_image: Option<String>,
    /// Connections to Postgres over all pooler pods.
    #[serde(rename = "maxDBConnections", skip_serializing_if = "Option::is_none")]
    pub max_db_connections: Option<i32>,
    /// Requests and limits of a pooler pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}
