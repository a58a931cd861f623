//! The sources of roles beside manifests: secrets and config maps with infrastructure roles, one name each; PostgresTeam objects. Any of them
//! concerns every cluster. Must not: what is in them (model).

use std::collections::HashSet;

use kube::api::DynamicObject;
use pgherd_model::api::team::PostgresTeam;
use pgherd_model::config::NamespacedName;

use super::Watches;
use super::follow::Sink;
use crate::cache::environment::Source;
use crate::cache::outside::{Data, decode};

/// One secret or config map.
pub(super) struct SourceSink {
    watches: Watches,
    source: Source,
    place: NamespacedName,
    found: bool,
}

impl SourceSink {
    pub(super) fn new(watches: Watches, source: Source, place: NamespacedName) -> Self {
        Self {
            watches,
            source,
            place,
            found: false,
        }
    }

    fn note(&self, data: Option<Data>) {
        if self.watches.cache.outside.note(self.source, &self.place, data) {
            self.watches.stir_all();
        }
    }
}

impl Sink<DynamicObject> for SourceSink {
    fn list_begins(&mut self) {
        self.found = false;
    }

    fn apply(&mut self, object: DynamicObject) {
        self.found = true;
        self.note(Some(decode(self.source, &object.data["data"])));
    }

    fn delete(&mut self, _: DynamicObject) {
        self.note(None);
    }

    fn list_ends(&mut self) {
        if !self.found {
            self.note(None);
        }
    }
}

/// PostgresTeam objects of a namespace, or of all.
pub(super) struct TeamSink {
    watches: Watches,
    place: Option<String>,
    listed: Option<HashSet<NamespacedName>>,
}

impl TeamSink {
    pub(super) fn new(watches: Watches, place: Option<&str>) -> Self {
        Self {
            watches,
            place: place.map(str::to_owned),
            listed: None,
        }
    }
}

impl Sink<PostgresTeam> for TeamSink {
    fn list_begins(&mut self) {
        self.listed = Some(HashSet::new());
    }

    fn apply(&mut self, team: PostgresTeam) {
        let place = place_of(&team);
        if let Some(listed) = &mut self.listed {
            listed.insert(place.clone());
        }
        if self.watches.cache.outside.note_team(&place, team.spec) && self.listed.is_none() {
            self.watches.stir_all();
        }
    }

    fn delete(&mut self, team: PostgresTeam) {
        if self.watches.cache.outside.note_team_gone(&place_of(&team)) {
            self.watches.stir_all();
        }
    }

    fn list_ends(&mut self) {
        let listed = self.listed.take().unwrap_or_default();
        let outside = &self.watches.cache.outside;
        outside.note_teams_listed(self.place.as_deref(), &listed);
        // Whether or not one has changed: a list is rare.
        self.watches.stir_all();
    }
}

fn place_of(team: &PostgresTeam) -> NamespacedName {
    NamespacedName {
        namespace: team.metadata.namespace.clone().unwrap_or_default(),
        name: team.metadata.name.clone().unwrap_or_default(),
    }
}
