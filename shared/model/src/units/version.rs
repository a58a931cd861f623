//! Major versions of PostgreSQL.

use std::fmt;

use super::UnitError;

/// A major version, 10 or later. Versions compare as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgVersion(u16);

impl PgVersion {
    /// What a manifest may ask for. A cluster that already runs something older is still managed.
    pub const SUPPORTED: [Self; 5] = [Self(14), Self(15), Self(16), Self(17), Self(18)];

    /// Reads `17`.
    ///
    /// # Errors
    /// Anything that is not a whole number from 10 to 99 without sign or leading zero.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError::new(text, "a Postgres version", "expected a major version such as 17");
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_digit()) || text.starts_with('0') {
            return Err(error());
        }
        text.parse().map(Self).map_err(|_| error())
    }

    /// The number itself.
    pub fn major(self) -> u16 {
        self.0
    }

    /// Manifests may ask for it.
    pub fn is_supported(self) -> bool {
        Self::SUPPORTED.contains(&self)
    }
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supported_versions_are_read_and_written() {
        for version in PgVersion::SUPPORTED {
            assert_eq!(PgVersion::parse(&version.to_string()), Ok(version));
        }
    }

    #[test]
    fn older_ones_are_read_but_not_supported() {
        let old = PgVersion::parse("13").unwrap();
        assert!(!old.is_supported() && old < PgVersion::SUPPORTED[0]);
    }

    #[test]
    fn anything_else_is_an_error() {
        for bad in ["", "9.6", "9", "017", "17.2", "+17", " 17", "latest", "117"] {
            assert!(PgVersion::parse(bad).is_err(), "{bad:?}");
        }
    }
}
