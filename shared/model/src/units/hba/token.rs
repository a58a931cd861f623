//! Fields of a line and the names in them: blanks between fields, commas between the names of one, quotes around what must be taken as it is.

/// The names of one field.
pub(super) type Field = Vec<Name>;

/// A database, a role, or a word that stands for some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The text without quotes.
    pub text: String,
    /// It began with a quote: then it is no keyword.
    pub quoted: bool,
}

impl Name {
    pub(super) fn is_keyword(&self, word: &str) -> bool {
        !self.quoted && self.text == word
    }

    /// A regular expression or the name of a file.
    pub(super) fn is_pattern(&self) -> bool {
        !self.quoted && self.text.starts_with(['/', '@'])
    }

    /// The members of a role.
    pub(super) fn is_group(&self) -> bool {
        !self.quoted && self.text.starts_with('+')
    }
}

/// The fields of a line, up to a comment.
pub(super) fn fields(line: &str) -> Vec<Field> {
    let mut rest = line;
    let mut fields = Vec::new();
    let mut field = Field::new();
    loop {
        // The server skips commas too before a name.
        rest = rest.trim_start_matches(|letter| is_blank(letter) || letter == ',');
        let (name, end, remaining) = name(rest);
        field.extend(name);
        rest = remaining;
        if matches!(end, End::Comma) {
            continue;
        }
        if !field.is_empty() {
            fields.push(std::mem::take(&mut field));
        }
        if matches!(end, End::Line) {
            return fields;
        }
    }
}

/// What ended a name.
enum End {
    Blank,
    Comma,
    Line,
}

const fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r')
}

/// The next name, what ended it, and what follows. A quote without its partner goes on to the end of the line; two quotes inside of quotes are
/// one.
fn name(text: &str) -> (Option<Name>, End, &str) {
    let mut found = String::new();
    let (mut in_quotes, mut was_quote, mut quoted) = (false, false, false);
    let mut end = (End::Line, "");
    for (at, letter) in text.char_indices() {
        let next = &text[at + letter.len_utf8()..];
        if !in_quotes && (is_blank(letter) || letter == ',') {
            end = (if letter == ',' { End::Comma } else { End::Blank }, next);
            break;
        }
        if !in_quotes && letter == '#' {
            break;
        }
        if letter != '"' || was_quote {
            found.push(letter);
        }
        was_quote = in_quotes && letter == '"' && !was_quote;
        if letter == '"' {
            in_quotes = !in_quotes;
            quoted |= found.is_empty();
        }
    }
    let name = (quoted || !found.is_empty()).then_some(Name { text: found, quoted });
    (name, end.0, end.1)
}
