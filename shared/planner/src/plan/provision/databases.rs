//! Databases and their owners; schemas and extensions of the prepared ones. Never dropped.

use pgherd_model::{
    api::postgresql::DatabaseOptions,
    cluster::{Cluster, PreparedDatabase, PreparedSchema, Role},
    config::OperatorConfig,
    names::roles::{Access, prepared_role, schema_scope},
};

use super::{Group, Wanted};
use crate::observed::catalog::{ContentView, ExtensionView};
use crate::observed::{Catalog, DatabaseView};
use crate::plan::{HoldReason, Matter, Verb};
use crate::sql::{Statement, Subject};

/// No limit, in `CONNECTION LIMIT`.
const UNLIMITED: i32 = -1;

/// Databases that are missing, and such whose owner is another.
pub(super) fn wanted(cluster: &Cluster, roles: &[Role], catalog: &Catalog) -> Wanted {
    let plain = cluster
        .databases
        .iter()
        .map(|database| (database.name.clone(), database.owner.clone(), &database.options));
    let prepared = cluster
        .prepared_databases
        .iter()
        .map(|database| {
            (
                database.name.clone(),
                prepared_role(&database.name, Access::Owner),
                &database.options,
            )
        })
        // An owner that the manifest names counts more than the prepared one.
        .filter(|(name, ..)| !cluster.databases.iter().any(|database| database.name == *name));
    let mut wanted = Wanted::default();
    for (database, owner, options) in plain.chain(prepared) {
        let statements = match catalog.databases.get(&database) {
            Some(found) => changed(&database, &owner, options, found),
            None => vec![Statement::CreateDatabase {
                database: database.clone(),
                owner: owner.clone(),
                options: options.clone(),
            }],
        };
        let exists = catalog.roles.contains_key(&owner) || roles.iter().any(|role| role.name == owner);
        let Some(first) = statements.first() else {
            continue;
        };
        if exists {
            let group = Group::of(Subject::Database(database), statements);
            wanted.groups.push(group.after_roles([owner.as_str()]));
        } else {
            let matter = Matter::Statement(Subject::Database(database), Box::new(first.clone()));
            wanted.lacking(matter, &owner);
        }
    }
    wanted
}

/// What can change of a database that exists.
fn changed(database: &str, owner: &str, options: &DatabaseOptions, found: &DatabaseView) -> Vec<Statement> {
    let owner = (found.owner != owner).then(|| Statement::SetDatabaseOwner {
        database: database.to_owned(),
        owner: owner.to_owned(),
    });
    let limit = options
        .connection_limit
        .filter(|limit| *limit != found.connection_limit.unwrap_or(UNLIMITED));
    let limit = limit.map(|limit| Statement::SetDatabaseLimit {
        database: database.to_owned(),
        limit,
    });
    owner.into_iter().chain(limit).collect()
}

/// Extensions that are missing from a prepared database, or in another schema.
///
/// Also such that are older than what the image brings, where the operator may update them.
pub(super) fn extensions(
    database: &PreparedDatabase,
    config: &OperatorConfig,
    found: &ContentView,
) -> Wanted {
    let mut wanted = Wanted::default();
    for (extension, schema) in &database.extensions {
        let subject = Subject::Extension {
            database: database.name.clone(),
            extension: extension.clone(),
        };
        let statement = match found.extensions.get(extension) {
            None => Statement::CreateExtension {
                extension: extension.clone(),
                schema: schema.clone(),
            },
            Some(there) if there.schema != *schema && is_fixed(there) => {
                let why = format!("it is in schema {} and cannot be moved", there.schema);
                wanted.hold(Matter::Object(Verb::Move, subject), HoldReason::Conflict(why));
                continue;
            }
            Some(there) if there.schema != *schema => Statement::MoveExtension {
                extension: extension.clone(),
                schema: schema.clone(),
            },
            Some(there) if config.provisioning.enable_extension_updates && there.updatable => {
                Statement::UpdateExtension {
                    extension: extension.clone(),
                }
            }
            // As after an image that was taken back.
            Some(there) if config.provisioning.enable_extension_updates && is_other(there) => {
                let offered = there.available.as_deref().unwrap_or_default();
                let why = format!("it has version {}, and no way leads to {offered}", there.version);
                wanted.hold(Matter::Object(Verb::Update, subject), HoldReason::Conflict(why));
                continue;
            }
            Some(_) => continue,
        };
        let mut group = Group::of(subject, vec![statement]).inside(&database.name);
        group.needs.insert(schema_subject(&database.name, schema));
        wanted.groups.push(group);
    }
    wanted
}

/// Its author does not let it move.
fn is_fixed(extension: &ExtensionView) -> bool {
    !extension.version.is_empty() && !extension.relocatable
}

fn is_other(extension: &ExtensionView) -> bool {
    extension
        .available
        .as_ref()
        .is_some_and(|version| *version != extension.version)
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
