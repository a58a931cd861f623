//! `streams`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::null_is_default;

/// A change stream of one application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    /// The application the events belong to.
    #[serde(default, deserialize_with = "null_is_default")]
    pub application_id: String,
    /// The database to read.
    #[serde(default, deserialize_with = "null_is_default")]
    pub database: String,
    /// Tables to stream: `schema.table` to their event.
    #[serde(default, deserialize_with = "null_is_default")]
    pub tables: BTreeMap<String, StreamTable>,
    /// Per table, a JSON path that events must match.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "BTreeMap<String, String>")]
    pub filter: BTreeMap<String, Option<String>>,
    /// Events per batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// Cores of the stream's worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Memory of the stream's worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Events that cannot be delivered go to a dead letter queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_recovery: Option<bool>,
}

/// One table of a [`Stream`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamTable {
    /// Type of the events.
    #[serde(default, deserialize_with = "null_is_default")]
    pub event_type: String,
    /// Type of the events in the dead letter queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_event_type: Option<String>,
    /// Drop what cannot be delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_recovery: Option<bool>,
    /// Column with the event's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_column: Option<String>,
    /// Column with the event's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_column: Option<String>,
}
