//! A decoder's message in words for people. Must not: the value, which may be a secret.

/// Types of the decoder, and what people call them.
const TYPES: &[(&str, &str)] = &[
    ("u8", "a whole number from 0"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0"),
    ("u64", "a whole number from 0"),
    ("i8", "a whole number"),
    ("i16", "a whole number"),
    ("i32", "a whole number"),
    ("i64", "a whole number"),
    ("f32", "a number"),
    ("f64", "a number"),
    ("a sequence", "a list"),
    ("a map", "an object"),
    ("a boolean", "true or false"),
    ("a borrowed string", "a string"),
    ("any valid JSON value", "any value"),
    ("unit", "nothing"),
    ("a date-time", "a time such as 2024-01-31T23:00:00Z"),
];

/// What the decoder found, by the first word that it says of it.
const FOUND: &[(&str, &str)] = &[
    ("integer", "a whole number"),
    ("floating", "a number with a fraction"),
    ("string", "a string"),
    ("boolean", "a switch"),
    ("sequence", "a list"),
    ("map", "an object"),
    ("null", "null"),
    ("unit", "null"),
];

/// The type that was found and the one that was expected.
pub(super) fn words(message: &str) -> String {
    let expected = message
        .split_once(", expected ")
        .map(|(_, expected)| type_name(expected));
    let found = message
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.split([' ', ',', '`']).next())
        .and_then(|word| FOUND.iter().find(|(known, _)| *known == word));
    match (found, expected) {
        (Some((_, found)), Some(expected)) => format!("is {found}; expected {expected}"),
        (None, Some(expected)) => format!("is not allowed; expected {expected}"),
        _ if message.starts_with("missing field") => message.to_owned(),
        _ => "cannot be read".to_owned(),
    }
}

fn type_name(expected: &str) -> &str {
    if expected.starts_with("struct ") {
        return "an object";
    }
    TYPES
        .iter()
        .find(|(known, _)| *known == expected)
        .map_or(expected, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn no_word_of_a_programming_language_is_left() {
        for (message, expected) in [
            (
                "invalid type: string \"two\", expected u32",
                "is a string; expected a whole number from 0",
            ),
            (
                "invalid value: integer `-4`, expected u32",
                "is not allowed; expected a whole number from 0",
            ),
            (
                "invalid type: floating point `1.5`, expected i32",
                "is a number with a fraction; expected a whole number",
            ),
            (
                "invalid type: sequence, expected struct Volume",
                "is a list; expected an object",
            ),
            (
                "invalid type: null, expected a string",
                "is null; expected a string",
            ),
            ("missing field `name`", "missing field `name`"),
            ("number out of range", "cannot be read"),
        ] {
            assert_eq!(words(message), expected);
        }
    }
}
