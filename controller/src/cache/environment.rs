//! What adds to the pods' environment, as its watches tell: entries of a config map, keys of a secret. Must not: a secret's values.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use super::locked;

/// A kind of object that adds to the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    ConfigMap,
    Secret,
}

/// Entries by key; those of a secret are empty.
pub type Entries = BTreeMap<String, String>;

/// What is known of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// No watch covers it.
    Unwatched,
    Absent,
    Present(Entries),
}

/// All of them. There is one name of each kind.
#[derive(Debug, Default)]
pub struct Environments(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Namespaces whose first list is complete; none stands for all of them.
    watched: HashSet<(Source, Option<String>)>,
    present: HashMap<(Source, String), Entries>,
}

impl Environments {
    /// The object in this namespace is like this now. True when that is news.
    pub fn note(&self, source: Source, namespace: &str, entries: Entries) -> bool {
        let before = locked(&self.0)
            .present
            .insert((source, namespace.to_owned()), entries.clone());
        before != Some(entries)
    }

    /// It is gone. True when that is news.
    pub fn note_gone(&self, source: Source, namespace: &str) -> bool {
        let key = (source, namespace.to_owned());
        locked(&self.0).present.remove(&key).is_some()
    }

    /// All of them in a namespace (in all, when none is given) have been listed anew. Returns the namespaces that lost theirs.
    pub fn note_listed(&self, source: Source, place: Option<&str>, listed: &HashSet<String>) -> Vec<String> {
        let state = &mut *locked(&self.0);
        state.watched.insert((source, place.map(str::to_owned)));
        let is_lost = |kind: Source, namespace: &str| {
            kind == source && place.is_none_or(|place| place == namespace) && !listed.contains(namespace)
        };
        let lost: Vec<String> = state
            .present
            .keys()
            .filter(|(kind, namespace)| is_lost(*kind, namespace))
            .map(|(_, namespace)| namespace.clone())
            .collect();
        state
            .present
            .retain(|(kind, namespace), _| !is_lost(*kind, namespace));
        lost
    }

    pub fn get(&self, source: Source, namespace: &str) -> Known {
        let state = locked(&self.0);
        let covers = |place: Option<String>| state.watched.contains(&(source, place));
        if !covers(None) && !covers(Some(namespace.to_owned())) {
            return Known::Unwatched;
        }
        let found = state.present.get(&(source, namespace.to_owned()));
        found.map_or(Known::Absent, |entries| Known::Present(entries.clone()))
    }

    pub fn clear(&self) {
        *locked(&self.0) = State::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_watch_covers_is_not_said_to_be_absent() {
        let known = Environments::default();
        assert_eq!(known.get(Source::Secret, "a"), Known::Unwatched);
        known.note_listed(Source::Secret, Some("a"), &HashSet::new());
        assert_eq!(known.get(Source::Secret, "a"), Known::Absent);
        assert_eq!(known.get(Source::Secret, "b"), Known::Unwatched);
        assert_eq!(known.get(Source::ConfigMap, "a"), Known::Unwatched);
        known.note_listed(Source::Secret, None, &HashSet::new());
        assert_eq!(known.get(Source::Secret, "b"), Known::Absent);
    }

    #[test]
    fn the_same_again_is_no_news_and_a_new_list_tells_what_is_gone() {
        let known = Environments::default();
        let entries = Entries::from([("A".to_owned(), "1".to_owned())]);
        assert!(known.note(Source::ConfigMap, "a", entries.clone()));
        assert!(!known.note(Source::ConfigMap, "a", entries.clone()));
        assert!(known.note(Source::ConfigMap, "a", Entries::new()));
        known.note(Source::ConfigMap, "b", entries);
        let listed = HashSet::from(["a".to_owned()]);
        assert_eq!(known.note_listed(Source::ConfigMap, None, &listed), ["b"]);
        assert_eq!(known.get(Source::ConfigMap, "a"), Known::Present(Entries::new()));
    }
}
