//! Where in a text its fields stand. Must not: values; they are read by `input`, and this only looks up lines.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, Span};
use serde::Serialize;

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The fields of one document by their paths, as in `spec.users.app[0]`; the document itself is the empty path.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<String, Place>);

impl Places {
    /// The field, or the nearest one around it that is written: a field that is missing has no place of its own.
    pub(crate) fn of(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.0.get(path) {
                return Some(*place);
            }
            if path.is_empty() {
                return None;
            }
            path = &path[..path.rfind(['.', '[']).unwrap_or(0)];
        }
    }

    fn add(&mut self, path: &str, span: Span) {
        let place = Place {
            line: span.start.line(),
            column: span.start.col() + 1,
        };
        self.0.entry(path.to_owned()).or_insert(place);
    }
}

/// Something that is open while its contents go by.
enum Open {
    /// A mapping, and the path of the field whose value comes next.
    Mapping(String, Option<String>),
    /// A list, and how many items went by.
    List(String, usize),
}

/// The places of each document of a text. What cannot be followed (a key that is no word, a syntax error) ends the search: the places before
/// it are known, others are not.
pub(crate) fn find(text: &str) -> Vec<Places> {
    let mut documents = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for step in Parser::new_from_str(text) {
        let Ok((event, span)) = step else { break };
        if let Event::DocumentStart(_) = event {
            documents.push(Places::default());
            open.clear();
        }
        let Some(places) = documents.last_mut() else {
            continue;
        };
        if follow(&event, span, &mut open, places).is_none() {
            break;
        }
    }
    documents
}

/// None: a key that is no word.
fn follow(event: &Event<'_>, span: Span, open: &mut Vec<Open>, places: &mut Places) -> Option<()> {
    match event {
        Event::Scalar(word, ..) => {
            if let Some(Open::Mapping(path, next @ None)) = open.last_mut() {
                let field = join(path, word);
                places.add(&field, span);
                *next = Some(field);
            } else {
                value(open, span, places)?;
            }
        }
        Event::Alias(_) => {
            value(open, span, places)?;
        }
        Event::MappingStart(..) => {
            let path = value(open, span, places)?;
            open.push(Open::Mapping(path, None));
        }
        Event::SequenceStart(..) => {
            let path = value(open, span, places)?;
            open.push(Open::List(path, 0));
        }
        Event::MappingEnd | Event::SequenceEnd => {
            open.pop();
        }
        _ => {}
    }
    Some(())
}

/// The path of the value that starts here.
fn value(open: &mut [Open], span: Span, places: &mut Places) -> Option<String> {
    let path = match open.last_mut() {
        None => String::new(),
        Some(Open::Mapping(_, next)) => next.take()?,
        Some(Open::List(path, count)) => {
            *count += 1;
            format!("{path}[{}]", *count - 1)
        }
    };
    places.add(&path, span);
    Some(path)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a comment
kind: postgresql
spec:
  users: {app: [login], a.b: []}
  volume: &v
    size: 1Gi
  maintenanceWindows:
  - 01:00-02:00
  - >-
    Sat:01:00-02:00
  other: *v
---
---
{\"a\": [1, {\"b\": 2}]}
";

    fn at(document: usize, path: &str) -> (usize, usize) {
        let place = find(TEXT)[document].of(path).unwrap();
        (place.line, place.column)
    }

    #[test]
    fn fields_and_items_have_places() {
        assert_eq!(at(0, ""), (2, 1));
        assert_eq!(at(0, "spec"), (3, 1));
        assert_eq!(at(0, "spec.users.app[0]"), (4, 17));
        assert_eq!(at(0, "spec.users.a.b"), (4, 25));
        assert_eq!(at(0, "spec.volume.size"), (6, 5));
        assert_eq!(at(0, "spec.maintenanceWindows[0]"), (8, 5));
        // A block's text, not the mark before it.
        assert_eq!(at(0, "spec.maintenanceWindows[1]"), (10, 5));
        assert_eq!(at(2, "a[1].b"), (14, 12));
    }

    #[test]
    fn what_is_missing_is_where_it_should_be() {
        assert_eq!(at(0, "spec.postgresql.version"), (3, 1));
        assert_eq!(at(0, "spec.maintenanceWindows[7]"), (7, 3));
        assert_eq!(at(0, "metadata.name"), (2, 1));
    }

    #[test]
    fn what_cannot_be_followed_has_the_places_before_it() {
        let places = find("a: 1\n? {b: 2}\n: 3\nc: 4\n");
        assert_eq!(places[0].of("a").unwrap().line, 1);
        assert_eq!(places[0].of("c").unwrap().line, 1);
        assert!(find("a: [").len() <= 1);
        assert_eq!(find("").len(), 0);
    }
}
