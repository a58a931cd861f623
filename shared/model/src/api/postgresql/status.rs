//! The status of a `postgresql`: Zalando's one field, and what pgherd adds beside it. Lives here: the shape. What the values are is the
//! planner's and the controller's business.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{PostgresqlSpec, Resources};
use crate::api::null_is_default;

/// What is known about a cluster.
///
/// Decoding never fails: a bare string (a very old form) is the `PostgresClusterStatus`, and a part that cannot be read is left out,
/// so that a status from another version never hides its object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostgresqlStatus {
    /// The cluster in one word, with Zalando's eight values.
    #[serde(rename = "PostgresClusterStatus")]
    #[schemars(with = "String")]
    pub postgres_cluster_status: ClusterStatus,
    /// Generation of the spec that the rest speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions, `Ready` first of all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Members that exist: what the scale subresource shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_of_instances: Option<i32>,
    /// What finds them, in the text form of a selector: what autoscalers ask the scale subresource for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
    /// Pod that runs the primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The members as Patroni and Kubernetes see them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<StatusMember>,
    /// Settings in force that the spec leaves to the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<EffectiveSettings>,
    /// What is being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSummary>,
    /// What is wanted and not done now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// Places of Patroni's configuration that the manifest set, as pointers: what leaves the manifest is taken back, what others set stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patroni_settings: Option<BTreeSet<String>>,
    /// What was made for the manifest in the database, as far as its removal policy may one day take it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<Provisioned>,
    /// What the template of the pods was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRecord>,
    /// The last spec that was valid; in force while the present one is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub last_good_spec: Option<Box<PostgresqlSpec>>,
}

/// Zalando's values of `PostgresClusterStatus`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "&'static str")]
pub enum ClusterStatus {
    /// Nothing known yet; also any word that we do not know.
    #[default]
    Unknown,
    /// The first members are not up yet.
    Creating,
    /// A change is being applied.
    Updating,
    /// The change could not be applied.
    UpdateFailed,
    /// A repair failed.
    SyncFailed,
    /// The cluster could not be made.
    CreateFailed,
    /// All is as it should be.
    Running,
    /// The manifest cannot be accepted.
    Invalid,
}

impl ClusterStatus {
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Creating,
        Self::Updating,
        Self::UpdateFailed,
        Self::SyncFailed,
        Self::CreateFailed,
        Self::Running,
        Self::Invalid,
    ];

    /// The word on the wire; unknown is the empty text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::UpdateFailed => "UpdateFailed",
            Self::SyncFailed => "SyncFailed",
            Self::CreateFailed => "CreateFailed",
            Self::Running => "Running",
            Self::Invalid => "Invalid",
        }
    }
}

impl From<String> for ClusterStatus {
    fn from(word: String) -> Self {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .unwrap_or_default()
    }
}

impl From<ClusterStatus> for &'static str {
    fn from(status: ClusterStatus) -> Self {
        status.as_str()
    }
}

/// What a template was made of: tells a change from a pgherd that makes templates otherwise than the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateRecord {
    /// Version of the pgherd that looked at it last.
    pub builder: String,
    /// Fingerprint of the spec, the parameters and the variables that decide it.
    pub inputs: String,
    /// What this version would make otherwise, and leaves for the next change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferred: Option<DeferredTemplate>,
}

/// A difference that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeferredTemplate {
    /// Fingerprint of what pods would be made anew for in the template that is not applied.
    pub wanted: String,
    /// The same of the template that stays.
    pub kept: String,
}

/// One member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusMember {
    /// Name of the pod.
    #[serde(default)]
    pub name: String,
    /// `primary`, `replica`, `sync replica` or `standby leader`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Patroni's word: `running`, `streaming`, `starting`, `stopped`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Bytes behind the primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<i64>,
    /// Timeline of its data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<i64>,
    /// A parameter waits for a restart of Postgres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_restart: Option<bool>,
    /// The pod is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
}

/// Settings in force that the spec may leave open: each was resolved from spec and operator configuration at the last reconcile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveSettings {
    /// Image of the database containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_image: Option<String>,
    /// Major version of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgresql_version: Option<String>,
    /// Members, after the operator's limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_of_instances: Option<i32>,
    /// Requests and limits of the database container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Maintenance windows.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub maintenance_windows: Vec<String>,
    /// Anything else, by its manifest name.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "serde_json::Map::is_empty"
    )]
    #[schemars(schema_with = "any_object")]
    pub other: serde_json::Map<String, Value>,
}

/// A plan in short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// Its steps in order, one line each.
    #[serde(default, deserialize_with = "null_is_default")]
    pub steps: Vec<String>,
    /// The gravest impact of all steps: `none`, `reload`, `replica restart`, `switchover`, `primary restart`, `data rewrite`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact: Option<String>,
}

/// A step that is wanted and held back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The step, one line.
    #[serde(default)]
    pub step: String,
    /// What it waits for.
    #[serde(default)]
    pub reason: String,
    /// When it will be looked at again, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// What the manifest gave, so that it can be told from what others gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provisioned {
    /// Roles by name.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub roles: BTreeMap<String, ProvisionedRole>,
    /// Names of databases.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    pub databases: BTreeSet<String>,
}

/// What the manifest gave to a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvisionedRole {
    /// Attributes, in the words of SQL.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    pub flags: BTreeSet<String>,
    /// Roles that it was made a member of.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    pub member_of: BTreeSet<String>,
    /// Names of settings.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    pub parameters: BTreeSet<String>,
}

/// An object that the schema says nothing more about.
fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

impl<'de> Deserialize<'de> for PostgresqlStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(word) => Self::from(ClusterStatus::from(word)),
            whole @ Value::Object(_) => Self::read(whole),
            _ => Self::default(),
        })
    }
}

impl From<ClusterStatus> for PostgresqlStatus {
    fn from(word: ClusterStatus) -> Self {
        Self {
            postgres_cluster_status: word,
            ..Self::default()
        }
    }
}

impl PostgresqlStatus {
    /// Reads part by part, so that one unreadable part costs only itself.
    fn read(mut whole: Value) -> Self {
        fn part<T: serde::de::DeserializeOwned + Default>(whole: &mut Value, key: &str) -> T {
            whole
                .get_mut(key)
                .map(Value::take)
                .and_then(|value| serde_json::from_value(value).ok())
                .unwrap_or_default()
        }
        Self {
            postgres_cluster_status: part(&mut whole, "PostgresClusterStatus"),
            observed_generation: part(&mut whole, "observedGeneration"),
            conditions: part(&mut whole, "conditions"),
            number_of_instances: part(&mut whole, "numberOfInstances"),
            label_selector: part(&mut whole, "labelSelector"),
            primary: part(&mut whole, "primary"),
            members: part(&mut whole, "members"),
            effective: part(&mut whole, "effective"),
            plan: part(&mut whole, "plan"),
            holds: part(&mut whole, "holds"),
            patroni_settings: part(&mut whole, "patroniSettings"),
            provisioned: part(&mut whole, "provisioned"),
            template: part(&mut whole, "template"),
            last_good_spec: part(&mut whole, "lastGoodSpec"),
        }
    }
}
