//! The wire: what users write and what is stored, `acid.zalan.do/v1`. Lives here: types that mirror the JSON one to one, decoding with field
//! paths, and nothing else. Must not: defaults, validation or meaning (`default`, `validate`, `cluster`).
//!
//! Decoding is tolerant of everything that Zalando's operator versions 1 and 2 have ever stored: every field may be absent, every list and
//! map may be null, unknown fields are ignored, the status may be a bare string. A wrong type is an error with the path of the field.
//!
//! Maps are sorted by key: the API server sorts them too, so nothing may depend on the order in which a user wrote them.

use serde::{Deserialize, Deserializer, Serializer, de::DeserializeOwned};
use serde_json::Value;

use crate::secret::Secret;

pub mod postgresql;
pub mod team;

pub use postgresql::status;

/// The API group of all kinds.
pub const GROUP: &str = "acid.zalan.do";
/// The only version there has ever been.
pub const VERSION: &str = "v1";
/// `apiVersion` of all kinds.
pub const API_VERSION: &str = "acid.zalan.do/v1";

/// A value has the wrong type for its field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path}: {message}")]
pub struct DecodeError {
    /// Path of the field from the object's root, as in `spec.users.app[0]`; `.` when the root itself is wrong.
    pub path: String,
    /// What was found and what was expected.
    pub message: String,
}

/// Reads an object, or a part of one, from JSON.
///
/// # Errors
/// The first value of a wrong type. (Zalando's operator calls such an object `Invalid` and keeps its metadata: `metadata` can be decoded
/// by itself.)
pub fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, DecodeError> {
    // Keeping track of paths doubles the time, and only an error needs one.
    if let Ok(decoded) = T::deserialize(value) {
        return Ok(decoded);
    }
    serde_path_to_error::deserialize(value).map_err(|error| DecodeError {
        path: error.path().to_string(),
        message: error.inner().to_string(),
    })
}

/// Null means the same as absent: Go decodes both to the zero value.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// As [`null_is_default`], and a null value in the map is an empty one: `users: {reporting: }`.
pub(crate) fn null_values_are_default<'de, D, T>(
    deserializer: D,
) -> Result<std::collections::BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    let map: Option<std::collections::BTreeMap<String, Option<T>>> = Option::deserialize(deserializer)?;
    Ok(map
        .unwrap_or_default()
        .into_iter()
        .map(|(key, value)| (key, value.unwrap_or_default()))
        .collect())
}

/// Writes a secret that the user's own manifest holds in clear back into that manifest. For nothing else.
#[expect(clippy::ref_option, reason = "serde passes the field itself")]
pub(crate) fn secret_in_clear<S: Serializer>(
    secret: &Option<Secret>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => serializer.serialize_some(secret.expose()),
        None => serializer.serialize_none(),
    }
}
