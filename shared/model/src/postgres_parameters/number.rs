//! Numbers with units, as the server reads them: C's `strtol` and `strtod`, then a unit. Lives here: reading, converting, writing. Must
//! not: which parameter takes what.
//!
//! One spelling that C knows is refused here: hexadecimal fractions (`0x1.8`).

use super::{Unit, Unreadable};

/// Units of sizes, greatest first, in bytes.
const SIZES: [(&str, f64); 5] = [
    ("TB", 1_099_511_627_776.0),
    ("GB", 1_073_741_824.0),
    ("MB", 1_048_576.0),
    ("kB", 1024.0),
    ("B", 1.0),
];
/// Units of time, greatest first, in microseconds.
const TIMES: [(&str, f64); 6] = [
    ("d", 86_400_000_000.0),
    ("h", 3_600_000_000.0),
    ("min", 60_000_000.0),
    ("s", 1_000_000.0),
    ("ms", 1000.0),
    ("us", 1.0),
];

impl Unit {
    /// The unit in the smallest one of its kind, and that kind's units.
    fn scale(self) -> (f64, &'static [(&'static str, f64)]) {
        match self {
            Self::Bytes => (1.0, &SIZES),
            Self::Kilobytes => (1024.0, &SIZES),
            Self::Blocks => (8192.0, &SIZES),
            Self::Megabytes => (1_048_576.0, &SIZES),
            Self::Milliseconds => (1000.0, &TIMES),
            Self::Seconds => (1_000_000.0, &TIMES),
            Self::Minutes => (60_000_000.0, &TIMES),
        }
    }

    /// It counts bytes, not time.
    pub(super) fn is_size(self) -> bool {
        self.scale().1.len() == SIZES.len()
    }

    /// Bytes of one unit, for sizes.
    pub(super) fn bytes(self) -> Option<f64> {
        self.is_size().then(|| self.scale().0)
    }
}

/// A whole number in the parameter's unit. Fractions are rounded, half to even.
pub(super) fn integer(text: &str, unit: Option<Unit>) -> Result<i64, Unreadable> {
    let text = text.trim_start_matches(is_space);
    let (value, rest) = match whole(text) {
        Some((value, rest)) if !rest.starts_with(['.', 'e', 'E']) => (value, rest),
        _ if is_hexadecimal(text) || ["-.", "+."].iter().any(|start| text.starts_with(start)) => {
            return Err(Unreadable::NoNumber);
        }
        _ => decimal(text).ok_or(Unreadable::NoNumber)?,
    };
    let value = in_unit(value, rest, unit)?.round_ties_even();
    if value < f64::from(i32::MIN) || value > f64::from(i32::MAX) {
        return Err(Unreadable::TooLarge);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole and fits into 32 bits"
    )]
    Ok(value as i64)
}

/// A number in the parameter's unit.
pub(super) fn real(text: &str, unit: Option<Unit>) -> Result<f64, Unreadable> {
    let text = text.trim_start_matches(is_space);
    let found = if is_hexadecimal(text) {
        whole(text)
    } else {
        decimal(text)
    };
    let (value, rest) = found.ok_or(Unreadable::NoNumber)?;
    // Not a negative zero, which is written otherwise.
    Ok(in_unit(value, rest, unit)? + 0.0)
}

/// Space as C sees it.
fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn signed(text: &str) -> (f64, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    }
}

fn is_hexadecimal(text: &str) -> bool {
    let digits = signed(text).1;
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    digits.is_some_and(|digits| digits.starts_with(|letter: char| letter.is_ascii_hexdigit()))
}

/// The whole number that a text begins with: `0x` for base sixteen, `0` for base eight. A number that is too large for 64 bits is left to
/// [`decimal`].
fn whole(text: &str) -> Option<(f64, &str)> {
    let (sign, unsigned) = signed(text);
    let (base, digits) = if is_hexadecimal(text) {
        (16, &unsigned[2..])
    } else if unsigned.starts_with('0') {
        (8, unsigned)
    } else {
        (10, unsigned)
    };
    let end = digits
        .find(|letter: char| !letter.is_digit(base))
        .unwrap_or(digits.len());
    let number = i64::from_str_radix(&digits[..end], base).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "the server computes with doubles too")]
    Some((sign * number as f64, &digits[end..]))
}

/// The decimal number that a text begins with: `1.5`, `.5`, `1e3`.
fn decimal(text: &str) -> Option<(f64, &str)> {
    let unsigned = signed(text).1;
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let before = digits(unsigned);
    let mut end = before;
    let mut count = before;
    if unsigned[end..].starts_with('.') {
        let after = digits(&unsigned[end + 1..]);
        count += after;
        end += 1 + after;
    }
    if count == 0 {
        return None;
    }
    let mantissa = &unsigned[..end];
    if unsigned[end..].starts_with(['e', 'E']) {
        let exponent = signed(&unsigned[end + 1..]).1;
        let length = digits(exponent);
        if length > 0 {
            end = unsigned.len() - exponent.len() + length;
        }
    }
    let end = text.len() - unsigned.len() + end;
    let value: f64 = text[..end].parse().ok()?;
    let vanished = value == 0.0 && mantissa.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
    (value.is_finite() && !vanished).then_some((value, &text[end..]))
}

/// The value in the parameter's unit; `rest` is what followed the number.
fn in_unit(value: f64, rest: &str, unit: Option<Unit>) -> Result<f64, Unreadable> {
    let suffix = rest.trim_matches(is_space);
    if suffix.is_empty() {
        return Ok(value);
    }
    let (base, units) = unit.ok_or(Unreadable::NoUnit)?.scale();
    let refused = if units.len() == SIZES.len() {
        Unreadable::NoSize
    } else {
        Unreadable::NoTime
    };
    let at = units
        .iter()
        .position(|(name, _)| *name == suffix)
        .ok_or(refused)?;
    let value = value * (units[at].1 / base);
    // `30.1GB` counts as a whole number of the next smaller unit.
    Ok(match units.get(at + 1) {
        Some((_, smaller)) => (value / (smaller / base)).round_ties_even() * (smaller / base),
        None => value,
    })
}

/// A whole number with the greatest unit that leaves no fraction, as the server shows it.
pub(super) fn show(value: i64, unit: Option<Unit>) -> String {
    let Some(unit) = unit.filter(|_| value > 0) else {
        return value.to_string();
    };
    let (base, units) = unit.scale();
    #[expect(clippy::cast_precision_loss, reason = "values are 32 bits wide")]
    let smallest = value as f64 * base;
    let fitting = units.iter().find(|(_, size)| smallest % size == 0.0);
    let (name, size) = fitting.unwrap_or(&("", 1.0));
    format!("{}{name}", smallest / size)
}
