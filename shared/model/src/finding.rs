//! How pure code reports on a manifest: what is worth knowing, and what is wrong. Lives here: the types. Who logs them, makes events of
//! them or shows them to a user is decided by the programs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest line, in characters, that API servers and clients show in full: of a warning, of what an edit will do.
pub const LINE_LIMIT: usize = 120;

/// The text in at most `limit` characters.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Something a human may want to know: a value was raised, a setting is ignored, a name is deprecated.
///
/// Never holds a secret: the texts go to logs, events and admission warnings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// One word for machines: the reason of the event that comes of it, as in `ResourceLimits`.
    pub reason: String,
    /// Path of the field that it speaks of, as in `spec.resources.limits.cpu`; empty for the whole object.
    pub path: String,
    /// One sentence, lower case, no full stop: what is, and what is done instead.
    pub message: String,
}

impl Finding {
    /// A finding about a field.
    pub fn new(reason: impl Into<String>, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            path: path.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// What happens when a rule is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The object is refused.
    Deny,
    /// The user is told.
    Warn,
}

impl Severity {
    /// Both, by the words that configurations and pages use.
    pub const WORDS: [(&'static str, Self); 2] = [("deny", Self::Deny), ("warn", Self::Warn)];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Warn => "warn",
        }
    }
}

/// Something in a manifest that cannot be accepted.
///
/// Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Violation {
    /// Path of the field, as in `spec.users.app`. First, so that violations sort by it.
    pub path: String,
    /// The rule in the catalogue, as in `PGV-017`.
    pub rule: &'static str,
    /// One sentence, lower case, no full stop: what is wrong, the value, and what is allowed.
    pub message: String,
}

impl Violation {
    /// A violation of a rule.
    pub fn new(rule: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            rule,
            message: message.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.path, self.message, self.rule)
    }
}
