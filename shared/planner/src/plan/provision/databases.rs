//! Databases and their owners; schemas and extensions of the prepared ones. Never dropped.

use pgherd_model::{
    api::postgresql::DatabaseOptions,
    cluster::{Cluster, PreparedDatabase, PreparedSchema},
    names::roles::{Access, prepared_role, schema_scope},
};

use super::{Group, Wanted};
use crate::observed::Catalog;
use crate::observed::catalog::ContentView;
use crate::sql::{Statement, Subject};

/// Databases that are missing, and such whose owner is another.
pub(super) fn wanted(cluster: &Cluster, catalog: &Catalog) -> Wanted {
    let plain = cluster
        .databases
        .iter()
        .map(|database| (database.name.clone(), database.owner.clone()));
    let prepared = cluster
        .prepared_databases
        .iter()
        .map(|database| {
            (
                database.name.clone(),
                prepared_role(&database.name, Access::Owner),
            )
        })
        // An owner that the manifest names counts more than the prepared one.
        .filter(|(name, _)| !cluster.databases.iter().any(|database| database.name == *name));
    let mut wanted = Wanted::default();
    for (database, owner) in plain.chain(prepared) {
        let subject = Subject::Database(database.clone());
        let statement = match catalog.databases.get(&database) {
            Some(found) if found.owner == owner => continue,
            Some(_) => Statement::SetDatabaseOwner {
                database,
                owner: owner.clone(),
            },
            None => Statement::CreateDatabase {
                database,
                owner: owner.clone(),
                options: DatabaseOptions::default(),
            },
        };
        let exists = catalog.roles.contains_key(&owner) || cluster.role(&owner).is_some();
        if exists {
            let group = Group::of(subject, vec![statement]);
            wanted.groups.push(group.after_roles([owner.as_str()]));
        } else {
            wanted.lacking(statement.to_string(), &owner);
        }
    }
    wanted
}

/// Extensions that are missing from a prepared database, or in another schema.
pub(super) fn extensions(database: &PreparedDatabase, found: &ContentView) -> Wanted {
    let mut wanted = Wanted::default();
    for (extension, schema) in &database.extensions {
        let statement = match found.extensions.get(extension) {
            None => Statement::CreateExtension {
                extension: extension.clone(),
                schema: schema.clone(),
            },
            Some(there) if there.schema != *schema => Statement::MoveExtension {
                extension: extension.clone(),
                schema: schema.clone(),
            },
            Some(_) => continue,
        };
        let subject = Subject::Extension {
            database: database.name.clone(),
            extension: extension.clone(),
        };
        let mut group = Group::of(subject, vec![statement]).inside(&database.name);
        group.needs.insert(schema_subject(&database.name, schema));
        wanted.groups.push(group);
    }
    wanted
}

pub(super) fn schema_subject(database: &str, schema: &str) -> Subject {
    Subject::Schema {
        database: database.to_owned(),
        schema: schema.to_owned(),
    }
}

/// The schema's own owner role, or the database's where the schema has none.
pub(super) fn schema_owner(database: &PreparedDatabase, schema: &PreparedSchema) -> String {
    if schema.default_roles {
        prepared_role(&schema_scope(&database.name, &schema.name), Access::Owner)
    } else {
        prepared_role(&database.name, Access::Owner)
    }
}
