//! Postgres, as far as its catalog shows: what statements do to it.

use std::collections::BTreeMap;

use pgherd_model::config::OperatorConfig;
use pgherd_planner::observed::catalog::{ContentView, DefaultPrivilege};
use pgherd_planner::observed::{Catalog, DatabaseView, RoleView};
use pgherd_planner::sql::{RoleFlags, SettingValue, Statement};

/// What the image makes.
pub(super) fn first(config: &OperatorConfig) -> Catalog {
    let mut catalog = Catalog::default();
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
    catalog
        .databases
        .insert("postgres".to_owned(), DatabaseView::default());
    catalog
}

/// What a statement does to the catalog.
pub(super) fn run(catalog: &mut Catalog, database: &str, statement: &Statement) {
    match statement {
        Statement::CreateDatabase { database, owner } => {
            assert!(
                catalog.roles.contains_key(owner),
                "{owner} owns {database} and does not exist"
            );
            let content = Some(ContentView {
                schemas: BTreeMap::from([("public".to_owned(), "pg_database_owner".to_owned())]),
                ..ContentView::default()
            });
            catalog.databases.insert(
                database.clone(),
                DatabaseView {
                    owner: owner.clone(),
                    content,
                },
            );
        }
        Statement::SetDatabaseOwner { database, owner } => {
            catalog
                .databases
                .get_mut(database)
                .unwrap()
                .owner
                .clone_from(owner);
        }
        Statement::CreateRole { .. }
        | Statement::AddFlags { .. }
        | Statement::SetPassword { .. }
        | Statement::GrantRole { .. }
        | Statement::SetSetting { .. } => run_on_role(&mut catalog.roles, statement),
        inside => {
            let content = catalog
                .databases
                .get_mut(database)
                .unwrap()
                .content
                .get_or_insert_default();
            run_inside(content, inside);
        }
    }
}

fn run_on_role(roles: &mut BTreeMap<String, RoleView>, statement: &Statement) {
    match statement {
        Statement::CreateRole { role, flags, .. } => {
            let view = RoleView {
                inherit: true,
                password_matches: Some(true),
                ..RoleView::default()
            };
            roles.insert(role.clone(), with_flags(view, *flags));
        }
        Statement::AddFlags { role, flags } => {
            let view = roles.remove(role).unwrap();
            roles.insert(role.clone(), with_flags(view, *flags));
        }
        Statement::SetPassword { role, .. } => roles.get_mut(role).unwrap().password_matches = Some(true),
        Statement::GrantRole { role, member, admin } => {
            roles.get_mut(member).unwrap().member_of.insert(role.clone());
            if *admin {
                roles.get_mut(role).unwrap().admins.insert(member.clone());
            }
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
            roles.get_mut(role).unwrap().settings.insert(name.clone(), text);
        }
        other => panic!("{other} is not about a role"),
    }
}

fn run_inside(content: &mut ContentView, statement: &Statement) {
    match statement {
        Statement::CreateSchema { schema, owner } => {
            _ = content.schemas.insert(schema.clone(), owner.clone());
        }
        Statement::GrantSchemaUsage { schema, grantee } => {
            assert!(content.schemas.contains_key(schema), "{schema} does not exist");
            content.schema_usage.insert((schema.clone(), grantee.clone()));
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
            content.extensions.insert(extension.clone(), schema.clone());
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
