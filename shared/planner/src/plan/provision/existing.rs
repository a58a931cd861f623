//! What readers and writers may do with tables and sequences that are there already, whoever made them: where the manifest asks for it. Must
//! not: what is made later (`privileges`).
//!
//! Functions are not among them. Everybody may call one, unless that was taken back, which is a decision about that function.

use std::collections::BTreeSet;

use pgherd_model::cluster::{PreparedDatabase, PreparedSchema};
use pgherd_model::names::roles::{Access, prepared_role, schema_scope};

use super::Wanted;
use super::databases::schema_subject;
use super::privileges::GRANTS;
use crate::observed::catalog::{ContentView, ObjectsView};
use crate::sql::{ObjectGrant, Privilege, Statement};

/// So many objects are named in one statement.
const AT_ONCE: usize = 200;

/// Grants that are missing, each schema by itself.
pub(super) fn wanted(database: &PreparedDatabase, found: &ContentView, known: &BTreeSet<&str>) -> Wanted {
    let mut wanted = Wanted::default();
    if !database.grant_existing {
        return wanted;
    }
    for schema in &database.schemas {
        let here = found.objects.iter().filter(|view| view.schema == schema.name);
        let statements = here.flat_map(|view| missing(database, schema, view)).collect();
        let subject = schema_subject(&database.name, &schema.name);
        wanted.add(&database.name, subject, statements, known);
    }
    wanted
}

fn missing(database: &PreparedDatabase, schema: &PreparedSchema, view: &ObjectsView) -> Vec<Statement> {
    let own = schema
        .default_roles
        .then(|| schema_scope(&database.name, &schema.name));
    let scopes: Vec<String> = std::iter::once(database.name.clone()).chain(own).collect();
    let kinds = GRANTS.iter().filter(|(objects, ..)| *objects == view.objects);
    let mut statements = Vec::new();
    for (_, read, write) in kinds {
        for scope in &scopes {
            for (access, privileges) in [(Access::Reader, *read), (Access::Writer, *write)] {
                let grantee = prepared_role(scope, access);
                let lacks = |it: &Privilege| !view.grants.contains(&(grantee.clone(), *it));
                let privileges: Vec<_> = privileges.iter().copied().filter(lacks).collect();
                if !privileges.is_empty() {
                    statements.extend(grants(view, &privileges, &grantee));
                }
            }
        }
    }
    statements
}

fn grants(view: &ObjectsView, privileges: &[Privilege], grantee: &str) -> Vec<Statement> {
    let names: Vec<String> = view.names.iter().cloned().collect();
    let grant = |names: &[String]| {
        Statement::GrantObjects(ObjectGrant {
            schema: view.schema.clone(),
            objects: view.objects,
            names: names.to_vec(),
            privileges: privileges.to_vec(),
            grantee: grantee.to_owned(),
        })
    };
    names.chunks(AT_ONCE).map(grant).collect()
}
