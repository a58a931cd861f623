//! Attributes and settings of one role: what it has against what it shall have.

use pgherd_model::cluster::{Role, RoleFlag};

use crate::observed::RoleView;
use crate::sql::{RoleFlags, SettingValue, Statement};

/// Parameters whose value is a list of names, each quoted on its own.
const LISTS: [&str; 5] = [
    "search_path",
    "temp_tablespaces",
    "session_preload_libraries",
    "local_preload_libraries",
    "shared_preload_libraries",
];
/// No limit, in `CONNECTION LIMIT`.
const UNLIMITED: i32 = -1;
/// No end, in `VALID UNTIL`.
const FOREVER: &str = "infinity";

/// The attributes that are asked for.
pub(super) fn flags(role: &Role) -> RoleFlags {
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

/// Attributes that are missing or refused, and limits that differ.
pub(super) fn changed(role: &Role, found: &RoleView, refused: RoleFlags) -> Vec<Statement> {
    let name = || role.name.clone();
    let mut statements = Vec::new();
    if refused != RoleFlags::default() {
        statements.push(Statement::RemoveFlags {
            role: name(),
            flags: refused,
        });
    }
    let missing = missing_flags(flags(role), found);
    if missing != RoleFlags::default() {
        statements.push(Statement::AddFlags {
            role: name(),
            flags: missing,
        });
    }
    let limit = role
        .connection_limit
        .filter(|limit| *limit != found.connection_limit.unwrap_or(UNLIMITED));
    statements.extend(limit.map(|limit| Statement::SetConnectionLimit { role: name(), limit }));
    let until = role
        .valid_until
        .clone()
        .filter(|until| until != found.valid_until.as_deref().unwrap_or(FOREVER));
    statements.extend(until.map(|until| Statement::SetValidUntil { role: name(), until }));
    statements
}

/// It gives a role rights over others.
pub(super) fn gives_power(statement: &Statement) -> bool {
    matches!(statement, Statement::AddFlags { flags, .. }
        if flags.superuser || flags.createrole || flags.replication || flags.bypassrls)
}

/// What is left of a statement without these rights.
pub(super) fn without_power(statement: Statement) -> Option<Statement> {
    let Statement::AddFlags { role, flags } = statement else {
        return Some(statement);
    };
    let flags = RoleFlags {
        superuser: false,
        createrole: false,
        replication: false,
        bypassrls: false,
        ..flags
    };
    (flags != RoleFlags::default()).then_some(Statement::AddFlags { role, flags })
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

/// Attributes that a role has and that are refused in so many words, as `nosuperuser`; logging in too, where that counts.
pub(super) fn refused(role: &Role, found: &RoleView, login: bool) -> RoleFlags {
    let is_refused = |flag| role.flags.get(&flag) == Some(&false);
    RoleFlags {
        superuser: is_refused(RoleFlag::Superuser) && found.superuser,
        createdb: is_refused(RoleFlag::CreateDb) && found.createdb,
        createrole: is_refused(RoleFlag::CreateRole) && found.createrole,
        inherit: (is_refused(RoleFlag::Inherit) && found.inherit).then_some(false),
        login: login && !role.login && found.login,
        replication: is_refused(RoleFlag::Replication) && found.replication,
        bypassrls: is_refused(RoleFlag::BypassRls) && found.bypassrls,
    }
}

/// Settings that are missing or differ.
pub(super) fn settings(role: &Role, found: &RoleView) -> Vec<Statement> {
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
            // As Postgres takes a name that is not quoted.
            _ if !quoted => items[last].push(character.to_ascii_lowercase()),
            _ => items[last].push(character),
        }
    }
    items.retain(|item| !item.is_empty());
    items
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
        assert_eq!(items("Data, \"Data\""), ["data", "Data"]);
        assert!(items("").is_empty());
    }
}
