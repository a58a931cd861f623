//! Databases and their owners; schemas and extensions of the prepared ones. Never dropped.

use pgherd_model::{
    api::{postgresql::DatabaseOptions, status::Provisioned},
    cluster::{Cluster, PreparedDatabase, PreparedSchema, Role, RoleOrigin},
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

/// One that is wanted.
struct Entry<'a> {
    name: &'a String,
    owner: String,
    options: &'a DatabaseOptions,
    /// The manifest names no owner: it is prepared only.
    is_prepared: bool,
}

/// Databases that are missing, and such whose owner is another.
pub(super) fn wanted(
    cluster: &Cluster,
    roles: &[Role],
    catalog: &Catalog,
    given: Option<&Provisioned>,
    gaps: &[(String, String)],
) -> Wanted {
    let mut wanted = Wanted::default();
    // Who is silent may know of an owner that the manifest names no more.
    let heard = given.filter(|_| gaps.is_empty());
    for mut entry in entries(cluster) {
        let subject = Subject::Database(entry.name.clone());
        let found = catalog.databases.get(entry.name);
        let stranger = found.filter(|found| {
            let is_other = found.owner != entry.owner && entry.is_prepared;
            is_other && !is_ours(&found.owner, cluster, catalog, heard)
        });
        if let Some(found) = stranger {
            let why = format!("it belongs to {}, who keeps it: change that by hand", found.owner);
            let statement = set_owner(entry.name, &entry.owner);
            let matter = Matter::Statement(subject.clone(), Box::new(statement));
            wanted.hold(matter, HoldReason::Conflict(why));
            entry.owner.clone_from(&found.owner);
        }
        let statements = entry.statements(found);
        let Some(first) = statements.first() else {
            continue;
        };
        let owner = &entry.owner;
        if catalog.roles.contains_key(owner) || roles.iter().any(|role| role.name == *owner) {
            let group = Group::of(subject, statements);
            wanted.groups.push(group.after_roles([owner.as_str()]));
        } else {
            let matter = Matter::Statement(subject, Box::new(first.clone()));
            wanted.lacking(matter, owner);
        }
    }
    wanted
}

impl Entry<'_> {
    fn statements(&self, found: Option<&DatabaseView>) -> Vec<Statement> {
        match found {
            Some(found) => changed(self.name, &self.owner, self.options, found),
            None => vec![Statement::CreateDatabase {
                database: self.name.clone(),
                owner: self.owner.clone(),
                options: self.options.clone(),
            }],
        }
    }
}

/// Those that the manifest names an owner of come first, and count more than prepared ones.
fn entries(cluster: &Cluster) -> impl Iterator<Item = Entry<'_>> {
    let plain = cluster.databases.iter().map(|database| Entry {
        name: &database.name,
        owner: database.owner.clone(),
        options: &database.options,
        is_prepared: false,
    });
    let is_plain = |name: &String| cluster.databases.iter().any(|database| database.name == *name);
    let prepared = cluster.prepared_databases.iter().map(|database| Entry {
        name: &database.name,
        owner: prepared_role(&database.name, Access::Owner),
        options: &database.options,
        is_prepared: true,
    });
    plain.chain(prepared.filter(move |entry| !is_plain(entry.name)))
}

/// A prepared database may be taken from such an owner: a superuser, a role that we prepared, or one that the manifest gave and has given up.
/// Anybody else works with it, as the owner that `databases` named before: Zalando's operator leaves it to him.
fn is_ours(owner: &str, cluster: &Cluster, catalog: &Catalog, given: Option<&Provisioned>) -> bool {
    let is_superuser = catalog.roles.get(owner).is_some_and(|role| role.superuser);
    is_superuser
        || match cluster.role(owner) {
            Some(role) => matches!(role.origin, RoleOrigin::System | RoleOrigin::Prepared),
            None => given.is_some_and(|given| given.roles.contains_key(owner)),
        }
}

fn set_owner(database: &str, owner: &str) -> Statement {
    Statement::SetDatabaseOwner {
        database: database.to_owned(),
        owner: owner.to_owned(),
    }
}

/// What can change of a database that exists.
fn changed(database: &str, owner: &str, options: &DatabaseOptions, found: &DatabaseView) -> Vec<Statement> {
    let owner = (found.owner != owner).then(|| set_owner(database, owner));
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
