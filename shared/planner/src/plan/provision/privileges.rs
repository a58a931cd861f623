//! What readers and writers of a prepared database may do, also with objects that are made later. Unlike Zalando's operator, which grants
//! only when it creates a schema, this is compared at each sync (zalando-behaviour 4.11, Databases).

use std::collections::BTreeSet;

use pgherd_model::{
    cluster::{Cluster, PreparedDatabase, PreparedSchema, RoleOrigin},
    names::roles::{Access, prepared_role, prepared_user, schema_scope},
};

use super::databases::{schema_owner, schema_subject};
use super::{Group, Wanted};
use crate::observed::catalog::{ContentView, DefaultPrivilege};
use crate::plan::{Matter, Verb};
use crate::sql::{DefaultGrant, ObjectClass, Privilege, Statement, Subject};

/// Privileges on one kind of objects: for readers, for writers beyond what they read as members of the readers.
pub(super) const GRANTS: [(ObjectClass, &[Privilege], &[Privilege]); 5] = [
    (ObjectClass::Schemas, &[Privilege::Usage], &[Privilege::Usage]),
    (
        ObjectClass::Tables,
        &[Privilege::Select],
        &[Privilege::Insert, Privilege::Update, Privilege::Delete],
    ),
    (
        ObjectClass::Sequences,
        &[Privilege::Select],
        &[Privilege::Usage, Privilege::Update],
    ),
    (
        ObjectClass::Functions,
        &[Privilege::Execute],
        &[Privilege::Execute],
    ),
    (ObjectClass::Types, &[Privilege::Usage], &[Privilege::Usage]),
];

/// Schemas and grants that are missing: what is granted in the whole database, then each schema by itself. What speaks of a role that is not
/// among the `known` ones, which are there or come before, is held, and the rest is done.
pub(super) fn wanted(
    cluster: &Cluster,
    database: &PreparedDatabase,
    found: &ContentView,
    known: &BTreeSet<&str>,
) -> Wanted {
    let whole = owners(&database.name, database.default_users);
    let subject = Subject::Database(database.name.clone());
    let everywhere = default_grants(&whole, None, &database.name, found);
    let mut groups = vec![(subject, everywhere)];
    for schema in &database.schemas {
        let subject = schema_subject(&database.name, &schema.name);
        let itself = schema_itself(cluster, database, schema, found);
        let itself = itself.or_else(|| of_another(database, schema, found));
        let mut statements = Vec::from_iter(itself);
        statements.extend(in_schema(database, schema, &whole, found));
        groups.push((subject, statements));
    }
    let mut wanted = Wanted::default();
    for (subject, statements) in groups {
        wanted.add(&database.name, subject, statements, known);
    }
    wanted
}

impl Wanted {
    /// Statements inside of a database, as far as the roles are known that they speak of, and after these.
    pub(super) fn add(
        &mut self,
        database: &str,
        subject: Subject,
        statements: Vec<Statement>,
        known: &BTreeSet<&str>,
    ) {
        let statements = possible(&subject, statements, known, self);
        let roles: BTreeSet<String> = statements.iter().flat_map(roles_of).collect();
        let group = Group::of(subject, statements).inside(database);
        self.groups
            .push(group.after_roles(roles.iter().map(String::as_str)));
    }
}

/// Those of the statements whose roles are known. In a schema that cannot be made there is nothing to grant.
fn possible(
    subject: &Subject,
    statements: Vec<Statement>,
    known: &BTreeSet<&str>,
    wanted: &mut Wanted,
) -> Vec<Statement> {
    let lacks = |statement: &Statement| -> Vec<String> {
        let roles = roles_of(statement).into_iter();
        roles.filter(|role| !known.contains(role.as_str())).collect()
    };
    let lacking: BTreeSet<String> = statements.iter().flat_map(&lacks).collect();
    for role in &lacking {
        wanted.lacking(Matter::Object(Verb::Prepare, subject.clone()), role);
    }
    let is_hopeless = statements
        .iter()
        .any(|it| matches!(it, Statement::CreateSchema { .. }) && !lacks(it).is_empty());
    if is_hopeless {
        return Vec::new();
    }
    let statements = statements.into_iter();
    statements
        .filter(|statement| lacks(statement).is_empty())
        .collect()
}

/// A schema that is missing, or belongs to another role of this cluster than it shall. One that others own stays theirs, `public` among them.
fn schema_itself(
    cluster: &Cluster,
    database: &PreparedDatabase,
    schema: &PreparedSchema,
    found: &ContentView,
) -> Option<Statement> {
    let (name, owner) = (schema.name.clone(), schema_owner(database, schema));
    match found.schemas.get(&schema.name) {
        None => Some(Statement::CreateSchema { schema: name, owner }),
        Some(there) if *there != owner => {
            let is_ours = cluster
                .role(there)
                .is_some_and(|role| role.origin == RoleOrigin::Prepared);
            is_ours.then_some(Statement::SetSchemaOwner { schema: name, owner })
        }
        Some(_) => None,
    }
}

/// In a schema that belongs to somebody else, `public` above all, its owner role may do what it could in its own.
fn of_another(
    database: &PreparedDatabase,
    schema: &PreparedSchema,
    found: &ContentView,
) -> Option<Statement> {
    let owner = schema_owner(database, schema);
    let is_other = found.schemas.get(&schema.name).is_some_and(|it| *it != owner);
    let wanted = [Privilege::Usage, Privilege::Create];
    is_other
        .then(|| on_schema(&schema.name, &wanted, owner, found))
        .flatten()
}

/// The part of a grant on a schema that is not there yet.
fn on_schema(
    schema: &str,
    privileges: &[Privilege],
    grantee: String,
    found: &ContentView,
) -> Option<Statement> {
    let has = |privilege| {
        let grant = (schema.to_owned(), grantee.clone(), privilege);
        found.schema_grants.contains(&grant)
    };
    let privileges: Vec<Privilege> = privileges.iter().copied().filter(|it| !has(*it)).collect();
    (!privileges.is_empty()).then(|| Statement::GrantSchema {
        schema: schema.to_owned(),
        privileges,
        grantee,
    })
}

/// The roles that a statement inside of a database speaks of.
fn roles_of(statement: &Statement) -> Vec<String> {
    match statement {
        Statement::CreateSchema { owner, .. } | Statement::SetSchemaOwner { owner, .. } => {
            vec![owner.clone()]
        }
        Statement::GrantSchema { grantee, .. } => vec![grantee.clone()],
        Statement::GrantObjects(grant) => vec![grant.grantee.clone()],
        Statement::GrantDefault(grant) => vec![grant.creator.clone(), grant.grantee.clone()],
        _ => Vec::new(),
    }
}

fn in_schema(
    database: &PreparedDatabase,
    schema: &PreparedSchema,
    whole: &[String],
    found: &ContentView,
) -> Vec<Statement> {
    let name = Some(schema.name.as_str());
    let mut statements = usage(&schema.name, &database.name, found);
    statements.extend(default_grants(
        &[schema_owner(database, schema)],
        name,
        &database.name,
        found,
    ));
    if schema.default_roles {
        let scope = schema_scope(&database.name, &schema.name);
        let creators: Vec<String> = whole
            .iter()
            .cloned()
            .chain(owners(&scope, schema.default_users))
            .collect();
        statements.extend(usage(&schema.name, &scope, found));
        statements.extend(default_grants(&creators, name, &scope, found));
    }
    statements
}

/// Who makes objects in a scope.
fn owners(scope: &str, with_users: bool) -> Vec<String> {
    let user = with_users.then(|| prepared_user(scope, Access::Owner));
    std::iter::once(prepared_role(scope, Access::Owner))
        .chain(user)
        .collect()
}

fn usage(schema: &str, scope: &str, found: &ContentView) -> Vec<Statement> {
    [Access::Reader, Access::Writer]
        .map(|access| prepared_role(scope, access))
        .into_iter()
        .filter_map(|grantee| on_schema(schema, &[Privilege::Usage], grantee, found))
        .collect()
}

/// What each creator's later objects allow to readers and writers of `scope`.
fn default_grants(
    creators: &[String],
    schema: Option<&str>,
    scope: &str,
    found: &ContentView,
) -> Vec<Statement> {
    let mut statements = Vec::new();
    for creator in creators {
        // Within a schema there are no schemas.
        for (objects, read, write) in GRANTS
            .iter()
            .filter(|(objects, ..)| schema.is_none() || *objects != ObjectClass::Schemas)
        {
            for (access, privileges) in [(Access::Reader, *read), (Access::Writer, *write)] {
                let grant = DefaultGrant {
                    creator: creator.clone(),
                    schema: schema.map(str::to_owned),
                    objects: *objects,
                    privileges: privileges.to_vec(),
                    grantee: prepared_role(scope, access),
                };
                statements.extend(missing(grant, found).map(Statement::GrantDefault));
            }
        }
    }
    statements
}

/// The part of a grant that is not there yet.
fn missing(mut grant: DefaultGrant, found: &ContentView) -> Option<DefaultGrant> {
    let DefaultGrant {
        creator,
        schema,
        objects,
        grantee,
        ..
    } = grant.clone();
    grant.privileges.retain(|privilege| {
        !found.default_privileges.contains(&DefaultPrivilege {
            creator: creator.clone(),
            schema: schema.clone(),
            objects,
            grantee: grantee.clone(),
            privilege: *privilege,
        })
    });
    (!grant.privileges.is_empty()).then_some(grant)
}
