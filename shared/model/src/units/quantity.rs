//! Kubernetes quantities: `500m`, `1.5`, `2Gi`, `1e9`. Exact: no floating point anywhere.

use std::{cmp::Ordering, fmt};

use super::UnitError;

/// Zalando's pattern for amounts of CPU.
pub const CPU_PATTERN: &str = r"^(\d+m|\d+(\.\d{1,3})?)$";
/// Zalando's pattern for amounts of bytes. It allows an upper-case `K` that Kubernetes does not know, and not its `k`.
pub const MEMORY_PATTERN: &str = r"^(\d+(e\d+)?|\d+(\.\d+)?(e\d+)?[EPTGMK]i?)$";

const WHAT: &str = "a quantity";
const NANOS: i128 = 1_000_000_000;
/// Kubernetes holds at most this many units.
const LARGEST: i128 = i64::MAX as i128 * NANOS;

/// A quantity, exact to a billionth. Equal and ordered by value: `1Gi` equals `1024Mi` and is more than `1G`.
///
/// `Display` writes Kubernetes' canonical form: as large a suffix of the family it was written in as leaves no fraction (`1.5` is `1500m`,
/// `1024Mi` is `1Gi`).
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    nanos: i128,
    family: Family,
}

/// The suffixes a quantity is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// m, k, M, G, …
    Decimal,
    /// Ki, Mi, Gi, …
    Binary,
    /// e3, e6, e9, …
    Exponent,
}

/// Suffixes with their power of ten.
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
/// Suffixes with their power of two.
const BINARY: [(&str, u32); 6] = [
    ("Ki", 10),
    ("Mi", 20),
    ("Gi", 30),
    ("Ti", 40),
    ("Pi", 50),
    ("Ei", 60),
];

impl Quantity {
    /// Reads a quantity as Kubernetes does; fractions below a billionth are rounded up.
    ///
    /// # Errors
    /// No number, an unknown suffix, or more than 2^63-1 in magnitude.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = |why| UnitError::new(text, WHAT, why);
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (digits, decimals) =
            digits(number).ok_or_else(|| error("expected a number such as 500m, 1.5 or 2Gi"))?;
        let (family, size) = size_of(suffix)
            .ok_or_else(|| error("the suffix must be one of m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei"))?;
        let nanos = nanos(&digits, decimals, size)
            .filter(|nanos| *nanos <= LARGEST)
            .ok_or_else(|| error("it is larger than 2^63-1 or has too many digits"))?;
        Ok(Self {
            nanos: if negative { -nanos } else { nanos },
            family,
        })
    }

    /// Whole units, in the decimal family.
    pub fn from_units(units: i64) -> Self {
        Self {
            nanos: i128::from(units) * NANOS,
            family: Family::Decimal,
        }
    }

    /// Bytes, in the binary family.
    pub fn from_bytes(bytes: i64) -> Self {
        Self {
            family: Family::Binary,
            ..Self::from_units(bytes)
        }
    }

    /// Whole units, rounded up: bytes for memory.
    pub fn units(self) -> i64 {
        self.scaled(NANOS)
    }

    /// Thousandths, rounded up; the largest number when they are too many.
    pub fn millis(self) -> i64 {
        self.scaled(NANOS / 1000)
    }

    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    fn scaled(self, size: i128) -> i64 {
        let magnitude = divide_up(self.nanos.abs(), size) * self.nanos.signum();
        i64::try_from(magnitude).unwrap_or(if self.is_negative() { i64::MIN } else { i64::MAX })
    }
}

/// One of a suffix: a power of ten, or a power of two.
#[derive(Clone, Copy)]
enum Size {
    Ten(i32),
    Two(u32),
}

fn size_of(suffix: &str) -> Option<(Family, Size)> {
    if let Some((_, power)) = DECIMAL.into_iter().find(|(name, _)| *name == suffix) {
        return Some((Family::Decimal, Size::Ten(power)));
    }
    if let Some((_, power)) = BINARY.into_iter().find(|(name, _)| *name == suffix) {
        return Some((Family::Binary, Size::Two(power)));
    }
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((Family::Exponent, Size::Ten(power)))
}

/// The digits without the point, and how many of them were behind it. Zeros that mean nothing are dropped.
fn digits(number: &str) -> Option<(String, i32)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    Some((format!("{whole}{fraction}"), i32::try_from(fraction.len()).ok()?))
}

/// `digits` / 10^`decimals` times `size`, in billionths, rounded up. None when it does not fit.
fn nanos(digits: &str, decimals: i32, size: Size) -> Option<i128> {
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    let mantissa: i128 = digits.parse().ok()?;
    let (mantissa, ten) = match size {
        Size::Ten(power) => (mantissa, power.checked_sub(decimals)?.checked_add(9)?),
        Size::Two(power) => (mantissa.checked_mul(1 << power)?, 9 - decimals),
    };
    match u32::try_from(ten) {
        Ok(ten) => mantissa.checked_mul(10_i128.checked_pow(ten)?),
        // So small that only rounding up leaves something of it.
        Err(_) => Some(
            10_i128
                .checked_pow(ten.unsigned_abs())
                .map_or(1, |size| divide_up(mantissa, size)),
        ),
    }
}

fn divide_up(amount: i128, size: i128) -> i128 {
    amount / size + i128::from(amount % size != 0)
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0");
        }
        let sign = if self.is_negative() { "-" } else { "" };
        let magnitude = self.nanos.abs();
        if self.family == Family::Binary && magnitude >= 1024 * NANOS {
            let bytes = divide_up(magnitude, NANOS);
            let (suffix, power) = BINARY
                .into_iter()
                .rev()
                .find(|(_, power)| bytes % (1 << power) == 0)
                .unwrap_or(("", 0));
            return write!(f, "{sign}{}{suffix}", bytes >> power);
        }
        let (suffix, power) = DECIMAL
            .into_iter()
            .rev()
            .find(|(_, power)| magnitude % ten_to(power + 9) == 0)
            .unwrap_or(DECIMAL[0]);
        let amount = magnitude / ten_to(power + 9);
        match self.family {
            Family::Exponent if power != 0 => write!(f, "{sign}{amount}e{power}"),
            _ => write!(f, "{sign}{amount}{suffix}"),
        }
    }
}

/// For powers from 0 to 27.
fn ten_to(power: i32) -> i128 {
    10_i128.pow(power.unsigned_abs())
}

#[cfg(test)]
mod tests;
