//! Networks of load balancers: `10.0.0.0/8`, `fd01::/48`.

use std::{fmt, net::IpAddr};

use super::UnitError;

/// IPv4 or IPv6 with a prefix length, as the CRD checks it.
pub const PATTERN: &str = concat!(
    r"^(",
    r"((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)/(3[0-2]|[12]?\d)",
    r"|(",
    r"([\da-fA-F]{1,4}:){7}[\da-fA-F]{1,4}",
    r"|([\da-fA-F]{1,4}:){1,7}:",
    r"|([\da-fA-F]{1,4}:){1,6}:[\da-fA-F]{1,4}",
    r"|([\da-fA-F]{1,4}:){1,5}(:[\da-fA-F]{1,4}){1,2}",
    r"|([\da-fA-F]{1,4}:){1,4}(:[\da-fA-F]{1,4}){1,3}",
    r"|([\da-fA-F]{1,4}:){1,3}(:[\da-fA-F]{1,4}){1,4}",
    r"|([\da-fA-F]{1,4}:){1,2}(:[\da-fA-F]{1,4}){1,5}",
    r"|[\da-fA-F]{1,4}:(:[\da-fA-F]{1,4}){1,6}",
    r"|:((:[\da-fA-F]{1,4}){1,7}|:)",
    r")/(12[0-8]|1[01]\d|[1-9]?\d)",
    r")$"
);

/// A network. Bits behind the prefix may be set and are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Reads `address/prefix`.
    ///
    /// # Errors
    /// No address, no prefix, or one that is too long. IPv4 inside IPv6 (`::ffff:10.0.0.1/120`) is refused: what it means is ambiguous.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = |why| UnitError::new(text, "a network", why);
        let (address, prefix) = text
            .split_once('/')
            .ok_or_else(|| error("expected address/prefix, as in 10.0.0.0/8"))?;
        if address.contains(':') && address.contains('.') {
            return Err(error("it mixes IPv4 and IPv6"));
        }
        let address: IpAddr = address.parse().map_err(|_| error("the address is wrong"))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let plain =
            prefix.bytes().all(|byte| byte.is_ascii_digit()) && (prefix == "0" || !prefix.starts_with('0'));
        let prefix = prefix
            .parse()
            .ok()
            .filter(|prefix| plain && *prefix <= longest)
            .ok_or_else(|| error("the prefix must be 0 to 32 for IPv4, 0 to 128 for IPv6"))?;
        Ok(Self { address, prefix })
    }

    /// The same without bits behind the prefix.
    #[must_use]
    pub fn network(self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => {
                let behind = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                IpAddr::V4((address.to_bits() & !behind).into())
            }
            IpAddr::V6(address) => {
                let behind = u128::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                IpAddr::V6((address.to_bits() & !behind).into())
            }
        };
        Self { address, ..self }
    }

    /// Every address of its kind belongs to it.
    pub const fn is_everything(self) -> bool {
        self.prefix == 0
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_lite::Regex;

    use super::*;

    const GOOD: [&str; 14] = [
        "192.168.1.0/24",
        "0.0.0.0/0",
        "127.0.0.1/32",
        "10.0.0.0/8",
        "185.85.220.0/22",
        "192.186.1.2/22",
        "fd01::/48",
        "::1/128",
        "::/0",
        "2001:db8::/32",
        "fe80::1/64",
        "1:2:3:4:5:6:7::/16",
        "1::3:4:5:6:7:8/16",
        "2001:0db8:0000:0000:0000:ff00:0042:8329/128",
    ];
    const BAD: [&str; 14] = [
        "999.999.999.999/24",
        "10.0.0.0/33",
        "10.0.0.0",
        "everyone",
        "fd01::/129",
        "::gggg/64",
        "",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0.0/",
        "010.0.0.0/8",
        "1:2:3:4:5:6:7:8:9/16",
        "1::2::3/16",
        "::ffff:10.0.0.1/120",
    ];

    #[test]
    fn a_network_has_no_bits_behind_its_prefix() {
        let network = |text: &str| Cidr::parse(text).unwrap().network().to_string();
        assert_eq!(network("10.1.2.3/8"), "10.0.0.0/8");
        assert_eq!(network("10.1.2.3/32"), "10.1.2.3/32");
        assert_eq!(network("10.1.2.3/0"), "0.0.0.0/0");
        assert_eq!(network("2001:db8::1/32"), "2001:db8::/32");
        assert_eq!(network("::1/128"), "::1/128");
        assert!(Cidr::parse("::/0").unwrap().is_everything());
    }

    #[test]
    fn parser_and_pattern_agree() {
        let pattern = Regex::new(PATTERN).unwrap();
        for good in GOOD {
            assert!(Cidr::parse(good).is_ok() && pattern.is_match(good), "{good}");
        }
        for bad in BAD {
            assert!(Cidr::parse(bad).is_err() && !pattern.is_match(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same(bits: u128, prefix in 0..=128_u8, four: bool) {
            let address = if four {
                IpAddr::from(u32::try_from(bits >> 96).unwrap().to_be_bytes())
            } else {
                IpAddr::from(bits.to_be_bytes())
            };
            let network = Cidr { address, prefix: if four { prefix.min(32) } else { prefix } };
            prop_assume!(!(network.to_string().contains(':') && network.to_string().contains('.')));
            prop_assert_eq!(Cidr::parse(&network.to_string()), Ok(network));
        }

        #[test]
        fn parser_and_pattern_agree_on_anything(text in "[0-9a-f:.]{0,12}/[0-9]{0,3}") {
            let pattern = Regex::new(PATTERN).unwrap();
            prop_assert_eq!(Cidr::parse(&text).is_ok(), pattern.is_match(&text));
        }
    }
}
