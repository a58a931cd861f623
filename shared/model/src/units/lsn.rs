//! Positions in the write-ahead log and distances between them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::UnitError;

/// A position in the log, in bytes from its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Reads `16/B374D848`: two hexadecimal halves.
    ///
    /// # Errors
    /// Another form, or a half above 32 bits.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let half = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            plain.then(|| u32::from_str_radix(digits, 16).ok())?
        };
        text.split_once('/')
            .and_then(|(high, low)| Some(Self(u64::from(half(high)?) << 32 | u64::from(half(low)?))))
            .ok_or_else(|| UnitError::new(text, "a log position", "expected a form such as 16/B374D848"))
    }

    /// Bytes from here to `primary`; none when this position is ahead.
    pub fn behind(self, primary: Self) -> u64 {
        primary.0.saturating_sub(self.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// How far a member is behind, as Patroni reports it: a number of bytes or the word `unknown`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Lag {
    Bytes(u64),
    /// Patroni cannot tell. Never as good as none.
    #[default]
    Unknown,
}

impl Lag {
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Unknown => None,
        }
    }
}

impl Serialize for Lag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) => serializer.serialize_u64(*bytes),
            Self::Unknown => serializer.serialize_str("unknown"),
        }
    }
}

impl<'de> Deserialize<'de> for Lag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Bytes(i64),
            Other(serde::de::IgnoredAny),
        }
        Ok(match Wire::deserialize(deserializer)? {
            // Patroni counts from two clocks: slightly negative means none.
            Wire::Bytes(bytes) => Self::Bytes(u64::try_from(bytes).unwrap_or(0)),
            Wire::Other(_) => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn positions_are_read_and_subtracted() {
        let (replica, primary) = (Lsn::parse("0/3000060").unwrap(), Lsn::parse("1/0").unwrap());
        assert_eq!(replica.behind(primary), 0x1_0000_0000 - 0x300_0060);
        assert_eq!(primary.behind(replica), 0);
        for bad in ["", "0", "0/", "/0", "0/G", "1/123456789", "+1/0", "0/0/0"] {
            assert!(Lsn::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_unknown_lag_is_never_small_enough() {
        let read = |json: &str| serde_json::from_str::<Lag>(json).unwrap();
        assert_eq!(read("0"), Lag::Bytes(0));
        assert_eq!(read("-16"), Lag::Bytes(0));
        assert_eq!(read("\"unknown\""), Lag::Unknown);
        assert_eq!(read("null"), Lag::Unknown);
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same(position: u64) {
            prop_assert_eq!(Lsn::parse(&Lsn(position).to_string()), Ok(Lsn(position)));
        }
    }
}
