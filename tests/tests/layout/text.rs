//! Source as text: what of a file is code of the product. Lives here: leaving out comments, strings and the tests at a file's end. Not a
//! parser: enough for our own files.

/// The code without comments, strings, and the test module in it.
pub(crate) fn of_production(content: &str) -> String {
    let bare = without_words(content);
    let mut from = 0;
    while let Some(at) = bare[from..].find("#[cfg(test)]").map(|at| at + from) {
        let rest = bare[at + "#[cfg(test)]".len()..].trim_start();
        let is_inline = rest.starts_with("mod ") && rest.find('{') < rest.find(';').or(Some(rest.len()));
        if is_inline && rest.contains('{') {
            return bare[..at].to_owned();
        }
        from = at + 1;
    }
    bare
}

/// What is in comments and strings is left out; the quotes of strings stay.
fn without_words(content: &str) -> String {
    let mut code = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(letter) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\'") {
            3
        } else if letter == '"' {
            code.push_str("\"\"");
            string_end(rest)
        } else {
            code.push(letter);
            letter.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

/// How long the string is that `text` begins with, its quotes counted.
fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
