//! The vectors of zalando-behaviour A.8, A.9 and A.13, and what the real operator made of flags.

use serde_json::{Value, json};

use super::*;
use crate::{
    cluster::tests::{config, parse, parse_with},
    config::OperatorConfig,
};

fn role(spec: Value, name: &str) -> Role {
    role_with(spec, name, &config())
}

fn role_with(spec: Value, name: &str, config: &OperatorConfig) -> Role {
    parse_with(spec, config)
        .roles
        .into_iter()
        .find(|role| role.name == name)
        .unwrap()
}

fn names(roles: &[Role], origin: RoleOrigin) -> Vec<&str> {
    roles
        .iter()
        .filter(|role| role.origin == origin)
        .map(|role| role.name.as_str())
        .collect()
}

#[test]
fn a8_user_names() {
    for bad in [
        "_",
        ".",
        ".user",
        "appspace.",
        "user_",
        "_user",
        "-user",
        "user-",
        ",",
        "-",
        ",user",
        "user,",
        "namespace,user",
        "!fooBar",
        "User",
        "",
        "a..b",
        "ü",
    ] {
        assert!(!is_user_name(bad), "{bad:?}");
    }
    for good in [
        "user",
        "appspace.user",
        "appspace.dot.user",
        "user_name",
        "app_space.user_name",
        "1",
        "a--b",
    ] {
        assert!(is_user_name(good), "{good:?}");
    }
}

#[test]
fn a8_dotted_names_put_the_secret_elsewhere_where_allowed() {
    let spec = json!({"users": {"appspace.db_user": [], "db_user": []}});
    let namespace = |role: Role| role.secret.unwrap().namespace;
    assert_eq!(namespace(role(spec.clone(), "appspace.db_user")), "test");
    let mut config = config();
    config.kubernetes.enable_cross_namespace_secret = true;
    let dotted = role_with(spec.clone(), "appspace.db_user", &config)
        .secret
        .unwrap();
    assert_eq!(dotted.namespace, "appspace");
    assert_eq!(
        dotted.name,
        "appspace.db-user.acid-test.credentials.postgresql.acid.zalan.do"
    );
    assert_eq!(namespace(role_with(spec, "db_user", &config)), "test");
}

#[test]
fn flags_as_recorded() {
    let shown = |flags: Value| {
        let role = role(json!({"users": {"u": flags}}), "u");
        let words = role
            .flags
            .iter()
            .map(|(flag, wanted)| format!("{}{flag}", if *wanted { "" } else { "NO" }));
        (role.login, words.collect::<Vec<_>>().join(" "))
    };
    assert_eq!(shown(json!([])), (true, String::new()));
    assert_eq!(
        shown(json!(["superuser", "createdb"])),
        (true, "CREATEDB SUPERUSER".to_owned())
    );
    assert_eq!(
        shown(json!(["createrole", "CREATEDB", "inherit"])),
        (true, "CREATEDB CREATEROLE INHERIT".to_owned())
    );
    assert_eq!(
        shown(json!(["replication", "login", "login"])),
        (true, "REPLICATION".to_owned())
    );
    assert_eq!(
        shown(json!([
            "nologin",
            "noinherit",
            "nosuperuser",
            "nocreatedb",
            "nocreaterole",
            "noreplication",
            "nobypassrls"
        ])),
        (
            false,
            "NOBYPASSRLS NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOSUPERUSER".to_owned()
        )
    );
}

#[test]
fn a9_bad_flags_are_errors() {
    let problem = |flags: &[&str]| {
        flag::normalise(&flags.iter().map(|&flag| flag.to_owned()).collect::<Vec<_>>()).unwrap_err()
    };
    assert!(problem(&["!superuser"]).contains("unknown flag \"!superuser\""));
    assert!(problem(&["superuser1"]).contains("unknown flag"));
    assert!(problem(&["inherit", "noinherit"]).contains("conflicting flags \"inherit\" and \"noinherit\""));
    assert!(problem(&["nologin", "LOGIN"]).contains("conflicting"));
}

#[test]
fn a_manifest_user_that_cannot_log_in_has_a_secret_all_the_same() {
    let closed = role(json!({"users": {"closed": ["nologin"]}}), "closed");
    assert!(!closed.login && closed.secret.is_some());
}

#[test]
fn a9_reserved_names_are_skipped() {
    let cluster = parse(
        json!({"users": {"postgres": ["createdb"], "standby": [], "admin": [], "cron_admin": [], "fes_user": []}}),
    );
    assert_eq!(names(&cluster.roles, RoleOrigin::Manifest), ["fes_user"]);
    assert_eq!(names(&cluster.roles, RoleOrigin::System), ["postgres", "standby"]);
    assert_eq!(cluster.findings.len(), 4);
}

#[test]
fn a9_owners_join_the_operators_owner_roles() {
    let mut config = config();
    config.users.additional_owner_roles = vec!["cron_admin".to_owned(), "part_man".to_owned()];
    let spec = json!({"users": {"foo_owner": [], "other": []}, "databases": {"foo_db": "foo_owner"},
        "preparedDatabases": {"bar": {"defaultUsers": true}}});
    let cluster = parse_with(spec, &config);
    let members = |name: &str| {
        cluster
            .roles
            .iter()
            .find(|role| role.name == name)
            .unwrap()
            .member_of
            .clone()
    };
    assert_eq!(members("foo_owner"), ["cron_admin", "part_man"]);
    assert!(members("other").is_empty());
    assert_eq!(members("bar_owner_user"), ["bar_owner", "cron_admin", "part_man"]);
    assert_eq!(members("bar_data_owner"), ["cron_admin", "part_man"]);
    assert_eq!(members("bar_writer"), ["bar_reader"]);
}

#[test]
fn manifest_users_get_the_team_admin_where_configured() {
    let spec = json!({"users": {"u": []}});
    assert_eq!(role(spec.clone(), "u").admin.as_deref(), Some("admin"));
    let mut config = config();
    config.teams_api.enable_admin_role_for_users = false;
    assert_eq!(role_with(spec, "u", &config).admin, None);
}

#[test]
fn a13_present_and_empty_is_one_database() {
    let roles = parse(json!({"preparedDatabases": {}})).roles;
    assert_eq!(
        names(&roles, RoleOrigin::Prepared),
        [
            "acid_test_data_owner",
            "acid_test_data_reader",
            "acid_test_data_writer",
            "acid_test_owner",
            "acid_test_reader",
            "acid_test_writer",
        ]
    );
    assert!(parse(json!({})).prepared_databases.is_empty());
}

/// An image may have another role than `admin`, or none.
#[test]
fn owners_of_prepared_databases_are_administered_by_the_teams_admin() {
    let spec = || json!({"preparedDatabases": {"foo": {"schemas": {"bar": {}}}}});
    let mut config = config();
    for admin in [Some("dba"), None] {
        config.teams_api.team_admin_role = admin.map(str::to_owned);
        assert_eq!(role_with(spec(), "foo_owner", &config).admin.as_deref(), admin);
        let within = role_with(spec(), "foo_bar_owner", &config);
        assert_eq!(within.admin.as_deref(), Some("foo_owner"));
    }
}

#[test]
fn a13_memberships_and_administrators() {
    let spec = json!({"preparedDatabases": {"foo": {"defaultUsers": true, "schemas": {"bar": {"defaultUsers": true}}}}});
    let roles = parse(spec.clone()).roles;
    assert_eq!(names(&roles, RoleOrigin::Prepared).len(), 12);
    for (name, admin, member_of, login) in [
        ("foo_owner", "admin", "", false),
        ("foo_writer", "foo_owner", "foo_reader", false),
        ("foo_reader_user", "foo_owner", "foo_reader", true),
        ("foo_owner_user", "admin", "foo_owner", true),
        ("foo_bar_owner", "foo_owner", "", false),
        ("foo_bar_owner_user", "foo_owner", "foo_bar_owner", true),
        ("foo_bar_writer_user", "foo_bar_owner", "foo_bar_writer", true),
    ] {
        let role = role(spec.clone(), name);
        assert_eq!(role.admin.as_deref(), Some(admin), "{name}");
        assert_eq!(role.member_of.join(","), member_of, "{name}");
        assert_eq!((role.login, role.secret.is_some()), (login, login), "{name}");
    }
}

#[test]
fn search_paths_name_the_schemas_in_order() {
    let spec = json!({"preparedDatabases": {"ledger": {"schemas": {
        "raw": {"defaultRoles": false}, "books": {}, "plainschema": {}}}}});
    let path = |name: &str| role(spec.clone(), name).parameters["search_path"].clone();
    assert_eq!(
        path("ledger_reader"),
        "\"$user\", \"books\", \"plainschema\", \"raw\""
    );
    assert_eq!(path("ledger_books_owner"), "\"$user\", \"books\"");
    assert!(
        parse(spec.clone())
            .roles
            .iter()
            .all(|role| !role.name.contains("raw"))
    );
}

#[test]
fn secrets_of_prepared_users_go_elsewhere_where_allowed() {
    let spec =
        json!({"preparedDatabases": {"exported": {"defaultUsers": true, "secretNamespace": "elsewhere"}}});
    let namespace = |config: &OperatorConfig| {
        role_with(spec.clone(), "exported_owner_user", config)
            .secret
            .unwrap()
            .namespace
    };
    assert_eq!(namespace(&config()), "test");
    let mut config = config();
    config.kubernetes.enable_cross_namespace_secret = true;
    assert_eq!(namespace(&config), "elsewhere");
}

#[test]
fn a_prepared_role_wins_over_a_manifest_user() {
    let cluster = parse(json!({"users": {"foo_owner": ["superuser"]}, "preparedDatabases": {"foo": {}}}));
    let role = cluster
        .roles
        .iter()
        .find(|role| role.name == "foo_owner")
        .unwrap();
    assert_eq!(
        (role.origin, role.login, role.flags.len()),
        (RoleOrigin::Prepared, false, 0)
    );
    assert_eq!(cluster.findings[0].path, "spec.users.foo_owner");
}

#[test]
fn a23_rotation_by_list_and_by_default() {
    let spec = json!({
        "users": {"alpha": [], "beta": [], "gamma": [], "delta": [], "owner_role": []},
        "databases": {"main": "owner_role"},
        "usersWithSecretRotation": ["alpha", "gamma"], "usersWithInPlaceSecretRotation": ["beta", "owner_role"],
        "usersIgnoringSecretRotation": ["gamma"],
    });
    let rotation = |name: &str, config: &OperatorConfig| role_with(spec.clone(), name, config).rotation;
    let off = config();
    assert_eq!(rotation("alpha", &off), Rotation::NewUser);
    assert_eq!(rotation("beta", &off), Rotation::InPlace);
    assert_eq!(rotation("owner_role", &off), Rotation::InPlace);
    assert_eq!(rotation("gamma", &off), Rotation::Off);
    assert_eq!(rotation("delta", &off), Rotation::Off);
    let mut on = config();
    on.users.enable_password_rotation = true;
    assert_eq!(rotation("delta", &on), Rotation::NewUser);
    assert_eq!(rotation("gamma", &on), Rotation::Off);
    assert_eq!(rotation("postgres", &on), Rotation::Off);
}

#[test]
fn nothing_rotates_on_a_standby() {
    let spec =
        json!({"users": {"u": []}, "usersWithSecretRotation": ["u"], "standby": {"standby_host": "h"}});
    assert_eq!(role(spec, "u").rotation, Rotation::Off);
}

#[test]
fn a_database_owner_does_not_rotate_by_default() {
    let mut config = config();
    config.users.enable_password_rotation = true;
    let spec = json!({"users": {"o": []}, "databases": {"d": "o"}, "preparedDatabases": {"p": {"defaultUsers": true}}});
    assert_eq!(role_with(spec.clone(), "o", &config).rotation, Rotation::Off);
    assert_eq!(
        role_with(spec.clone(), "p_owner_user", &config).rotation,
        Rotation::Off
    );
    assert_eq!(
        role_with(spec, "p_reader_user", &config).rotation,
        Rotation::NewUser
    );
}

#[test]
fn parameters_bear_the_names_by_which_the_server_tells_them_apart() {
    let spec = json!({"users": {"app": []}, "userOptions": {"app": {"parameters": {
        "TimeZone": "UTC", "Work_Mem": "8MB", "vacuum_mem": "9MB", "My.Text": "X"}}}});
    let expected = [
        ("maintenance_work_mem", "9MB"),
        ("my.text", "X"),
        ("timezone", "UTC"),
        ("work_mem", "8MB"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(role(spec, "app").parameters, expected.into());
}

#[test]
fn prepared_databases_whose_roles_have_the_same_names_are_told_of() {
    let said = |other: &str| {
        let spec = json!({"preparedDatabases": {"shop": {"schemas": {"eu": {}}}, other: {}}});
        let findings = parse(spec).findings;
        findings.into_iter().filter(|it| it.reason == ROLE_TWICE).count()
    };
    assert_eq!(said("shop_us"), 0);
    assert_eq!(said("shop_eu"), 3, "owner, reader, writer");
}
