//! The syntax of ConfigMap values: the literals of Go, and lists of `key:value` items.
//!
//! Not here: which parameter has which type.

use indexmap::IndexMap;

/// Go's `strconv.ParseBool`.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("invalid syntax".to_owned()),
    }
}

/// Go's `strconv.ParseInt` with base 0: sign, base prefix (`0x`, `0o`, `0b`, leading `0`), underscores between
/// digits.
pub(super) fn integer(text: &str) -> Result<i64, String> {
    let bad = || "invalid syntax".to_owned();
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = split_base(unsigned);
    if !underscores_fit(digits, radix != 10) {
        return Err(bad());
    }
    let plain: String = digits.chars().filter(|character| *character != '_').collect();
    if plain.is_empty() || plain.starts_with(['+', '-']) {
        return Err(bad());
    }
    let size = i128::from_str_radix(&plain, radix).map_err(|error| match error.kind() {
        std::num::IntErrorKind::PosOverflow => "is out of range".to_owned(),
        _ => bad(),
    })?;
    i64::try_from(if negative { -size } else { size }).map_err(|_| "is out of range".to_owned())
}

fn split_base(text: &str) -> (u32, &str) {
    match text.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &text[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &text[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    }
}

/// An underscore stands between two digits, or between the base prefix and a digit.
fn underscores_fit(digits: &str, after_prefix: bool) -> bool {
    let leading = digits.starts_with('_') && !after_prefix;
    !leading && !digits.ends_with('_') && !digits.contains("__")
}

/// Splits `a:b,c:d` at the commas outside of quotes; blanks and tabs around an item are dropped, quotes stay.
pub(super) fn split_items(text: &str) -> Result<Vec<&str>, String> {
    let mut items = Vec::new();
    let mut start = 0;
    let mut open: Option<(char, usize)> = None;
    for (count, (at, character)) in text.char_indices().enumerate() {
        match (open, character) {
            (None, '"' | '\'') => open = Some((character, count + 1)),
            (Some((quote, _)), _) if quote == character => open = None,
            (None, ',') => {
                items.push(text[start..at].trim_matches([' ', '\t']));
                start = at + 1;
            }
            _ => {}
        }
    }
    if let Some((_, position)) = open {
        return Err(format!("unmatched quote starting at position {position}"));
    }
    items.push(text[start..].trim_matches([' ', '\t']));
    Ok(items)
}

/// A map: items as [`split_items`] gives them, each with exactly one colon.
pub(super) fn pairs(text: &str) -> Result<IndexMap<String, String>, String> {
    split_items(text)?
        .into_iter()
        .map(|item| match item.split(':').collect::<Vec<_>>()[..] {
            [key, value] => Ok((key.to_owned(), value.to_owned())),
            _ => Err(format!("invalid map item: {item:?}: it needs exactly one colon")),
        })
        .collect()
}
