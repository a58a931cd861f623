//! Text of statements.

use pgherd_model::secret::Secret;

use super::*;

fn password() -> PasswordRef {
    PasswordRef {
        namespace: "default".to_owned(),
        secret: "app.demo.credentials".to_owned(),
        scheme: Scheme::ScramSha256,
    }
}

#[test]
fn names_that_postgres_would_cut_are_refused() {
    let statement = Statement::CreateRole {
        role: "x".repeat(64),
        connection_limit: None,
        valid_until: None,
        flags: RoleFlags::default(),
        password: None,
    };
    assert!(matches!(statement.render(None), Err(RenderError::Text(_))));
}

#[test]
fn a_role_is_made_with_every_flag_in_words() {
    let statement = Statement::CreateRole {
        role: r#"x"; DROP DATABASE y; --"#.to_owned(),
        connection_limit: None,
        valid_until: None,
        flags: RoleFlags {
            login: true,
            createdb: true,
            ..RoleFlags::default()
        },
        password: None,
    };
    assert_eq!(
        statement.render(None).unwrap(),
        r#"CREATE ROLE "x""; DROP DATABASE y; --" NOSUPERUSER CREATEDB NOCREATEROLE LOGIN NOREPLICATION NOBYPASSRLS PASSWORD NULL"#
    );
}

#[test]
fn a_password_needs_a_verifier_and_is_never_shown() {
    let statement = Statement::SetPassword {
        role: "app".to_owned(),
        password: password(),
    };
    assert!(statement.render(None).is_err());
    let verifier = verifier::create(Scheme::Md5, "app", &Secret::new("swordfish"), b"");
    let text = statement.render(Some(&verifier)).unwrap();
    assert_eq!(
        text,
        format!("ALTER ROLE \"app\" PASSWORD '{}'", verifier.expose())
    );
    assert_eq!(statement.to_string(), "ALTER ROLE \"app\" PASSWORD …");
    let printed = format!(
        "{statement:?} {statement} {}",
        serde_json::to_string(&statement).unwrap()
    );
    assert!(!printed.contains(verifier.expose()) && !printed.contains("swordfish"));
}

#[test]
fn settings_quote_each_item_of_a_list() {
    let set = |name: &str, value| {
        let statement = Statement::SetSetting {
            role: "r".to_owned(),
            name: name.to_owned(),
            value,
        };
        statement.render(None).unwrap()
    };
    assert_eq!(
        set(
            "search_path",
            SettingValue::List(vec!["$user".to_owned(), "data".to_owned()])
        ),
        r#"ALTER ROLE "r" SET "search_path" TO "$user", "data""#
    );
    assert_eq!(
        set("auto_explain.log", SettingValue::One("o'n".to_owned())),
        r#"ALTER ROLE "r" SET "auto_explain"."log" TO 'o''n'"#
    );
}

#[test]
fn default_privileges_name_creator_schema_and_grantee() {
    let statement = Statement::GrantDefault(DefaultGrant {
        creator: "bar_owner".to_owned(),
        schema: Some("data".to_owned()),
        objects: ObjectClass::Tables,
        privileges: vec![Privilege::Insert, Privilege::Update, Privilege::Delete],
        grantee: "bar_writer".to_owned(),
    });
    assert_eq!(
        statement.to_string(),
        r#"ALTER DEFAULT PRIVILEGES FOR ROLE "bar_owner" IN SCHEMA "data" GRANT INSERT, UPDATE, DELETE ON TABLES TO "bar_writer""#
    );
}

/// What the server reads: identifiers and literals taken apart by its rules, the rest as words.
fn read_back(text: &str) -> Option<(Vec<String>, Vec<String>, String)> {
    let (mut names, mut texts, mut rest) = (Vec::new(), Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                let mut name = String::new();
                loop {
                    match (characters.next()?, characters.peek()) {
                        ('"', Some('"')) => {
                            characters.next();
                            name.push('"');
                        }
                        ('"', _) => break,
                        (other, _) => name.push(other),
                    }
                }
                names.push(name);
            }
            '\'' => {
                let escapes = rest.ends_with('E');
                let mut value = String::new();
                loop {
                    match (characters.next()?, characters.peek()) {
                        ('\'', Some('\'')) => {
                            characters.next();
                            value.push('\'');
                        }
                        ('\'', _) => break,
                        ('\\', _) if escapes => value.push(characters.next()?),
                        // A server without standard_conforming_strings would take it for an escape.
                        ('\\', _) => return None,
                        (other, _) => value.push(other),
                    }
                }
                texts.push(value);
            }
            other => rest.push(other),
        }
    }
    Some((names, texts, rest))
}

/// Whatever names and texts are, they stay within their quotes: what is left has no letter of theirs.
fn is_tight(statement: &Statement, names: &[&str], texts: &[&str], harmless: &Statement) -> bool {
    let rendered = statement.render(None);
    let is_own_heir = matches!(statement, Statement::ReassignOwned { role, owner } if role == owner);
    let possible = !is_own_heir
        && names
            .iter()
            .all(|name| !name.is_empty() && name.len() <= 63 && !name.contains('\0'))
        && texts.iter().all(|text| !text.contains('\0'));
    let Ok(rendered) = rendered else {
        return !possible;
    };
    let plain = harmless.render(None).unwrap();
    let Some((found_names, found_texts, rest)) = read_back(&rendered) else {
        return false;
    };
    let (_, _, plain) = read_back(&plain).unwrap();
    // Only the mark of an escaped literal may differ.
    let words = |text: &str| {
        text.replace(" E", " ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    possible && found_names == names && found_texts == texts && words(&rest) == words(&plain)
}

fn hostile() -> impl proptest::strategy::Strategy<Value = String> {
    proptest::prop_oneof![
        "[\"'\\\\;\\-/*$ \n\t%{}a-zA-Z0-9.,äß☃\u{202e}]{0,40}",
        "\\PC{0,70}",
        proptest::strategy::Just("\"; DROP DATABASE postgres; --".to_owned()),
        proptest::strategy::Just("'; ALTER ROLE evil SUPERUSER; --".to_owned()),
        proptest::strategy::Just("\\'; SELECT 1; --".to_owned()),
        proptest::strategy::Just("a\0b".to_owned()),
        proptest::strategy::Just("ä".repeat(32)),
        proptest::strategy::Just("x".repeat(63)),
    ]
}

proptest::proptest! {
    #[test]
    fn nothing_leaves_its_quotes(one in hostile(), other in hostile(), value in hostile()) {
        let pair = |make: &dyn Fn(String, String) -> Statement| {
            (make(one.clone(), other.clone()), make("a".to_owned(), "b".to_owned()))
        };
        let two_names: [&dyn Fn(String, String) -> Statement; 13] = [
            &|role, member| Statement::SetMembership { role, member, inherit: Some(true), set: None, grantor: None },
            &|schema, grantee| Statement::GrantDefault(DefaultGrant {
                creator: schema, schema: None, objects: ObjectClass::Tables, privileges: vec![Privilege::Select], grantee,
            }),
            &|role, member| Statement::GrantRole { role, member, admin: true },
            &|role, member| Statement::RevokeRole { role, member, grantor: None },
            &|role, name| Statement::RenameRole { role, name },
            &|role, owner| Statement::ReassignOwned { role, owner },
            &|database, owner| Statement::SetDatabaseOwner { database, owner },
            &|schema, owner| Statement::CreateSchema { schema, owner },
            &|schema, owner| Statement::SetSchemaOwner { schema, owner },
            &|schema, grantee| Statement::GrantSchema { schema, grantee, privileges: vec![Privilege::Usage, Privilege::Create] },
            &|extension, schema| Statement::CreateExtension { extension, schema },
            &|extension, schema| Statement::MoveExtension { extension, schema },
            &|database, owner| Statement::CreateDatabase { database, owner, options: DatabaseOptions::default() },
        ];
        for make in two_names {
            let (statement, harmless) = pair(make);
            proptest::prop_assert!(is_tight(&statement, &[&one, &other], &[], &harmless), "{statement:?}");
        }
        let until = |role: &str, until: &str| Statement::SetValidUntil { role: role.to_owned(), until: until.to_owned() };
        let (statement, harmless) = (until(&one, &value), until("a", "b"));
        proptest::prop_assert!(is_tight(&statement, &[&one], &[&value], &harmless), "{statement:?}");
        let set = |role: &str, value: &str| Statement::SetSetting {
            role: role.to_owned(), name: "work_mem".to_owned(), value: SettingValue::One(value.to_owned()),
        };
        let (statement, harmless) = (set(&one, &value), set("a", "b"));
        proptest::prop_assert!(is_tight(&statement, &[&one, "work_mem"], &[&value], &harmless), "{statement:?}");
        let path = |role: &str, items: [&str; 2]| Statement::SetSetting {
            role: role.to_owned(), name: "search_path".to_owned(),
            value: SettingValue::List(items.map(str::to_owned).into()),
        };
        let (statement, harmless) = (path(&one, [&other, &value]), path("a", ["b", "c"]));
        proptest::prop_assert!(is_tight(&statement, &[&one, "search_path", &other, &value], &[], &harmless), "{statement:?}");
        let made = |name: &str, locale: &str| Statement::CreateDatabase {
            database: name.to_owned(), owner: name.to_owned(),
            options: DatabaseOptions { icu_locale: Some(locale.to_owned()), ..DatabaseOptions::default() },
        };
        let (statement, harmless) = (made(&one, &value), made("a", "b"));
        proptest::prop_assert!(is_tight(&statement, &[&one, &one, "template0"], &[&value], &harmless), "{statement:?}");
    }
}
