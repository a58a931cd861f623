//! Names as Kubernetes, DNS and container runtimes take them: DNS labels and names, keys and values of labels, image references.

/// Longest DNS label, and longest name or value of a label.
const LABEL: usize = 63;
/// Longest DNS name, and longest prefix of a label's key.
const NAME: usize = 253;

/// RFC 1123: at most 63 lower-case letters, digits and dashes, no dash at the ends.
pub fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let length = 1..=LABEL;
    length.contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Lower-case letters, digits and dashes in parts separated by dots, 253 characters at most: what most objects can be called.
pub fn is_dns_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= NAME && text.split('.').all(is_part)
}

/// The word of a label: letters, digits, `-`, `_`, `.`, the first and the last a letter or digit.
fn is_word(text: &str) -> bool {
    let end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let bytes = text.as_bytes();
    text.len() <= LABEL && text.bytes().all(inner) && end(bytes.first()) && end(bytes.last())
}

/// Key of a label or of an annotation: a word, optionally with a DNS name and a slash in front.
pub fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, word)) => is_dns_name(&prefix.to_lowercase()) && is_word(word),
        None => is_word(text),
    }
}

/// Value of a label: a word, or nothing.
pub fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_word(text)
}

/// An image as container runtimes read it: registry, path, tag, digest.
pub fn is_image(text: &str) -> bool {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    // A colon before the last slash is that of a port.
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    };
    let (registry, path) = match path.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), path),
        _ => (None, path),
    };
    registry.is_none_or(is_registry)
        && path.split('/').all(is_path_part)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

fn is_registry(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, "443"));
    let is_host = host.starts_with('[') && host.ends_with(']')
        || !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    is_host && port.parse::<u16>().is_ok()
}

fn is_path_part(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.bytes().all(inner) && end(text.as_bytes().first()) && end(text.as_bytes().last())
}

fn is_tag(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with(['-', '.'])
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hash)| {
        !algorithm.is_empty() && hash.len() >= 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_names_of_dns() {
        assert!(is_dns_label("acid-shop") && is_dns_label("1") && is_dns_label(&"a".repeat(63)));
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", &"a".repeat(64)] {
            assert!(!is_dns_label(bad), "{bad}");
        }
        assert!(is_dns_name("a.b-c.d") && is_dns_name(&"a".repeat(253)));
        for bad in ["", "a..b", ".a", "a.", "a_b", &"a".repeat(254)] {
            assert!(!is_dns_name(bad), "{bad}");
        }
    }

    #[test]
    fn keys_and_values_of_labels() {
        for good in [
            "application",
            "example.org/tier",
            "a.b_c-d",
            "kubernetes.io/hostname",
        ] {
            assert!(is_key(good), "{good}");
        }
        for bad in [
            "",
            "a b",
            "/a",
            "a/",
            "a/b/c",
            "-a",
            "a/b c",
            "_/a",
            &"a".repeat(64),
        ] {
            assert!(!is_key(bad), "{bad}");
        }
        assert!(is_label_value("") && is_label_value("Spilo_1.0") && !is_label_value("a b"));
    }

    #[test]
    fn images() {
        for good in [
            "postgres",
            "ghcr.io/zalando/spilo-18:4.1-p2",
            "localhost:5000/a/b",
            "localhost/a",
            "registry:5000/x:Tag_1",
            "[::1]:5000/a:1",
            "a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "a:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            assert!(is_image(good), "{good}");
        }
        for bad in [
            "",
            "A",
            "a b",
            "a:",
            ":a",
            "a//b",
            "a@sha256:12",
            "a:b:c",
            "-a",
            "a:-b",
            "https://a/b",
            "a/B",
            "a:1/b/",
        ] {
            assert!(!is_image(bad), "{bad}");
        }
    }
}
