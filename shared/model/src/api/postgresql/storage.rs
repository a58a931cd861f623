//! `volume` and `additionalVolumes`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::null_is_default;

/// The data volume of each member.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Size in bytes: `10Gi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Storage class of the claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Labels of volumes that may be bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// Directory in the volume that is mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<String>,
    /// `subPath` holds variables to expand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_sub_path_expr: Option<bool>,
    /// Input and output operations per second of an EBS volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops: Option<i32>,
    /// Throughput of an EBS volume, MB per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Option<i32>,
    /// Type of an EBS volume: `gp3`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<String>,
}

/// A further volume of the database pods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalVolume {
    /// Name of the volume in the pod.
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    /// Where it is mounted.
    #[serde(default, deserialize_with = "null_is_default")]
    pub mount_path: String,
    /// Directory in the volume that is mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<String>,
    /// `subPath` holds variables to expand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_sub_path_expr: Option<bool>,
    /// Containers that mount it: absent only `postgres`, `["all"]` every one.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub target_containers: Vec<String>,
    /// Any volume source of core/v1, passed on as it is.
    #[serde(default)]
    pub volume_source: Value,
}
