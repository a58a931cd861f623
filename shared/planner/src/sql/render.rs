//! Text of statements. Lives here: quoting, and one line per kind. Must not: decisions.

use std::fmt::Write as _;

use pgherd_model::api::postgresql::DatabaseOptions;
use pgherd_model::names::roles::POOLER_LOOKUP;
use pgherd_model::units::sql::{Identifier, literal};

use super::{ObjectClass, Privilege, RenderError, RoleFlags, SettingValue, Statement, Verifier};

pub(super) fn statement(statement: &Statement, verifier: Option<&Verifier>) -> Result<String, RenderError> {
    let password = match (statement.password(), verifier) {
        (None, _) => None,
        // The error of a text tells the text.
        (Some(_), Some(verifier)) => {
            Some(quoted(verifier.expose()).map_err(|_| RenderError::BadVerifier {
                role: statement.role().unwrap_or_default().to_owned(),
            })?)
        }
        (Some(_), None) => {
            return Err(RenderError::MissingVerifier {
                role: statement.role().unwrap_or_default().to_owned(),
            });
        }
    };
    text(statement, password.as_deref())
}

/// The same text with the verifier left out.
pub(super) fn redacted(statement: &Statement) -> String {
    text(statement, statement.password().map(|_| "…")).unwrap_or_else(|error| error.to_string())
}

fn text(statement: &Statement, password: Option<&str>) -> Result<String, RenderError> {
    match statement {
        Statement::CreateRole {
            role,
            flags,
            connection_limit,
            valid_until,
            ..
        } => {
            let mut text = fill("CREATE ROLE {}", &[role])? + &creation_flags(*flags);
            if let Some(limit) = connection_limit {
                let _ = write!(text, " CONNECTION LIMIT {limit}");
            }
            if let Some(until) = valid_until {
                let _ = write!(text, " VALID UNTIL {}", quoted(until)?);
            }
            Ok(text + " PASSWORD " + password.unwrap_or("NULL"))
        }
        Statement::SetPassword { role, .. } => {
            Ok(fill("ALTER ROLE {} PASSWORD ", &[role])? + password.unwrap_or("NULL"))
        }
        Statement::CreateDatabase {
            database,
            owner,
            options,
        } => Ok(fill("CREATE DATABASE {} OWNER {}", &[database, owner])? + &database_options(options)?),
        Statement::GrantDefault(grant) => default_privileges(grant),
        Statement::GrantObjects(grant) => on_objects(grant),
        other => role_text(other).unwrap_or_else(|| object_text(other)),
    }
}

/// Statements about roles; `None` for others.
fn role_text(statement: &Statement) -> Option<Result<String, RenderError>> {
    Some(match statement {
        Statement::AddFlags { role, flags } => altered(role, &added_flags(*flags)),
        Statement::RemoveFlags { role, flags } => altered(role, &removed_flags(*flags)),
        Statement::SetConnectionLimit { role, limit } => altered(role, &format!(" CONNECTION LIMIT {limit}")),
        Statement::SetValidUntil { role, until } => {
            quoted(until).and_then(|until| altered(role, &format!(" VALID UNTIL {until}")))
        }
        Statement::RenameRole { role, name } => fill("ALTER ROLE {} RENAME TO {}", &[role, name]),
        Statement::DropRole { role } => fill("DROP ROLE {}", &[role]),
        Statement::ReassignOwned { role, owner } if role == owner => {
            Err(RenderError::OwnHeir { role: role.clone() })
        }
        Statement::ReassignOwned { role, owner } => fill("REASSIGN OWNED BY {} TO {}", &[role, owner]),
        Statement::DropOwned { role } => fill("DROP OWNED BY {}", &[role]),
        Statement::GrantRole { role, member, admin } => {
            let option = if *admin { " WITH ADMIN OPTION" } else { "" };
            fill("GRANT {} TO {}", &[role, member]).map(|text| text + option)
        }
        Statement::SetMembership {
            role,
            member,
            inherit,
            set,
            grantor,
        } => {
            let options = [("INHERIT", inherit), ("SET", set)];
            let options = options
                .iter()
                .filter_map(|(word, is)| is.map(|is| format!("{word} {is}")));
            let options = options.collect::<Vec<_>>().join(", ");
            let pattern = format!("GRANT {{}} TO {{}} WITH {options}");
            match grantor {
                None => fill(&pattern, &[role, member]),
                Some(grantor) => fill(&(pattern + " GRANTED BY {}"), &[role, member, grantor]),
            }
        }
        Statement::RevokeRole {
            role,
            member,
            grantor: None,
        } => fill("REVOKE {} FROM {}", &[role, member]),
        Statement::RevokeRole {
            role,
            member,
            grantor: Some(grantor),
        } => fill("REVOKE {} FROM {} GRANTED BY {}", &[role, member, grantor]),
        Statement::SetSetting { role, name, value } => {
            set(name, value).and_then(|setting| altered(role, &setting))
        }
        Statement::ResetSetting { role, name } => {
            parameter(name).and_then(|name| altered(role, &format!(" RESET {name}")))
        }
        _ => return None,
    })
}

fn object_text(statement: &Statement) -> Result<String, RenderError> {
    match statement {
        Statement::DropDatabase { database } => fill("DROP DATABASE {}", &[database]),
        Statement::SetDatabaseOwner { database, owner } => {
            fill("ALTER DATABASE {} OWNER TO {}", &[database, owner])
        }
        Statement::SetDatabaseLimit { database, limit } => {
            Ok(fill("ALTER DATABASE {} CONNECTION LIMIT ", &[database])? + &limit.to_string())
        }
        Statement::CreateSchema { schema, owner } => {
            fill("CREATE SCHEMA {} AUTHORIZATION {}", &[schema, owner])
        }
        Statement::SetSchemaOwner { schema, owner } => fill("ALTER SCHEMA {} OWNER TO {}", &[schema, owner]),
        Statement::GrantSchema {
            schema,
            privileges,
            grantee,
        } => {
            let pattern = format!("GRANT {} ON SCHEMA {{}} TO {{}}", privilege_words(privileges));
            fill(&pattern, &[schema, grantee])
        }
        Statement::CreateLookup { schema } => lookup("CREATE OR REPLACE", schema, LOOKUP),
        Statement::HideLookup { schema } => lookup("REVOKE ALL ON", schema, "(text) FROM PUBLIC"),
        Statement::GrantLookup { schema, grantee } => {
            let grantee = identifier(grantee)?;
            lookup("GRANT EXECUTE ON", schema, &format!("(text) TO {grantee}"))
        }
        Statement::CreateExtension { extension, schema } => fill(
            "CREATE EXTENSION IF NOT EXISTS {} SCHEMA {}",
            &[extension, schema],
        ),
        Statement::MoveExtension { extension, schema } => {
            fill("ALTER EXTENSION {} SET SCHEMA {}", &[extension, schema])
        }
        Statement::UpdateExtension { extension } => fill("ALTER EXTENSION {} UPDATE", &[extension]),
        // The two callers before have written all others.
        _ => Ok(String::new()),
    }
}

/// Its arguments and results have the names and types of Zalando's, so that it can replace that. Whatever its caller has set, it looks in the
/// system's own catalog.
const LOOKUP: &str = "(i_username text, OUT uname text, OUT phash text) LANGUAGE sql STABLE SECURITY DEFINER \
    SET search_path = pg_catalog, pg_temp \
    AS 'SELECT usename::text, passwd FROM pg_catalog.pg_shadow WHERE usename = i_username'";

fn lookup(before: &str, schema: &str, after: &str) -> Result<String, RenderError> {
    Ok(format!(
        "{before} FUNCTION {}.{}{after}",
        identifier(schema)?,
        identifier(POOLER_LOOKUP)?
    ))
}

fn altered(role: &String, what: &str) -> Result<String, RenderError> {
    Ok(fill("ALTER ROLE {}", &[role])? + what)
}

fn set(name: &str, value: &SettingValue) -> Result<String, RenderError> {
    Ok(format!(" SET {} TO {}", parameter(name)?, setting(value)?))
}

fn database_options(options: &DatabaseOptions) -> Result<String, RenderError> {
    let mut text = String::new();
    if let Some(template) = options.effective_template() {
        let _ = write!(text, " TEMPLATE {}", identifier(template)?);
    }
    let literals = [
        ("ENCODING", &options.encoding),
        ("LOCALE_PROVIDER", &options.locale_provider),
        ("LOCALE", &options.locale),
        ("LC_COLLATE", &options.collate),
        ("LC_CTYPE", &options.ctype),
        ("ICU_LOCALE", &options.icu_locale),
        ("BUILTIN_LOCALE", &options.builtin_locale),
    ];
    for (word, value) in literals {
        if let Some(value) = value {
            let _ = write!(text, " {word} {}", quoted(value)?.trim_start());
        }
    }
    if let Some(limit) = options.connection_limit {
        let _ = write!(text, " CONNECTION LIMIT {limit}");
    }
    Ok(text)
}

/// The pattern with each `{}` replaced by the next name, quoted.
fn fill(pattern: &str, names: &[&String]) -> Result<String, RenderError> {
    let mut text = String::new();
    let mut names = names.iter();
    for (index, part) in pattern.split("{}").enumerate() {
        if index > 0 {
            let name = names.next().expect("each pattern has as many names as places");
            let _ = write!(text, "{}", identifier(name)?);
        }
        text.push_str(part);
    }
    Ok(text)
}

fn default_privileges(grant: &super::DefaultGrant) -> Result<String, RenderError> {
    let schema = match &grant.schema {
        Some(name) => format!(" IN SCHEMA {}", identifier(name)?),
        None => String::new(),
    };
    Ok(format!(
        "ALTER DEFAULT PRIVILEGES FOR ROLE {}{schema} GRANT {} ON {} TO {}",
        identifier(&grant.creator)?,
        privilege_words(&grant.privileges),
        class_word(grant.objects),
        identifier(&grant.grantee)?
    ))
}

fn on_objects(grant: &super::ObjectGrant) -> Result<String, RenderError> {
    let schema = identifier(&grant.schema)?;
    let name = |name: &String| Ok(format!("{schema}.{}", identifier(name)?));
    let names: Result<Vec<String>, RenderError> = grant.names.iter().map(name).collect();
    let class = match grant.objects {
        ObjectClass::Sequences => "SEQUENCE",
        _ => "TABLE",
    };
    Ok(format!(
        "GRANT {} ON {class} {} TO {}",
        privilege_words(&grant.privileges),
        names?.join(", "),
        identifier(&grant.grantee)?
    ))
}

fn privilege_words(privileges: &[Privilege]) -> String {
    let words = privileges.iter().map(|privilege| privilege_word(*privilege));
    words.collect::<Vec<_>>().join(", ")
}

fn identifier(name: &str) -> Result<Identifier, RenderError> {
    Ok(Identifier::parse(name)?)
}

/// The model's literal has a blank before `E''`; after a blank of ours that is one too many, and harmless.
fn quoted(text: &str) -> Result<String, RenderError> {
    Ok(literal(text)?)
}

/// Every attribute in words, absent ones too: what a role may do must not hang on a server's defaults.
fn creation_flags(flags: RoleFlags) -> String {
    let mut text = String::new();
    for (is_set, word) in words(flags) {
        let _ = write!(text, " {}{word}", if is_set { "" } else { "NO" });
    }
    match flags.inherit {
        Some(true) => text.push_str(" INHERIT"),
        Some(false) => text.push_str(" NOINHERIT"),
        None => {}
    }
    text
}

fn added_flags(flags: RoleFlags) -> String {
    let mut text = String::new();
    for (is_set, word) in words(flags) {
        if is_set {
            let _ = write!(text, " {word}");
        }
    }
    if flags.inherit == Some(true) {
        text.push_str(" INHERIT");
    }
    text
}

fn removed_flags(flags: RoleFlags) -> String {
    let mut text = String::new();
    for (is_set, word) in words(flags) {
        if is_set {
            let _ = write!(text, " NO{word}");
        }
    }
    if flags.inherit == Some(false) {
        text.push_str(" NOINHERIT");
    }
    text
}

fn words(flags: RoleFlags) -> [(bool, &'static str); 6] {
    let RoleFlags {
        superuser,
        createdb,
        createrole,
        inherit: _,
        login,
        replication,
        bypassrls,
    } = flags;
    [
        (superuser, "SUPERUSER"),
        (createdb, "CREATEDB"),
        (createrole, "CREATEROLE"),
        (login, "LOGIN"),
        (replication, "REPLICATION"),
        (bypassrls, "BYPASSRLS"),
    ]
}

/// Parameter names have dots in them (`pg_stat_statements.track`), which separate quoted parts.
fn parameter(name: &str) -> Result<String, RenderError> {
    let parts: Result<Vec<_>, _> = name
        .split('.')
        .map(|part| identifier(part).map(|part| part.to_string()))
        .collect();
    Ok(parts?.join("."))
}

fn setting(value: &SettingValue) -> Result<String, RenderError> {
    match value {
        SettingValue::One(text) => quoted(text),
        SettingValue::List(items) if items.is_empty() => Ok("''".to_owned()),
        SettingValue::List(items) => {
            let items: Result<Vec<_>, _> = items
                .iter()
                .map(|item| identifier(item).map(|item| item.to_string()))
                .collect();
            Ok(items?.join(", "))
        }
    }
}

fn class_word(class: ObjectClass) -> &'static str {
    match class {
        ObjectClass::Schemas => "SCHEMAS",
        ObjectClass::Tables => "TABLES",
        ObjectClass::Sequences => "SEQUENCES",
        ObjectClass::Functions => "FUNCTIONS",
        ObjectClass::Types => "TYPES",
    }
}

fn privilege_word(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::Select => "SELECT",
        Privilege::Insert => "INSERT",
        Privilege::Update => "UPDATE",
        Privilege::Delete => "DELETE",
        Privilege::Usage => "USAGE",
        Privilege::Execute => "EXECUTE",
        Privilege::Create => "CREATE",
    }
}
