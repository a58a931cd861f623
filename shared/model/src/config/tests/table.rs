//! The table is complete and consistent.

use std::collections::BTreeSet;

use crate::config::scope::Scope;
use crate::config::source::defaults;
use crate::config::{Affects, Form, Forms, Kind, OperatorConfig, Param, params};

fn listed() -> BTreeSet<(String, String)> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/config/parameters.txt"
    );
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(a, b)| (a.into(), b.into()))
        .collect()
}

#[test]
fn every_parameter_of_zalandos_operator_has_a_row_and_ours_are_apart() {
    let (own, rows): (BTreeSet<_>, BTreeSet<_>) = params()
        .map(|param| (param.group.to_owned(), param.name.to_owned()))
        .partition(|(group, _)| ["admission", "fleet", "provisioning"].contains(&group.as_str()));
    assert_eq!(rows, listed());
    assert_eq!(rows.len(), 186);
    let own: Vec<_> = own.iter().map(|(_, name)| name.as_str()).collect();
    let expected = [
        "validation_profile",
        "validation_severity",
        "fast_switchover",
        "operator_mode",
        "patroni_api_ca_secret_name",
        "patroni_api_scheme",
        "patroni_api_secret_name",
        "roll_budget",
        "sweep_leftovers",
        "watched_namespace_selector",
        "database_tls_ca_secret_name",
        "database_tls_verification",
        "enable_connection_keys_in_secrets",
        "enable_extension_updates",
    ];
    assert_eq!(own, expected);
}

#[test]
fn names_are_unique_because_a_config_map_has_no_groups() {
    let names: BTreeSet<_> = params().map(|param| param.name).collect();
    assert_eq!(names.len(), params().count());
}

/// Reads `text` into a fresh configuration, or tells why not.
fn reads(param: &Param, text: &str) -> Result<(), String> {
    let mut config = OperatorConfig::unset();
    (param.access.read_text)(&mut config, text, &mut Scope::new("operators"))
}

#[test]
fn every_default_can_be_read() {
    for param in params().filter(|param| param.forms == Forms::Both) {
        for text in [
            param.default,
            param.fallback,
            param.schema_default.unwrap_or_default(),
        ] {
            if !text.is_empty() {
                assert_eq!(reads(param, text), Ok(()), "{}: {text:?}", param.name);
            }
        }
    }
}

#[test]
fn defaults_mean_the_same_as_text_and_as_json() {
    for param in params().filter(|param| !param.default.is_empty()) {
        let (mut one, mut other) = (OperatorConfig::unset(), OperatorConfig::unset());
        let mut scope = Scope::new("operators");
        (param.access.read_text)(&mut one, param.default, &mut scope).unwrap();
        (param.access.read_json)(&mut other, &param.json_of_text(param.default), &mut scope).unwrap();
        assert!(!param.differs(&one, &other), "{}", param.name);
    }
}

#[test]
fn every_row_reads_and_shows_its_own_field() {
    for form in [Form::ConfigMap, Form::Crd] {
        let before = defaults(form, "operators");
        for param in params().filter(|param| param.forms == Forms::Both) {
            let mut after = before.clone();
            let mut scope = Scope::new("operators");
            (param.access.read_text)(&mut after, other_value(param, form), &mut scope).unwrap();
            let changed: Vec<_> = before.changes(&after).map(|param| param.name).collect();
            assert_eq!(changed, [param.name]);
            assert!(
                param.secret || param.show(&before) != param.show(&after),
                "{}",
                param.name
            );
        }
    }
}

/// A value that is allowed and is not the default.
pub(crate) fn other_value(param: &Param, form: Form) -> &'static str {
    let default = match form {
        Form::ConfigMap => param.default,
        Form::Crd => param.schema_default.unwrap_or(param.fallback),
    };
    match param.kind {
        Kind::Switch if default == "true" => "false",
        Kind::Switch => "true",
        Kind::Duration => "77s",
        Kind::Map => "a:b",
        Kind::OneOf(words) => words.iter().find(|word| **word != default).unwrap(),
        Kind::MajorVersion => "16",
        Kind::Integer(_) | Kind::Cpu | Kind::Memory => "77",
        Kind::Windows => "01:00-02:00",
        Kind::Schedule => "1 2 * * *",
        Kind::InfrastructureRoles => "secretname:a,userkey:b,passwordkey:c",
        Kind::ClaimRetention => "when_deleted:delete",
        Kind::Severities => "PGV-011:deny",
        _ => "something-else",
    }
}

#[test]
fn documentation_is_whole_sentences() {
    for param in params() {
        let text = param.text();
        assert!(
            text.ends_with('.') && text.starts_with(char::is_uppercase),
            "{}: {text}",
            param.name
        );
        assert!(!param.affects.is_empty() && param.affects.iter().all(|class| Affects::ALL.contains(class)));
    }
}

#[test]
fn credentials_are_secret() {
    let secrets: Vec<_> = params()
        .filter(|param| param.secret)
        .map(|param| param.name)
        .collect();
    assert_eq!(
        secrets,
        [
            "logical_backup_azure_storage_account_key",
            "logical_backup_s3_access_key_id",
            "logical_backup_s3_secret_access_key",
            "scalyr_api_key",
        ]
    );
}

#[test]
fn differing_defaults_are_those_of_zalandos_operator() {
    let map = OperatorConfig::default_for(Form::ConfigMap);
    let crd = OperatorConfig::default_for(Form::Crd);
    let differing: Vec<_> = map.changes(&crd).map(|param| param.name).collect();
    assert_eq!(
        differing,
        [
            "password_rotation_user_retention",
            "oauth_token_secret_name",
            "node_readiness_label_merge",
            "enable_master_load_balancer",
            "enable_teams_api",
            "enable_postgres_team_crd",
        ]
    );
}
