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
