//! What a role owns and was granted, wherever that is. Lives here: taking it from a role that goes, and naming the places. Must not: who goes.

use std::collections::BTreeSet;

use pgherd_model::names::roles::MAINTENANCE_DATABASE;

use super::Group;
use crate::observed::Catalog;
use crate::sql::{Statement, Subject};

/// What a role owns goes to the heir, and what is granted to it goes, in every database. The first also where nothing of its own was seen: it
/// may have made something since, and what is taken from it next would take that along. Nobody is his own heir: nothing would be handed over
/// before what is owned is dropped.
pub(super) fn without_rights(name: &str, heir: &str, catalog: &Catalog) -> Vec<Group> {
    let Some(found) = catalog.roles.get(name).filter(|_| name != heir) else {
        return Vec::new();
    };
    // What all databases share is reached from any of them.
    let place = |place: &String| match place.as_str() {
        "" => MAINTENANCE_DATABASE.to_owned(),
        _ => place.clone(),
    };
    let owns_databases = catalog.databases.values().any(|database| database.owner == name);
    let places: BTreeSet<String> = found
        .owns_in
        .iter()
        .chain(&found.granted_in)
        .map(place)
        .chain(owns_databases.then(|| MAINTENANCE_DATABASE.to_owned()))
        .collect();
    let role = || name.to_owned();
    let cleared = |database: String| {
        let statements = vec![
            Statement::ReassignOwned {
                role: role(),
                owner: heir.to_owned(),
            },
            Statement::DropOwned { role: role() },
        ];
        Group::of(Subject::Role(role()), statements).inside(&database)
    };
    places.into_iter().map(cleared).collect()
}

/// Databases in words.
pub(super) fn places(names: &BTreeSet<String>) -> String {
    let word = |name: &String| match name.as_str() {
        "" => "the server".to_owned(),
        name => format!("database {name}"),
    };
    names.iter().map(word).collect::<Vec<_>>().join(", ")
}
