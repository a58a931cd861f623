//! Secrets of others from which clusters copy passwords: who copies from which, and in what version each was read last. Lives here: telling
//! whose turn it is when one changes. Must not: what is in them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use pgherd_model::config::NamespacedName;
use tokio::sync::watch;

use super::locked;
use crate::cluster_ref::ClusterRef;

/// All of it.
#[derive(Debug, Default)]
pub struct Given {
    state: Mutex<State>,
    /// Where there are any. None is taken out again: a watch that is not needed any more is rare, and costs little.
    namespaces: watch::Sender<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct State {
    used: HashMap<ClusterRef, BTreeSet<NamespacedName>>,
    /// The versions as read; none: there was no such secret.
    read: HashMap<NamespacedName, Option<String>>,
}

impl Given {
    /// A cluster copies from these secrets, and from no others.
    pub fn note_used(&self, cluster: &ClusterRef, places: BTreeSet<NamespacedName>) {
        let state = &mut *locked(&self.state);
        let known = state.used.get(cluster);
        if known.map_or(places.is_empty(), |known| *known == places) {
            return;
        }
        let namespaces: BTreeSet<String> = places.iter().map(|place| place.namespace.clone()).collect();
        if places.is_empty() {
            state.used.remove(cluster);
        } else {
            state.used.insert(cluster.clone(), places);
        }
        let used = &state.used;
        state
            .read
            .retain(|place, _| used.values().any(|places| places.contains(place)));
        self.namespaces.send_if_modified(|known| {
            let before = known.len();
            known.extend(namespaces);
            known.len() > before
        });
    }

    /// A secret was read in this version, or was not there.
    pub fn note_read(&self, place: &NamespacedName, version: Option<&str>) {
        let state = &mut *locked(&self.state);
        if state.used.values().any(|places| places.contains(place)) {
            state.read.insert(place.clone(), version.map(str::to_owned));
        }
    }

    /// A secret has this version now, or is not there: the clusters that copy from it, where they have read another one.
    pub fn outdated(&self, place: &NamespacedName, version: Option<&str>) -> Vec<ClusterRef> {
        let state = locked(&self.state);
        let is_known = state
            .read
            .get(place)
            .is_none_or(|known| known.as_deref() == version);
        if is_known {
            return Vec::new();
        }
        let users = state.used.iter().filter(|(_, places)| places.contains(place));
        users.map(|(cluster, _)| cluster.clone()).collect()
    }

    /// Those of a namespace that were there when they were read.
    pub fn known_in(&self, namespace: &str) -> Vec<NamespacedName> {
        let state = locked(&self.state);
        let known = state.read.iter().filter(|(_, version)| version.is_some());
        known
            .map(|(place, _)| place.clone())
            .filter(|place| place.namespace == namespace)
            .collect()
    }

    /// Where they are.
    pub fn namespaces(&self) -> watch::Receiver<BTreeSet<String>> {
        self.namespaces.subscribe()
    }

    pub fn clear(&self) {
        *locked(&self.state) = State::default();
        self.namespaces.send_replace(BTreeSet::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> NamespacedName {
        NamespacedName {
            namespace: "apps".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn another_version_is_news_for_those_who_copy_and_for_nobody_else() {
        let given = Given::default();
        let (one, other) = (ClusterRef::new("apps", "one"), ClusterRef::new("apps", "other"));
        let mut namespaces = given.namespaces();
        given.note_read(&place("vault"), Some("0"));
        assert!(given.known_in("apps").is_empty(), "nobody copies from it");
        given.note_used(&one, [place("vault")].into());
        given.note_used(&other, [place("safe")].into());
        assert!(namespaces.borrow_and_update().contains("apps"));
        assert!(
            given.outdated(&place("vault"), Some("1")).is_empty(),
            "who has not read it will"
        );
        given.note_read(&place("vault"), Some("1"));
        assert!(given.outdated(&place("vault"), Some("1")).is_empty());
        assert_eq!(
            given.outdated(&place("vault"), Some("2")),
            std::slice::from_ref(&one)
        );
        assert_eq!(given.outdated(&place("vault"), None), std::slice::from_ref(&one));
        assert!(given.outdated(&place("stranger"), Some("2")).is_empty());
        assert_eq!(given.known_in("apps"), [place("vault")]);
        assert!(given.known_in("elsewhere").is_empty());
        // One that was missing and is there now.
        given.note_read(&place("safe"), None);
        assert_eq!(given.outdated(&place("safe"), Some("1")), [other]);
        given.note_used(&one, BTreeSet::new());
        assert!(given.outdated(&place("vault"), Some("3")).is_empty());
        assert!(!namespaces.has_changed().unwrap());
    }
}
