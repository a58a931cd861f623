//! Postgres, as far as its catalog shows: what statements do to it, and which it refuses.

use std::collections::BTreeMap;

use pgherd_model::config::OperatorConfig;
use pgherd_planner::observed::catalog::{ContentView, DefaultPrivilege, ExtensionView, LookupView};
use pgherd_planner::observed::{Catalog, DatabaseView, RoleView};
use pgherd_planner::sql::{PasswordRef, RoleFlags, Scheme, SettingValue, Statement};

/// Who grants what is granted: we do.
const US: &str = "postgres";

/// What the image makes.
pub(crate) fn first(config: &OperatorConfig) -> Catalog {
    let mut catalog = Catalog {
        version: 17,
        ..Catalog::default()
    };
    let users = [&config.users.super_username, &config.users.replication_username];
    for name in users
        .into_iter()
        .map(String::as_str)
        .chain(["admin", "cron_admin"])
    {
        let role = RoleView {
            login: true,
            inherit: true,
            password_matches: Some(true),
            ..RoleView::default()
        };
        catalog.roles.insert(name.to_owned(), role);
    }
    let postgres = DatabaseView {
        content: Some(ContentView::default()),
        ..DatabaseView::default()
    };
    catalog.databases.insert("postgres".to_owned(), postgres);
    catalog
}

/// What a statement does to the catalog.
pub(crate) fn run(catalog: &mut Catalog, database: &str, statement: &Statement) {
    match statement {
        Statement::CreateDatabase {
            database,
            owner,
            options,
        } => {
            assert!(
                catalog.roles.contains_key(owner),
                "{owner} owns {database} and does not exist"
            );
            assert!(!catalog.databases.contains_key(database), "{database} exists");
            let content = Some(ContentView {
                schemas: BTreeMap::from([("public".to_owned(), "pg_database_owner".to_owned())]),
                ..ContentView::default()
            });
            let view = DatabaseView {
                owner: owner.clone(),
                connection_limit: options.connection_limit.filter(|limit| *limit >= 0),
                content,
                ..DatabaseView::default()
            };
            catalog.databases.insert(database.clone(), view);
        }
        Statement::DropDatabase { database } => {
            catalog.databases.remove(database).unwrap();
            for role in catalog.roles.values_mut() {
                role.owns_in.remove(database);
                role.granted_in.remove(database);
            }
        }
        Statement::SetDatabaseOwner { database, owner } => {
            assert!(catalog.roles.contains_key(owner), "{owner} does not exist");
            existing(catalog, database).owner.clone_from(owner);
        }
        Statement::SetDatabaseLimit { database, limit } => {
            existing(catalog, database).connection_limit = Some(*limit).filter(|limit| *limit >= 0);
        }
        _ if is_about_roles(statement) => run_on_role(catalog, database, statement),
        inside => {
            let content = existing(catalog, database).content.get_or_insert_default();
            run_inside(content, inside);
        }
    }
}

fn existing<'a>(catalog: &'a mut Catalog, database: &str) -> &'a mut DatabaseView {
    let found = catalog.databases.get_mut(database);
    found.unwrap_or_else(|| panic!("database {database} does not exist"))
}

fn is_about_roles(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::CreateRole { .. }
            | Statement::AddFlags { .. }
            | Statement::RemoveFlags { .. }
            | Statement::SetPassword { .. }
            | Statement::SetConnectionLimit { .. }
            | Statement::SetValidUntil { .. }
            | Statement::RenameRole { .. }
            | Statement::DropRole { .. }
            | Statement::ReassignOwned { .. }
            | Statement::DropOwned { .. }
            | Statement::GrantRole { .. }
            | Statement::SetMembership { .. }
            | Statement::RevokeRole { .. }
            | Statement::SetSetting { .. }
            | Statement::ResetSetting { .. }
    )
}

#[expect(clippy::too_many_lines, reason = "a few lines for each statement")]
fn run_on_role(catalog: &mut Catalog, database: &str, statement: &Statement) {
    match statement {
        Statement::CreateRole {
            role,
            flags,
            connection_limit,
            valid_until,
            password,
        } => {
            assert!(!catalog.roles.contains_key(role), "{role} exists");
            let view = RoleView {
                inherit: true,
                password_matches: Some(true),
                connection_limit: connection_limit.filter(|limit| *limit >= 0),
                valid_until: valid_until.clone().filter(|until| until != "infinity"),
                md5: password.as_ref().is_some_and(is_md5),
                ..RoleView::default()
            };
            catalog.roles.insert(role.clone(), with_flags(view, *flags));
        }
        Statement::GrantRole { role, member, admin } => {
            assert!(
                role.starts_with("pg_") || catalog.roles.contains_key(role),
                "{role}"
            );
            assert!(!catalog.reaches(role, member), "{role} is a member of {member}");
            let view = known(catalog, member);
            let inherit = view.inherit;
            let membership = view.member_of.entry(role.clone()).or_default();
            membership.admin |= admin;
            (membership.inherit, membership.set) = (inherit, true);
            membership.grantors.insert(US.to_owned());
        }
        Statement::SetMembership {
            role,
            member,
            inherit,
            set,
            ..
        } => {
            let membership = known(catalog, member).member_of.get_mut(role).unwrap();
            membership.inherit = inherit.unwrap_or(membership.inherit);
            membership.set = set.unwrap_or(membership.set);
        }
        Statement::RevokeRole { role, member, .. } => {
            known(catalog, member).member_of.remove(role);
        }
        Statement::RenameRole { role, name } => rename(catalog, role, name),
        Statement::DropRole { role } => drop_role(catalog, role),
        Statement::ReassignOwned { role, owner } => {
            let view = known(catalog, role);
            view.owns_in.remove(database);
            view.owns_in.remove("");
            let owned = catalog
                .databases
                .values_mut()
                .filter(|found| found.owner == *role);
            owned.for_each(|found| found.owner.clone_from(owner));
        }
        Statement::DropOwned { role } => {
            let view = known(catalog, role);
            view.granted_in.remove(database);
            view.granted_in.remove("");
        }
        Statement::SetSetting { role, name, value } => {
            let text = match value {
                SettingValue::One(text) => text.clone(),
                SettingValue::List(items) => items
                    .iter()
                    .map(|item| format!("\"{item}\""))
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            known(catalog, role).settings.insert(name.clone(), text);
        }
        Statement::ResetSetting { role, name } => {
            known(catalog, role).settings.remove(name);
        }
        other => alter(catalog, other),
    }
}

fn alter(catalog: &mut Catalog, statement: &Statement) {
    match statement {
        Statement::AddFlags { role, flags } => {
            let view = catalog.roles.remove(role).unwrap();
            catalog.roles.insert(role.clone(), with_flags(view, *flags));
        }
        Statement::RemoveFlags { role, flags } => {
            let view = known(catalog, role);
            view.superuser &= !flags.superuser;
            view.createdb &= !flags.createdb;
            view.createrole &= !flags.createrole;
            view.login &= !flags.login;
            view.replication &= !flags.replication;
            view.bypassrls &= !flags.bypassrls;
            view.inherit &= flags.inherit != Some(false);
        }
        Statement::SetPassword { role, password } => {
            let view = known(catalog, role);
            view.password_matches = Some(true);
            view.md5 = is_md5(password);
        }
        Statement::SetConnectionLimit { role, limit } => {
            known(catalog, role).connection_limit = Some(*limit).filter(|limit| *limit >= 0);
        }
        Statement::SetValidUntil { role, until } => {
            known(catalog, role).valid_until = Some(until.clone()).filter(|until| until != "infinity");
        }
        other => panic!("{other} is not about a role"),
    }
}

fn is_md5(password: &PasswordRef) -> bool {
    password.scheme == Scheme::Md5
}

fn known<'a>(catalog: &'a mut Catalog, role: &str) -> &'a mut RoleView {
    let found = catalog.roles.get_mut(role);
    found.unwrap_or_else(|| panic!("role {role} does not exist"))
}

fn rename(catalog: &mut Catalog, role: &str, name: &str) {
    assert!(!catalog.roles.contains_key(name), "{name} exists");
    let view = catalog.roles.remove(role).unwrap();
    catalog.roles.insert(name.to_owned(), view);
    for other in catalog.roles.values_mut() {
        if let Some(membership) = other.member_of.remove(role) {
            other.member_of.insert(name.to_owned(), membership);
        }
    }
}

fn drop_role(catalog: &mut Catalog, role: &str) {
    let view = known(catalog, role);
    assert!(view.owns_in.is_empty(), "{role} owns something");
    assert!(view.granted_in.is_empty(), "something is granted to {role}");
    assert!(
        catalog.databases.values().all(|database| database.owner != role),
        "{role} owns a database"
    );
    catalog.roles.remove(role);
    for other in catalog.roles.values_mut() {
        other.member_of.remove(role);
    }
}

fn run_inside(content: &mut ContentView, statement: &Statement) {
    match statement {
        Statement::CreateSchema { schema, owner } | Statement::SetSchemaOwner { schema, owner } => {
            content.schemas.insert(schema.clone(), owner.clone());
        }
        Statement::GrantSchema {
            schema,
            privileges,
            grantee,
        } => {
            assert!(content.schemas.contains_key(schema), "{schema} does not exist");
            let grants = privileges.iter();
            let grants = grants.map(|privilege| (schema.clone(), grantee.clone(), *privilege));
            content.schema_grants.extend(grants);
        }
        Statement::CreateLookup { schema } => {
            // We own both.
            let owner = content.schemas[schema].clone();
            let view = content
                .lookups
                .entry(schema.clone())
                .or_insert_with(|| LookupView {
                    callers: [String::new(), owner.clone()].into(),
                    owner,
                    ..LookupView::default()
                });
            (view.definer, view.pinned) = (true, true);
        }
        Statement::HideLookup { schema } => {
            content.lookups.get_mut(schema).unwrap().callers.remove("");
        }
        Statement::GrantLookup { schema, grantee } => {
            let view = content.lookups.get_mut(schema).unwrap();
            view.callers.insert(grantee.clone());
        }
        Statement::GrantDefault(grant) => {
            content
                .default_privileges
                .extend(grant.privileges.iter().map(|privilege| DefaultPrivilege {
                    creator: grant.creator.clone(),
                    schema: grant.schema.clone(),
                    objects: grant.objects,
                    grantee: grant.grantee.clone(),
                    privilege: *privilege,
                }));
        }
        Statement::CreateExtension { extension, schema } | Statement::MoveExtension { extension, schema } => {
            let view = ExtensionView {
                schema: schema.clone(),
                version: "1.0".to_owned(),
                available: Some("1.0".to_owned()),
                relocatable: true,
                ..ExtensionView::default()
            };
            content.extensions.insert(extension.clone(), view);
        }
        Statement::UpdateExtension { extension } => {
            let view = content.extensions.get_mut(extension).unwrap();
            view.version = view.available.clone().unwrap();
        }
        other => panic!("{other} is not about the inside of a database"),
    }
}

fn with_flags(mut view: RoleView, flags: RoleFlags) -> RoleView {
    view.superuser |= flags.superuser;
    view.createdb |= flags.createdb;
    view.createrole |= flags.createrole;
    view.login |= flags.login;
    view.replication |= flags.replication;
    view.bypassrls |= flags.bypassrls;
    view.inherit = flags.inherit.unwrap_or(view.inherit);
    view
}
