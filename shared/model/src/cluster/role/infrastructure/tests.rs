//! The vectors of zalando-behaviour A.12, and texts that nobody meant well.

use super::*;
use crate::config::NamespacedName;

const MARK: &str = "hunter2-marker";

fn definition() -> InfrastructureRole {
    let name = NamespacedName {
        namespace: "default".to_owned(),
        name: "infrastructureroles-new-test".to_owned(),
    };
    InfrastructureRole {
        user_key: "test-user".to_owned(),
        password_key: "test-password".to_owned(),
        role_key: "test-role".to_owned(),
        template: false,
        ..InfrastructureRole::indexed(name)
    }
}

fn data(entries: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    let entry = |(key, value): &(&str, &str)| ((*key).to_owned(), Secret::new(*value));
    entries.iter().map(entry).collect()
}

fn names(found: &InfrastructureRoles) -> Vec<&str> {
    found.roles.iter().map(|role| role.name.as_str()).collect()
}

#[test]
fn a12_indexed_roles_until_there_is_a_gap_and_those_of_the_config_map() {
    let secret = data(&[
        ("user1", "testrole"),
        ("password1", MARK),
        ("inrole1", "testinrole"),
        ("user2", "second"),
        ("password2", MARK),
        ("user4", "after_the_gap"),
        ("password4", MARK),
        ("foobar", MARK),
    ]);
    let described = "{inrole: [a, a, b], user_flags: [createdb, bypassrls], db_parameters: {work_mem: 8MB}}";
    let config_map = BTreeMap::from([
        ("foobar".to_owned(), described.to_owned()),
        ("no_password".to_owned(), String::new()),
    ]);
    let definition = InfrastructureRole::indexed(definition().secret_name);
    let found = read(&definition, &secret, Some(&config_map));
    assert_eq!(names(&found), ["testrole", "second", "foobar", "no_password"]);
    let first = &found.roles[0];
    assert_eq!(first.member_of, ["testinrole"]);
    assert!(first.login && first.flags.is_empty());
    assert_eq!(first.password.as_ref().unwrap().key, "password1");
    assert!(found.roles[1].member_of.is_empty(), "no empty membership");
    let described = &found.roles[2];
    assert_eq!(described.member_of, ["a", "b"]);
    assert_eq!(
        described.flags,
        [(RoleFlag::CreateDb, true), (RoleFlag::BypassRls, true)].into()
    );
    assert_eq!(described.parameters["work_mem"], "8MB");
    assert_eq!(
        described.password.as_ref().unwrap().of(&secret).unwrap().expose(),
        MARK
    );
    assert_eq!(found.roles[3].password, None);
    assert!(!format!("{found:?}").contains(MARK));
}

#[test]
fn a12_named_keys_and_defaults() {
    let secret = data(&[
        ("test-user", "app"),
        ("test-password", MARK),
        ("test-role", "group"),
    ]);
    let found = read(&definition(), &secret, None);
    assert_eq!(
        (names(&found), &found.roles[0].member_of[..]),
        (vec!["app"], &["group".to_owned()][..])
    );
    let defaults = InfrastructureRole {
        user_key: String::new(),
        default_user_value: "fixed".to_owned(),
        role_key: String::new(),
        default_role_value: "staff".to_owned(),
        ..definition()
    };
    let found = read(&defaults, &secret, None);
    assert_eq!(
        (names(&found), &found.roles[0].member_of[..]),
        (vec!["fixed"], &["staff".to_owned()][..])
    );
}

#[test]
fn what_is_incomplete_is_left_out_and_said() {
    for (secret, said) in [
        (data(&[]), "no such key"),
        (data(&[("test-user", "app")]), "no password"),
        (
            data(&[("test-user", "pg_app"), ("test-password", MARK)]),
            "keeps for itself",
        ),
    ] {
        let found = read(&definition(), &secret, None);
        assert!(found.roles.is_empty());
        assert!(found.findings[0].message.contains(said), "{:?}", found.findings);
    }
}

#[test]
fn details_describe_the_whole_role() {
    let definition = InfrastructureRole {
        details: "role.yaml".to_owned(),
        ..definition()
    };
    let text = format!("name: etl\npassword: {MARK}\nuser_flags: [nologin, createrole]\ninrole: [loaders]\n");
    let secret = data(&[("role.yaml", &text)]);
    let found = read(&definition, &secret, None);
    let role = &found.roles[0];
    assert_eq!((role.name.as_str(), role.login), ("etl", false));
    assert_eq!(
        role.password.as_ref().unwrap().of(&secret).unwrap().expose(),
        MARK
    );
    assert!(!format!("{found:?}").contains(MARK));
    let broken = data(&[("role.yaml", &format!("{{password: {MARK}, inrole: 7}}"))]);
    let found = read(&definition, &broken, None);
    assert!(found.roles.is_empty() && !format!("{found:?}").contains(MARK));
}
