//! Names as Kubernetes takes them: labels, sub-domains, qualified names. Where they stand is for the checks of the topics.

/// Longest part of a name, and longest label value.
pub(super) const LABEL: usize = 63;
/// Longest name with dots.
const SUBDOMAIN: usize = 253;

/// RFC 1123: lower-case letters, digits, dashes inside.
pub(super) fn is_label(text: &str) -> bool {
    text.len() <= LABEL && is_framed(text, is_plain, |byte| is_plain(byte) || byte == b'-')
}

/// Labels joined by dots.
pub(super) fn is_subdomain(text: &str) -> bool {
    let part = |part: &str| is_framed(part, is_plain, |byte| is_plain(byte) || byte == b'-');
    text.len() <= SUBDOMAIN && text.split('.').all(part)
}

/// A key of a label or an annotation: a name, perhaps with a sub-domain and a slash in front.
pub(super) fn is_qualified(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_qualified_part(name),
        None => is_qualified_part(text),
    }
}

/// The value of a label, which may be empty.
pub(super) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_qualified_part(text)
}

/// What roles, schemas and the like may be called without quotes, and Postgres keeps for nobody.
pub(super) fn is_plain_identifier(text: &str) -> bool {
    let inner = |byte: u8| is_plain(byte) || byte == b'_';
    text.len() <= crate::units::sql::IDENTIFIER_LIMIT
        && text.bytes().all(inner)
        && text.starts_with(|first: char| !first.is_ascii_digit())
        && !is_of_postgres(text)
}

/// Postgres refuses names of its own.
pub(super) fn is_of_postgres(text: &str) -> bool {
    text.starts_with("pg_")
}

fn is_qualified_part(text: &str) -> bool {
    let outer = |byte: u8| byte.is_ascii_alphanumeric();
    text.len() <= LABEL
        && is_framed(text, outer, |byte| {
            outer(byte) || matches!(byte, b'-' | b'_' | b'.')
        })
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_framed(text: &str, outer: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => outer(*only),
        [first, middle @ .., last] => outer(*first) && outer(*last) && middle.iter().all(|byte| inner(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kubernetes() {
        for good in ["a", "a-1", "0"] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", &"a".repeat(64)] {
            assert!(!is_label(bad), "{bad}");
        }
        for good in ["a", "example.org/a.B_c-1", "kubernetes.io/hostname"] {
            assert!(is_qualified(good), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a/b/c",
            "Example.org/a",
            "a b",
            "-a",
            &"a".repeat(64),
        ] {
            assert!(!is_qualified(bad), "{bad}");
        }
        assert!(is_label_value("") && is_label_value("Core_1") && !is_label_value("core!"));
        assert!(is_subdomain("db-tls.example") && !is_subdomain("a..b"));
    }

    #[test]
    fn identifiers_without_quotes() {
        for good in ["pooler", "_a1"] {
            assert!(is_plain_identifier(good), "{good}");
        }
        for bad in ["", "1a", "a-b", "A", "a\"; drop", "pg_catalog", &"a".repeat(64)] {
            assert!(!is_plain_identifier(bad), "{bad}");
        }
    }
}
