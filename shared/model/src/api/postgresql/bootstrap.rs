//! Where the first member's data comes from (`clone`, `standby`), and `tls`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{null_is_default, secret_in_clear},
    secret::Secret,
};

/// Start as a copy of another cluster: with `timestamp` from its archive, without from the running cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CloneDescription {
    /// Name of the source.
    #[serde(default, deserialize_with = "null_is_default")]
    pub cluster: String,
    /// Identity of the source: part of the path in the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Point in time to recover to, RFC 3339 with a numeric offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Path of the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_wal_path: Option<String>,
    /// Address of the object store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_endpoint: Option<String>,
    /// Key id for the object store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_access_key_id: Option<String>,
    /// Key for the object store, in clear as the user wrote it.
    #[serde(serialize_with = "secret_in_clear", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub s3_secret_access_key: Option<Secret>,
    /// Bucket in the path instead of the host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_force_path_style: Option<bool>,
}

/// Follow a primary elsewhere: its archive, its host, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandbyDescription {
    /// Archive in S3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_wal_path: Option<String>,
    /// Archive in Google's storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gs_wal_path: Option<String>,
    /// Host to stream from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standby_host: Option<String>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standby_port: Option<String>,
    /// Replication slot on that host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standby_primary_slot_name: Option<String>,
}

/// The server's certificate, from a secret. File names are relative to the mounted secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsDescription {
    /// The secret; empty switches the section off.
    #[serde(default, deserialize_with = "null_is_default")]
    pub secret_name: String,
    /// Certificate, `tls.crt` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<String>,
    /// Key, `tls.key` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key_file: Option<String>,
    /// Authorities of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Secret that holds `caFile`, when it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_secret_name: Option<String>,
}
