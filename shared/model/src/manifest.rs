//! A `postgresql` object, read once for all who ask about it: rules, and what a change of it does. Must not: judge it.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::api::postgresql::Postgresql;
use crate::api::{self, DecodeError};
use crate::cluster::Cluster;
use crate::config::OperatorConfig;
use crate::default;
use crate::finding::Violation;

/// An object with its defaults in place, and what it means.
pub struct Manifest<'a> {
    /// As JSON.
    pub raw: Cow<'a, Value>,
    /// As types; an error when a field does not have the type that it must have.
    pub content: Result<Content, DecodeError>,
}

/// An object that could be decoded.
#[derive(Debug)]
pub struct Content {
    /// As it is written.
    pub object: Postgresql,
    /// What it means; all places that keep it from being used otherwise.
    pub cluster: Result<Cluster, Vec<Violation>>,
}

impl<'a> Manifest<'a> {
    /// Reads a raw `postgresql` object. What it leaves out is filled in as admission does, on an update with what is `stored`.
    pub fn read(raw: &'a Value, stored: Option<&Value>, config: &OperatorConfig) -> Self {
        Self::complete(default::complete(raw, stored, config), config)
    }

    /// Reads an object that has its defaults.
    pub(crate) fn complete(raw: Cow<'a, Value>, config: &OperatorConfig) -> Self {
        let content = api::decode::<Postgresql>(&raw).map(|object| Content {
            cluster: Cluster::parse(&object, config),
            object,
        });
        Self { raw, content }
    }

    /// It is on its way out.
    pub fn is_deleting(&self) -> bool {
        let stamp = self.raw.pointer("/metadata/deletionTimestamp");
        stamp.is_some_and(|stamp| !stamp.is_null())
    }
}

/// Keys may stand in a manifest in clear.
impl fmt::Debug for Manifest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Manifest");
        shown.field("name", &self.raw.pointer("/metadata/name"));
        shown
            .field("error", &self.content.as_ref().err())
            .finish_non_exhaustive()
    }
}
