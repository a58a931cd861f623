//! The catalog of a cluster of which nothing more is wanted. Lives here: the reverse of the plan's statements, so that an edit can be looked
//! at without a database. Must not: what is missing (`roles`, `databases`, `privileges`).

use std::collections::BTreeMap;

use pgherd_model::cluster::{Cluster, PreparedDatabase, Role, RoleFlag};
use pgherd_model::names::roles::{Access, prepared_role};

use super::databases::schema_owner;
use super::{lookup, privileges};
use crate::observed::catalog::{ContentView, DefaultPrivilege, ExtensionView, Membership};
use crate::observed::{Catalog, DatabaseView, RoleView};
use crate::sql::{Scheme, Statement};

/// Every role and database that the cluster wants and that can be had, with its `superuser`.
pub(crate) fn catalog(cluster: &Cluster, superuser: &str) -> Catalog {
    let scheme = super::roles::scheme(cluster);
    let mut roles: BTreeMap<String, RoleView> = cluster
        .roles
        .iter()
        .map(|role| (role.name.clone(), view(role, scheme)))
        .collect();
    for role in &cluster.roles {
        // Administrators that nobody defines come with the image.
        if let Some(admin) = &role.admin {
            let membership = Membership {
                admin: true,
                ..Membership::plain()
            };
            let view = roles.entry(admin.clone()).or_insert_with(image_role);
            view.member_of.insert(role.name.clone(), membership);
        }
    }
    let mut databases = BTreeMap::new();
    for database in &cluster.prepared_databases {
        let view = DatabaseView {
            owner: prepared_role(&database.name, Access::Owner),
            connection_limit: database.options.connection_limit.filter(|limit| *limit >= 0),
            content: Some(content(cluster, database)),
            ..DatabaseView::default()
        };
        databases.insert(database.name.clone(), view);
    }
    for database in &cluster.databases {
        let view: &mut DatabaseView = databases.entry(database.name.clone()).or_default();
        view.owner.clone_from(&database.owner);
        view.content.get_or_insert_default();
        view.connection_limit = database.options.connection_limit.filter(|limit| *limit >= 0);
    }
    if let Some(pooler) = &cluster.pooler {
        let contents = databases.values_mut().filter_map(|view| view.content.as_mut());
        contents.for_each(|content| lookup::complete(pooler, superuser, content));
    }
    // The plan does not make a database whose owner nobody defines.
    databases.retain(|_, database| roles.contains_key(&database.owner));
    Catalog {
        roles,
        databases,
        ..Catalog::default()
    }
}

fn view(role: &Role, scheme: Scheme) -> RoleView {
    let has = |flag| role.flags.get(&flag) == Some(&true);
    RoleView {
        superuser: has(RoleFlag::Superuser),
        inherit: role.flags.get(&RoleFlag::Inherit) != Some(&false),
        createrole: has(RoleFlag::CreateRole),
        createdb: has(RoleFlag::CreateDb),
        login: role.login,
        replication: has(RoleFlag::Replication),
        bypassrls: has(RoleFlag::BypassRls),
        member_of: role
            .member_of
            .iter()
            .map(|group| (group.clone(), Membership::plain()))
            .collect(),
        settings: role.parameters.clone(),
        connection_limit: role.connection_limit.filter(|limit| *limit >= 0),
        valid_until: role.valid_until.clone().filter(|until| until != "infinity"),
        password_matches: role.secret.as_ref().map(|_| true),
        md5: scheme == Scheme::Md5,
        passwordless: role.secret.is_none(),
        ..RoleView::default()
    }
}

fn installed(schema: &str) -> ExtensionView {
    ExtensionView {
        schema: schema.to_owned(),
        ..ExtensionView::default()
    }
}

fn image_role() -> RoleView {
    RoleView {
        inherit: true,
        ..RoleView::default()
    }
}

fn content(cluster: &Cluster, database: &PreparedDatabase) -> ContentView {
    let schemas = database.schemas.iter();
    let mut content = ContentView {
        schemas: schemas
            .map(|schema| (schema.name.clone(), schema_owner(database, schema)))
            .collect(),
        extensions: database
            .extensions
            .iter()
            .map(|(name, schema)| (name.clone(), installed(schema)))
            .collect(),
        ..ContentView::default()
    };
    let known = cluster.roles.iter().map(|role| role.name.as_str()).collect();
    let wanted = privileges::wanted(cluster, database, &ContentView::default(), &known);
    for statement in wanted.groups.into_iter().flat_map(|group| group.statements) {
        match statement {
            Statement::GrantSchema {
                schema,
                privileges,
                grantee,
            } => {
                let grants = privileges.into_iter();
                let grants = grants.map(|privilege| (schema.clone(), grantee.clone(), privilege));
                content.schema_grants.extend(grants);
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
