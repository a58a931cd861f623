//! The `PostgresTeam` kind: extra members and memberships, merged over all objects by the controller.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null_values_are_default;

/// Additions to teams. Keys are team names.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "acid.zalan.do",
    version = "v1",
    kind = "PostgresTeam",
    plural = "postgresteams",
    singular = "postgresteam",
    shortname = "pgteam",
    category = "all",
    namespaced,
    derive = "Default",
    derive = "PartialEq",
    doc = "Additions to the members of teams."
)]
#[serde(rename_all = "camelCase")]
pub struct PostgresTeamSpec {
    /// Teams whose members become superusers in the clusters of the team that is the key.
    #[serde(
        default,
        deserialize_with = "null_values_are_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub additional_superuser_teams: BTreeMap<String, Vec<String>>,
    /// Teams whose members also become members of the team that is the key.
    #[serde(
        default,
        deserialize_with = "null_values_are_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub additional_teams: BTreeMap<String, Vec<String>>,
    /// Users who also become members of the team that is the key.
    #[serde(
        default,
        deserialize_with = "null_values_are_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub additional_members: BTreeMap<String, Vec<String>>,
}
