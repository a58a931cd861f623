//! Roles: their attributes, passwords, memberships and settings.

use std::collections::BTreeSet;

use pgherd_model::cluster::{Cluster, PasswordEncryption, Role, RoleFlag, RoleOrigin};

use super::Wanted;
use crate::observed::{Catalog, RoleView};
use crate::sql::{PasswordRef, RoleFlags, Scheme, SettingValue, Statement};

/// Parameters whose value is a list of names, each quoted on its own.
const LISTS: [&str; 5] = [
    "search_path",
    "temp_tablespaces",
    "session_preload_libraries",
    "local_preload_libraries",
    "shared_preload_libraries",
];

/// Every role first, then who is a member of what: a member may be made after the role that it joins.
pub(super) fn wanted(cluster: &Cluster, catalog: &Catalog) -> Wanted {
    let scheme = match cluster.postgres.password_encryption {
        PasswordEncryption::Scram => Scheme::ScramSha256,
        PasswordEncryption::Md5 => Scheme::Md5,
    };
    let mut wanted = Wanted::default();
    for role in &cluster.roles {
        match catalog.roles.get(&role.name) {
            Some(found) => wanted.statements.extend(altered(role, found, scheme)),
            // The image makes these when it makes the cluster.
            None if role.origin == RoleOrigin::System => {}
            None => wanted.statements.extend(created(role, scheme)),
        }
    }
    let known = known_roles(cluster, catalog);
    for role in &cluster.roles {
        memberships(role, catalog, &known, &mut wanted);
    }
    wanted
}

/// The names that exist, or will once the statements before have run.
fn known_roles<'a>(cluster: &'a Cluster, catalog: &'a Catalog) -> BTreeSet<&'a str> {
    let wanted = cluster
        .roles
        .iter()
        .filter(|role| role.origin != RoleOrigin::System);
    let found = catalog.roles.keys().map(String::as_str);
    wanted.map(|role| role.name.as_str()).chain(found).collect()
}

fn created(role: &Role, scheme: Scheme) -> Vec<Statement> {
    let create = Statement::CreateRole {
        role: role.name.clone(),
        flags: flags(role),
        password: password(role, scheme),
    };
    std::iter::once(create)
        .chain(settings(role, &RoleView::default()))
        .collect()
}

fn altered(role: &Role, found: &RoleView, scheme: Scheme) -> Vec<Statement> {
    let mut statements = Vec::new();
    let missing = missing_flags(flags(role), found);
    if role.origin != RoleOrigin::System && missing != RoleFlags::default() {
        statements.push(Statement::AddFlags {
            role: role.name.clone(),
            flags: missing,
        });
    }
    if let (Some(false), Some(password)) = (found.password_matches, password(role, scheme)) {
        statements.push(Statement::SetPassword {
            role: role.name.clone(),
            password,
        });
    }
    statements.extend(settings(role, found));
    statements
}

fn password(role: &Role, scheme: Scheme) -> Option<PasswordRef> {
    let place = role.secret.as_ref()?;
    Some(PasswordRef {
        namespace: place.namespace.clone(),
        secret: place.name.clone(),
        scheme,
    })
}

fn flags(role: &Role) -> RoleFlags {
    let asked = |flag| role.flags.get(&flag).copied();
    let is_asked = |flag| asked(flag) == Some(true);
    RoleFlags {
        superuser: is_asked(RoleFlag::Superuser),
        createdb: is_asked(RoleFlag::CreateDb),
        createrole: is_asked(RoleFlag::CreateRole),
        inherit: asked(RoleFlag::Inherit),
        login: role.login,
        replication: is_asked(RoleFlag::Replication),
        bypassrls: is_asked(RoleFlag::BypassRls),
    }
}

fn missing_flags(wanted: RoleFlags, found: &RoleView) -> RoleFlags {
    RoleFlags {
        superuser: wanted.superuser && !found.superuser,
        createdb: wanted.createdb && !found.createdb,
        createrole: wanted.createrole && !found.createrole,
        inherit: wanted.inherit.filter(|inherit| *inherit && !found.inherit),
        login: wanted.login && !found.login,
        replication: wanted.replication && !found.replication,
        bypassrls: wanted.bypassrls && !found.bypassrls,
    }
}

fn settings(role: &Role, found: &RoleView) -> Vec<Statement> {
    let differs = |name: &str, value: &str| match found.settings.get(name) {
        None => true,
        Some(stored) if LISTS.contains(&name) => items(stored) != items(value),
        Some(stored) => stored != value,
    };
    let set = |(name, value): (&String, &String)| Statement::SetSetting {
        role: role.name.clone(),
        name: name.clone(),
        value: if LISTS.contains(&name.as_str()) {
            SettingValue::List(items(value))
        } else {
            SettingValue::One(value.clone())
        },
    };
    role.parameters
        .iter()
        .filter(|(name, value)| differs(name, value))
        .map(set)
        .collect()
}

/// The names in a list such as `"$user", data`: Postgres quotes only those that need it.
fn items(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let last = items.len() - 1;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                items[last].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => items.push(String::new()),
            _ if !quoted && character.is_whitespace() => {}
            _ => items[last].push(character),
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

fn memberships(role: &Role, catalog: &Catalog, known: &BTreeSet<&str>, wanted: &mut Wanted) {
    let found = catalog.roles.get(&role.name);
    for group in &role.member_of {
        if found.is_some_and(|found| found.member_of.contains(group)) {
            continue;
        }
        grant(group, &role.name, false, known, wanted);
    }
    if let Some(admin) = &role.admin
        && !found.is_some_and(|found| found.admins.contains(admin))
    {
        grant(&role.name, admin, true, known, wanted);
    }
}

fn grant(role: &str, member: &str, admin: bool, known: &BTreeSet<&str>, wanted: &mut Wanted) {
    let statement = Statement::GrantRole {
        role: role.to_owned(),
        member: member.to_owned(),
        admin,
    };
    match [role, member].into_iter().find(|name| !known.contains(name)) {
        Some(missing) => wanted.lacking(statement.to_string(), missing),
        None => wanted.statements.push(statement),
    }
}

#[cfg(test)]
mod tests {
    use super::items;

    #[test]
    fn lists_are_read_with_and_without_quotes() {
        assert_eq!(
            items("\"$user\", \"data\", \"Odd, \"\"one\"\"\""),
            ["$user", "data", "Odd, \"one\""]
        );
        assert_eq!(items("\"$user\", data"), items("\"$user\",\"data\""));
        assert!(items("").is_empty());
    }
}
