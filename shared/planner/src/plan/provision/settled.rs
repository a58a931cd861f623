//! The catalog of a cluster of which nothing more is wanted. Lives here: the reverse of the plan's statements, so that an edit can be looked
//! at without a database. Must not: what is missing (`roles`, `databases`, `privileges`).

use std::collections::BTreeMap;

use pgherd_model::cluster::{Cluster, PreparedDatabase, Role, RoleFlag};
use pgherd_model::names::roles::{Access, prepared_role};

use super::databases::schema_owner;
use super::privileges;
use crate::observed::catalog::{ContentView, DefaultPrivilege};
use crate::observed::{Catalog, DatabaseView, RoleView};
use crate::sql::Statement;

/// Every role and database that the cluster wants and that can be had.
pub(crate) fn catalog(cluster: &Cluster) -> Catalog {
    let mut roles: BTreeMap<String, RoleView> = cluster
        .roles
        .iter()
        .map(|role| (role.name.clone(), view(role)))
        .collect();
    for role in &cluster.roles {
        if let (Some(admin), Some(view)) = (&role.admin, roles.get_mut(&role.name)) {
            view.admins.insert(admin.clone());
        }
    }
    let mut databases = BTreeMap::new();
    for database in &cluster.prepared_databases {
        let view = DatabaseView {
            owner: prepared_role(&database.name, Access::Owner),
            content: Some(content(database)),
        };
        databases.insert(database.name.clone(), view);
    }
    for database in &cluster.databases {
        let view: &mut DatabaseView = databases.entry(database.name.clone()).or_default();
        view.owner.clone_from(&database.owner);
    }
    // The plan does not make a database whose owner nobody defines.
    databases.retain(|_, database| roles.contains_key(&database.owner));
    Catalog {
        roles,
        databases,
        ..Catalog::default()
    }
}

fn view(role: &Role) -> RoleView {
    let has = |flag| role.flags.get(&flag) == Some(&true);
    RoleView {
        superuser: has(RoleFlag::Superuser),
        inherit: role.flags.get(&RoleFlag::Inherit) != Some(&false),
        createrole: has(RoleFlag::CreateRole),
        createdb: has(RoleFlag::CreateDb),
        login: role.login,
        replication: has(RoleFlag::Replication),
        bypassrls: has(RoleFlag::BypassRls),
        member_of: role.member_of.iter().cloned().collect(),
        settings: role.parameters.clone(),
        password_matches: role.secret.as_ref().map(|_| true),
        ..RoleView::default()
    }
}

fn content(database: &PreparedDatabase) -> ContentView {
    let schemas = database.schemas.iter();
    let mut content = ContentView {
        schemas: schemas
            .map(|schema| (schema.name.clone(), schema_owner(database, schema)))
            .collect(),
        extensions: database.extensions.clone(),
        ..ContentView::default()
    };
    for statement in privileges::wanted(database, &ContentView::default()) {
        match statement {
            Statement::GrantSchemaUsage { schema, grantee } => {
                content.schema_usage.insert((schema, grantee));
            }
            Statement::GrantDefault(grant) => {
                let privileges = grant.privileges.iter().map(|privilege| DefaultPrivilege {
                    creator: grant.creator.clone(),
                    schema: grant.schema.clone(),
                    objects: grant.objects,
                    grantee: grant.grantee.clone(),
                    privilege: *privilege,
                });
                content.default_privileges.extend(privileges);
            }
            // Nothing else is about privileges.
            _ => {}
        }
    }
    content
}
