//! Databases and their owners; schemas and extensions of the prepared ones. Never dropped.

use pgherd_model::{
    cluster::{Cluster, PreparedDatabase, PreparedSchema},
    names::roles::{Access, prepared_role, schema_scope},
};

use super::Wanted;
use crate::observed::Catalog;
use crate::observed::catalog::ContentView;
use crate::sql::Statement;

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
        let statement = match catalog.databases.get(&database) {
            Some(found) if found.owner == owner => continue,
            Some(_) => Statement::SetDatabaseOwner {
                database,
                owner: owner.clone(),
            },
            None => Statement::CreateDatabase {
                database,
                owner: owner.clone(),
            },
        };
        let exists = catalog.roles.contains_key(&owner) || cluster.role(&owner).is_some();
        if exists {
            wanted.statements.push(statement);
        } else {
            wanted.lacking(statement.to_string(), &owner);
        }
    }
    wanted
}

/// Schemas that are missing from a prepared database.
pub(super) fn schemas(database: &PreparedDatabase, found: &ContentView) -> Vec<Statement> {
    let missing = database
        .schemas
        .iter()
        .filter(|schema| !found.schemas.contains_key(&schema.name));
    let create = |schema: &PreparedSchema| Statement::CreateSchema {
        schema: schema.name.clone(),
        owner: schema_owner(database, schema),
    };
    missing.map(create).collect()
}

/// Extensions that are missing from a prepared database, or in another schema.
pub(super) fn extensions(database: &PreparedDatabase, found: &ContentView) -> Vec<Statement> {
    let statement = |(extension, schema): (&String, &String)| {
        let (extension, schema) = (extension.clone(), schema.clone());
        match found.extensions.get(&extension) {
            None => Some(Statement::CreateExtension { extension, schema }),
            Some(there) if *there != schema => Some(Statement::MoveExtension { extension, schema }),
            Some(_) => None,
        }
    };
    database.extensions.iter().filter_map(statement).collect()
}

/// The schema's own owner role, or the database's where the schema has none.
pub(super) fn schema_owner(database: &PreparedDatabase, schema: &PreparedSchema) -> String {
    if schema.default_roles {
        prepared_role(&schema_scope(&database.name, &schema.name), Access::Owner)
    } else {
        prepared_role(&database.name, Access::Owner)
    }
}
