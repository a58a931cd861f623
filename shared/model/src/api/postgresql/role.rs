//! `userOptions` and `removalPolicy`: pgherd's own, beside `users` and `databases`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::null_is_default;

/// What a user is beyond its flags. What is absent stays as it is in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserOptions {
    /// Sessions at the same time, -1 for as many as there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_limit: Option<i32>,
    /// Until when the password is valid: a time as in `2030-01-31T00:00:00Z`, or `infinity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// Roles that it is a member of.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub member_of: Vec<String>,
    /// Settings of its sessions, as by `ALTER ROLE SET`; all values are texts.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub parameters: BTreeMap<String, String>,
    /// A secret beside the cluster that holds the password. Absent: the operator draws one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_from: Option<PasswordKey>,
}

/// A value in a secret of the cluster's namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordKey {
    /// Name of the secret.
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    /// Key in it. Absent: `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What becomes of what leaves the manifest. Absent: it stays, as with Zalando's operator. It counts from the moment on at which it is set:
/// what left before stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovalPolicy {
    /// Users, and the roles of prepared databases: `keep`; `revoke`: they cannot log in and are members of nothing any more; `drop`: what they
    /// own goes to `reassignOwnedTo`, and they are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<String>,
    /// Memberships that the manifest gave: `keep`, `revoke`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memberships: Option<String>,
    /// Flags and settings that the manifest gave: `keep`, `revoke`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// Databases: `keep`; `drop`: they are dropped with all that is in them, once nobody is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub databases: Option<String>,
    /// The role that gets what dropped users own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reassign_owned_to: Option<String>,
}
