//! Parts of the manifest that a [`Cluster`](super::Cluster) does not interpret: poolers, dumps and streams. They travel as written.

use crate::api::postgresql::{ConnectionPooler, PostgresqlSpec, Stream};

/// Sections as the manifest has them: absent still means the operator's default here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unparsed {
    /// A pooler in front of the primary; absent and a section there: yes.
    pub enable_connection_pooler: Option<bool>,
    /// A pooler in front of the replicas.
    pub enable_replica_connection_pooler: Option<bool>,
    /// Settings of the poolers.
    pub connection_pooler: Option<ConnectionPooler>,
    /// Regular dumps.
    pub enable_logical_backup: Option<bool>,
    /// When to dump.
    pub logical_backup_schedule: Option<String>,
    /// How long dumps are kept.
    pub logical_backup_retention: Option<String>,
    /// Change streams.
    pub streams: Vec<Stream>,
}

impl Unparsed {
    pub(super) fn of(spec: &PostgresqlSpec) -> Self {
        Self {
            enable_connection_pooler: spec.enable_connection_pooler,
            enable_replica_connection_pooler: spec.enable_replica_connection_pooler,
            connection_pooler: spec.connection_pooler.clone(),
            enable_logical_backup: spec.enable_logical_backup,
            logical_backup_schedule: spec.logical_backup_schedule.clone(),
            logical_backup_retention: spec.logical_backup_retention.clone(),
            streams: spec.streams.clone(),
        }
    }
}
