//! What readers and writers may do with tables and sequences that are there already, whoever made them: where the manifest asks for it. Must
//! not: what is made later (`privileges`).
//!
//! Functions are not among them. Everybody may call one, unless that was taken back, which is a decision about that function.

use std::collections::BTreeSet;

use pgherd_model::cluster::{PreparedDatabase, PreparedSchema};
use pgherd_model::names::roles::{Access, prepared_role, schema_scope};

use super::databases::schema_subject;
use super::privileges::GRANTS;
use super::{Group, Wanted};
use crate::observed::catalog::{ContentView, ObjectsView};
use crate::plan::{Matter, Verb};
use crate::sql::{ObjectGrant, Privilege, Statement, Subject};

/// So many objects stand and fall together: one that goes before it is granted keeps no more than these waiting.
const AT_ONCE: usize = 50;

/// Grants that are missing, some objects by themselves.
pub(super) fn wanted(database: &PreparedDatabase, found: &ContentView, known: &BTreeSet<&str>) -> Wanted {
    let mut wanted = Wanted::default();
    if !database.grant_existing {
        return wanted;
    }
    for schema in &database.schemas {
        let mut lacking = BTreeSet::new();
        for view in found.objects.iter().filter(|view| view.schema == schema.name) {
            let missing = missing(database, schema, view);
            let (missing, unknown): (Vec<Missing>, Vec<Missing>) = missing
                .into_iter()
                .partition(|(role, _)| known.contains(role.as_str()));
            lacking.extend(unknown.into_iter().map(|(role, _)| role));
            let names: Vec<String> = view.names.iter().cloned().collect();
            let groups = names
                .chunks(AT_ONCE)
                .map(|names| group(database, view, names, &missing));
            wanted
                .groups
                .extend(groups.filter(|group| !group.statements.is_empty()));
        }
        for role in lacking {
            let subject = schema_subject(&database.name, &schema.name);
            wanted.lacking(Matter::Object(Verb::Prepare, subject), &role);
        }
    }
    wanted
}

/// Who lacks what.
type Missing = (String, Vec<Privilege>);

fn missing(database: &PreparedDatabase, schema: &PreparedSchema, view: &ObjectsView) -> Vec<Missing> {
    let own = schema
        .default_roles
        .then(|| schema_scope(&database.name, &schema.name));
    let scopes: Vec<String> = std::iter::once(database.name.clone()).chain(own).collect();
    let kinds = GRANTS.iter().filter(|(objects, ..)| *objects == view.objects);
    let mut missing = Vec::new();
    for (_, read, write) in kinds {
        for scope in &scopes {
            for (access, privileges) in [(Access::Reader, *read), (Access::Writer, *write)] {
                let grantee = prepared_role(scope, access);
                let lacks = |it: &Privilege| !view.grants.contains(&(grantee.clone(), *it));
                let privileges: Vec<_> = privileges.iter().copied().filter(lacks).collect();
                if !privileges.is_empty() {
                    missing.push((grantee, privileges));
                }
            }
        }
    }
    missing
}

fn group(database: &PreparedDatabase, view: &ObjectsView, names: &[String], missing: &[Missing]) -> Group {
    let grant = |(grantee, privileges): &Missing| {
        Statement::GrantObjects(ObjectGrant {
            schema: view.schema.clone(),
            objects: view.objects,
            names: names.to_vec(),
            privileges: privileges.clone(),
            grantee: grantee.clone(),
        })
    };
    let subject = Subject::Objects {
        database: database.name.clone(),
        schema: view.schema.clone(),
        first: names.first().cloned().unwrap_or_default(),
    };
    let group = Group::of(subject, missing.iter().map(grant).collect()).inside(&database.name);
    group.after_roles(missing.iter().map(|(role, _)| role.as_str()))
}
