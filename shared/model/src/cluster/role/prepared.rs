//! The roles of prepared databases (zalando-behaviour 4.11 item 4, A.13). Unlike Zalando's operator, which knows one name only, their
//! administrator is that of the teams (`team_admin_role`).

use super::{Role, RoleOrigin, with_secret, without_login};
use crate::{
    cluster::{
        database::{PreparedDatabase, PreparedSchema},
        reading::Reading,
    },
    names::roles::{Access, prepared_role, prepared_user, schema_scope},
};

/// One set of roles: for a whole database, or for one of its schemas.
struct Scope<'a> {
    name: String,
    /// Administrator of the scope's owner.
    admin: Option<String>,
    search_path: String,
    with_users: bool,
    secret_namespace: Option<&'a str>,
}

/// Roles of the database, and of each schema that wants its own.
pub(super) fn roles(reading: &Reading<'_>, database: &PreparedDatabase) -> Vec<Role> {
    let elsewhere = database.secret_namespace.as_deref();
    let secret_namespace = elsewhere.filter(|_| reading.config.kubernetes.enable_cross_namespace_secret);
    let whole = Scope {
        name: database.name.clone(),
        admin: reading.config.teams_api.team_admin_role.clone(),
        search_path: search_path(&database.schemas),
        with_users: database.default_users,
        secret_namespace,
    };
    let schemas = database
        .schemas
        .iter()
        .filter(|schema| schema.default_roles)
        .map(|schema| Scope {
            name: schema_scope(&database.name, &schema.name),
            admin: Some(prepared_role(&database.name, Access::Owner)),
            search_path: search_path(std::slice::from_ref(schema)),
            with_users: schema.default_users,
            secret_namespace,
        });
    std::iter::once(whole)
        .chain(schemas)
        .flat_map(|scope| of_scope(reading, &scope))
        .collect()
}

fn search_path(schemas: &[PreparedSchema]) -> String {
    let names = schemas.iter().map(|schema| format!(", \"{}\"", schema.name));
    std::iter::once("\"$user\"".to_owned()).chain(names).collect()
}

fn of_scope(reading: &Reading<'_>, scope: &Scope<'_>) -> Vec<Role> {
    let mut roles = Vec::new();
    for access in Access::ALL {
        let name = prepared_role(&scope.name, access);
        let group = without_login(&name, RoleOrigin::Prepared);
        roles.push(Role {
            member_of: group_membership(scope, access),
            ..in_scope(group, scope, access)
        });
        if scope.with_users {
            let user = prepared_user(&scope.name, access);
            let user = with_secret(reading, &user, RoleOrigin::Prepared, scope.secret_namespace);
            roles.push(Role {
                member_of: vec![name],
                ..in_scope(user, scope, access)
            });
        }
    }
    roles
}

/// Writers read too.
fn group_membership(scope: &Scope<'_>, access: Access) -> Vec<String> {
    match access {
        Access::Writer => vec![prepared_role(&scope.name, Access::Reader)],
        Access::Owner | Access::Reader => Vec::new(),
    }
}

fn in_scope(role: Role, scope: &Scope<'_>, access: Access) -> Role {
    let is_owner = access == Access::Owner;
    let admin = if is_owner {
        scope.admin.clone()
    } else {
        Some(prepared_role(&scope.name, Access::Owner))
    };
    Role {
        admin,
        parameters: [("search_path".to_owned(), scope.search_path.clone())].into(),
        owns_database: is_owner,
        ..role
    }
}
