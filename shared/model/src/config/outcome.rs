//! What reading a configuration can come to: errors, and findings that do not stop it.

use super::param::{Form, Kind, Param};
use super::value::REDACTED;
use crate::finding::{LINE_LIMIT, shorten};

/// One thing that is wrong with a configuration. All of them are reported together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value cannot be read, or is outside of what is allowed.
    #[error("{path}: {value} {problem}; allowed: {allowed}")]
    Value {
        /// Key of the ConfigMap, or path in the OperatorConfiguration.
        path: String,
        /// The value as given, or a fixed word for a secret.
        value: String,
        /// What is wrong with it.
        problem: String,
        /// What would be right.
        allowed: String,
    },
    /// Values that are fine each by itself do not go together.
    #[error("{path}: {problem}; see also {}", .others.join(", "))]
    Conflict {
        /// The parameter to change first.
        path: String,
        /// The other parameters involved.
        others: Vec<String>,
        /// Why they do not go together.
        problem: String,
    },
    /// The object is not made like an OperatorConfiguration.
    #[error("{path}: {problem}")]
    Shape {
        /// Path of the part that is not an object.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl ConfigError {
    /// Key of the ConfigMap, or path in the OperatorConfiguration.
    pub fn path(&self) -> &str {
        match self {
            Self::Value { path, .. } | Self::Conflict { path, .. } | Self::Shape { path, .. } => path,
        }
    }

    pub(super) fn value(param: &Param, form: Form, value: &str, problem: String) -> Self {
        let hidden = param.secret || param.kind == Kind::Containers;
        let value = if hidden {
            REDACTED.to_owned()
        } else {
            shorten(value, LINE_LIMIT)
        };
        Self::Value {
            path: param.place(form),
            value,
            problem,
            allowed: param.allowed(),
        }
    }
}

/// The sorts of findings; each is the `reason` of a [`Finding`](crate::finding::Finding).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// No parameter has this name.
    Unknown,
    /// A parameter of earlier versions that no longer does anything.
    Retired,
    /// The parameter works but should not be used any more.
    Deprecated,
    /// The value, or part of it, has no effect.
    Ignored,
    /// Another value counts than the one that was written.
    Adjusted,
    /// The value is taken literally and may not be what was meant.
    Remark,
}

impl FindingKind {
    /// The reason's word.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "UnknownParameter",
            Self::Retired => "RetiredParameter",
            Self::Deprecated => "DeprecatedParameter",
            Self::Ignored => "ParameterIgnored",
            Self::Adjusted => "ParameterAdjusted",
            Self::Remark => "ParameterRemark",
        }
    }
}
