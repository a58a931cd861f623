//! A string that must not be seen: passwords, keys, tokens. Lives here: the type and nothing else. It has no `Display` and no `Serialize`,
//! so whoever writes one out must call [`Secret::expose`], which is what a reviewer searches for.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A secret text. Memory is overwritten on drop; `Debug` prints a fixed word, so that neither value nor length leaks.
///
/// ```
/// let password = pgherd_model::secret::Secret::new("hunter2");
/// assert_eq!(format!("{password:?}"), "Secret(redacted)");
/// assert_eq!(password.expose(), "hunter2");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership, so that no second copy of an owned string stays behind.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Only for the place that sends or stores it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_text_nor_length() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only its Debug is looked at")]
        struct Holder {
            password: Option<Secret>,
        }
        let shown = |text: &str| {
            format!(
                "{:?}",
                Holder {
                    password: Some(Secret::new(text))
                }
            )
        };
        assert!(!shown("hunter2").contains("hunter2"));
        assert_eq!(shown("a"), shown("a much longer one"));
    }

    #[test]
    fn is_read_from_plain_text() {
        let secret: Secret = serde_json::from_str("\"swordfish\"").unwrap();
        assert_eq!(secret.expose(), "swordfish");
    }
}
