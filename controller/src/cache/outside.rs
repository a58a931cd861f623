//! What the watches tell of the sources of roles beside manifests: secrets and config maps with infrastructure roles, PostgresTeam objects.
//! Must not: requests, or what follows from it (model).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use pgherd_model::api::team::PostgresTeamSpec;
use pgherd_model::cluster::role::team::TeamMap;
use pgherd_model::config::NamespacedName;
use pgherd_model::secret::Secret;
use serde_json::Value;
use zeroize::Zeroizing;

use super::environment::Source;
use super::locked;

/// Of a secret or a config map, decoded.
pub type Data = BTreeMap<String, Secret>;

/// All of it.
#[derive(Debug, Default)]
pub struct Outside(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What a watch has told; none: there is no such object.
    objects: HashMap<(Source, NamespacedName), Option<Data>>,
    teams: HashMap<NamespacedName, PostgresTeamSpec>,
    /// Where teams are watched and not listed yet; none for all namespaces.
    unlisted: HashSet<Option<String>>,
    teams_watched: bool,
}

impl Outside {
    /// An object is like this now, or is not there. True when that is news.
    pub fn note(&self, source: Source, place: &NamespacedName, data: Option<Data>) -> bool {
        let before = locked(&self.0)
            .objects
            .insert((source, place.clone()), data.clone());
        before != Some(data)
    }

    /// What is known of an object; none where no watch has told yet.
    pub fn get(&self, source: Source, place: &NamespacedName) -> Option<Option<Data>> {
        locked(&self.0).objects.get(&(source, place.clone())).cloned()
    }

    /// Teams are going to be watched in these places.
    pub fn expect_teams<'a>(&self, places: impl IntoIterator<Item = Option<&'a str>>) {
        let state = &mut *locked(&self.0);
        state.teams_watched = true;
        state.unlisted = places.into_iter().map(|place| place.map(str::to_owned)).collect();
    }

    /// True when that is news.
    pub fn note_team(&self, place: &NamespacedName, team: PostgresTeamSpec) -> bool {
        let before = locked(&self.0).teams.insert(place.clone(), team.clone());
        before != Some(team)
    }

    /// True when that is news.
    pub fn note_team_gone(&self, place: &NamespacedName) -> bool {
        locked(&self.0).teams.remove(place).is_some()
    }

    /// All teams of a namespace (of all, when none is given) have been listed. True when that is news.
    pub fn note_teams_listed(&self, place: Option<&str>, listed: &HashSet<NamespacedName>) -> bool {
        let state = &mut *locked(&self.0);
        let is_first = state.unlisted.remove(&place.map(str::to_owned));
        let before = state.teams.len();
        let is_here = |team: &NamespacedName| place.is_none_or(|place| place == team.namespace);
        state
            .teams
            .retain(|team, _| !is_here(team) || listed.contains(team));
        is_first || state.teams.len() != before
    }

    /// All teams together; none before all of them are listed.
    pub fn teams(&self) -> Option<TeamMap> {
        let state = locked(&self.0);
        let complete = state.teams_watched && state.unlisted.is_empty();
        complete.then(|| TeamMap::merge(state.teams.values()))
    }

    pub fn clear(&self) {
        *locked(&self.0) = State::default();
    }
}

/// A value that is no text is left out.
pub fn decode(source: Source, data: &Value) -> Data {
    let text = |value: &Value| match source {
        Source::ConfigMap => value.as_str().map(Secret::new),
        Source::Secret => {
            let bytes: k8s_openapi::ByteString = serde_json::from_value(value.clone()).ok()?;
            let bytes = Zeroizing::new(bytes.0);
            std::str::from_utf8(&bytes).ok().map(Secret::new)
        }
    };
    let entries = data.as_object().into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), text(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(namespace: &str, name: &str) -> NamespacedName {
        NamespacedName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn teams_are_known_when_all_are_listed_and_a_deleted_one_is_gone() {
        let known = Outside::default();
        assert_eq!(known.teams(), None);
        known.expect_teams([Some("a"), Some("b")]);
        let team = PostgresTeamSpec {
            additional_members: [("acid".to_owned(), vec!["x".to_owned()])].into(),
            ..PostgresTeamSpec::default()
        };
        assert!(known.note_team(&place("a", "t"), team.clone()));
        assert!(!known.note_team(&place("a", "t"), team));
        assert!(known.note_teams_listed(Some("a"), &[place("a", "t")].into()));
        assert_eq!(known.teams(), None, "b is not listed");
        assert!(known.note_teams_listed(Some("b"), &HashSet::new()));
        assert!(known.teams().is_some_and(|teams| teams.get("acid").is_some()));
        assert!(known.note_teams_listed(Some("a"), &HashSet::new()));
        assert!(known.teams().is_some_and(|teams| teams.get("acid").is_none()));
    }

    #[test]
    fn secrets_are_decoded_and_config_maps_are_not() {
        let data = json!({"user1": "cm9ib3Q=", "odd": 7});
        let decoded = Data::from([("user1".to_owned(), Secret::new("robot"))]);
        assert_eq!(decode(Source::Secret, &data), decoded);
        assert_eq!(decode(Source::ConfigMap, &data)["user1"].expose(), "cm9ib3Q=");
        assert!(decode(Source::Secret, &Value::Null).is_empty());
    }

    #[test]
    fn the_same_again_is_no_news_and_absence_is_an_answer() {
        let known = Outside::default();
        let it = place("a", "roles");
        assert_eq!(known.get(Source::Secret, &it), None);
        assert!(known.note(Source::Secret, &it, None));
        assert_eq!(known.get(Source::Secret, &it), Some(None));
        let data = Data::from([("user1".to_owned(), Secret::new("x"))]);
        assert!(known.note(Source::Secret, &it, Some(data.clone())));
        assert!(!known.note(Source::Secret, &it, Some(data)));
        assert_eq!(known.get(Source::ConfigMap, &it), None);
    }
}
