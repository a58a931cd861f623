//! An answer, or why there is none. Lives here: the one type that whatever is asked of others is wrapped in.

use serde::{Deserialize, Serialize};

/// What one source said. A source that did not answer is unknown: nothing may be concluded from silence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source<T> {
    /// The answer.
    Known(T),
    /// Why there is none, in words for the status: "not asked: no primary", "GET /cluster on 10.0.0.3: timed out".
    Unknown(String),
}

impl<T> Source<T> {
    /// The answer, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// Why there is no answer.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(reason) => Some(reason),
        }
    }
}

impl<T> Default for Source<T> {
    fn default() -> Self {
        Self::Unknown("not asked".to_owned())
    }
}
