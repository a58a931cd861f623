//! Quoting for SQL. The only place where a text becomes part of a statement.

use std::fmt;

use super::UnitError;

/// Longest identifier, in bytes; Postgres cuts what is longer, and two names could become one.
pub const IDENTIFIER_LIMIT: usize = 63;

/// The name of a role, database, schema, … as it is in the catalog. `Display` quotes it, always.
///
/// ```
/// let name = pgherd_model::units::sql::Identifier::parse("we\"ird").unwrap();
/// assert_eq!(format!("DROP ROLE {name}"), "DROP ROLE \"we\"\"ird\"");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

impl Identifier {
    /// Takes the plain name.
    ///
    /// # Errors
    /// Empty, longer than [`IDENTIFIER_LIMIT`], or with a NUL.
    pub fn parse(name: &str) -> Result<Self, UnitError> {
        let error = |why| Err(UnitError::new(name, "an SQL identifier", why));
        match name {
            "" => error("it is empty"),
            _ if name.contains('\0') => error("it contains a zero byte"),
            _ if name.len() > IDENTIFIER_LIMIT => error("it is longer than 63 bytes"),
            _ => Ok(Self(name.to_owned())),
        }
    }

    /// The plain name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// A text as an SQL literal, right whatever `standard_conforming_strings` is.
///
/// # Errors
/// A NUL: Postgres has no text with one. The error does not repeat the text, which may be a secret.
pub fn literal(text: &str) -> Result<String, UnitError> {
    if text.contains('\0') {
        return Err(UnitError::new("…", "an SQL text", "it contains a zero byte"));
    }
    let doubled = text.replace('\'', "''");
    Ok(if doubled.contains('\\') {
        // With a space in front, as libpq does: the E must not stick to a word before it.
        format!(" E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_cannot_be_are_refused() {
        for bad in [String::new(), "a\0b".to_owned(), "x".repeat(64), "ä".repeat(32)] {
            assert!(Identifier::parse(&bad).is_err(), "{bad:?}");
        }
        assert!(Identifier::parse(&"x".repeat(63)).is_ok());
    }

    #[test]
    fn literals_are_quoted_as_libpq_does() {
        for (text, quoted) in [
            ("plain", "'plain'"),
            ("it's", "'it''s'"),
            ("back\\slash", " E'back\\\\slash'"),
            ("\\'; DROP TABLE x; --", " E'\\\\''; DROP TABLE x; --'"),
        ] {
            assert_eq!(literal(text).unwrap(), quoted);
        }
        let error = literal("swordfish\0").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("swordfish"), "{error:?}");
    }

    /// What the server makes of a quoted identifier.
    fn unquote(quoted: &str) -> Option<String> {
        let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let single = inner.replace("\"\"", "");
        (!single.contains('"')).then(|| inner.replace("\"\"", "\""))
    }

    proptest! {
        #[test]
        fn the_server_reads_back_the_same_name(name in "[^\0]{1,15}") {
            let identifier = Identifier::parse(&name).unwrap();
            prop_assert_eq!(unquote(&identifier.to_string()), Some(name));
        }
    }
}
