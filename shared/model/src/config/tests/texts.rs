//! The ConfigMap form: syntax of values, empty values, unknown keys, errors.

use std::time::Duration;

use proptest::prelude::*;

use super::{config, errors, findings, read};
use crate::config::text::{integer, split_items};
use crate::config::{
    ConfigError, FindingKind, Form, NamespacedName, OperatorConfig, PoolerMode, params, source,
};

#[test]
fn items_split_at_commas_outside_of_quotes() {
    let split = |text| split_items(text).unwrap();
    assert_eq!(
        split("log_statement:all, work_mem:'4GB'"),
        ["log_statement:all", "work_mem:'4GB'"]
    );
    let path = r#"log_statement:none, search_path:'"$user", public'"#;
    assert_eq!(
        split(path),
        ["log_statement:none", r#"search_path:'"$user", public'"#]
    );
    assert_eq!(split(""), [""]);
    assert_eq!(split(",,log_statement:all ,"), ["", "", "log_statement:all", ""]);
    let error = split_items(r#"search_path:'"$user""#).unwrap_err();
    assert_eq!(error, "unmatched quote starting at position 13");
}

#[test]
fn maps_and_lists_are_read() {
    let config = config(&[
        ("cluster_labels", "app:myapp,env:prod"),
        ("inherited_labels", "label1,label2,label3"),
        (
            "team_api_role_configuration",
            "log_statement:all, work_mem:'4GB,5'",
        ),
        ("inherited_annotations", "a, b"),
    ]);
    let pairs = |map: &indexmap::IndexMap<String, String>| {
        map.iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        pairs(&config.kubernetes.cluster_labels),
        ["app=myapp", "env=prod"]
    );
    assert_eq!(config.kubernetes.inherited_labels, ["label1", "label2", "label3"]);
    let settings = &config.teams_api.team_api_role_configuration;
    assert_eq!(pairs(settings), ["log_statement=all", "work_mem='4GB,5'"]);
    assert_eq!(
        config.kubernetes.inherited_annotations,
        ["a", " b"],
        "lists are not trimmed"
    );
}

#[test]
fn a_map_item_has_exactly_one_colon() {
    for text in ["a", "a:b:c", "a:b,c", "a:b,,c:d", "url:https://example.org"] {
        let [ConfigError::Value { path, problem, .. }] = &errors(&[("cluster_labels", text)])[..] else {
            panic!("{text}");
        };
        assert_eq!(path, "cluster_labels");
        assert!(problem.contains("exactly one colon"), "{problem}");
    }
}

#[test]
fn integers_have_gos_literals() {
    for (text, number) in [
        ("8", 8),
        ("-1", -1),
        ("+7", 7),
        ("0x1F", 31),
        ("0b101", 5),
        ("0o17", 15),
        ("017", 15),
        ("0", 0),
        ("1_000", 1000),
        ("0x_1f", 31),
        ("0_7", 7),
        ("-0x10", -16),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(integer(text), Ok(number), "{text}");
    }
    for text in [
        "",
        "invalid",
        " 1",
        "1 ",
        "1.5",
        "08",
        "0x",
        "1__0",
        "_1",
        "1_",
        "--1",
        "+",
        "0x+1",
        "9223372036854775808",
    ] {
        assert!(integer(text).is_err(), "{text:?}");
    }
}

#[test]
fn switches_have_gos_literals() {
    for (text, value) in [
        ("1", true),
        ("t", true),
        ("TRUE", true),
        ("True", true),
        ("0", false),
        ("F", false),
    ] {
        assert_eq!(
            config(&[("enable_shm_volume", text)]).general.enable_shm_volume,
            value,
            "{text}"
        );
    }
    for text in ["yes", "on", "tRUE", " true", "\"true\""] {
        assert_eq!(errors(&[("enable_shm_volume", text)]).len(), 1, "{text}");
    }
}

#[test]
fn namespaced_names_default_to_the_operators_namespace() {
    let name = |text: &str| {
        config(&[("pod_environment_configmap", text)])
            .kubernetes
            .pod_environment_configmap
    };
    let named = |namespace: &str| {
        Some(NamespacedName {
            namespace: namespace.to_owned(),
            name: "cluster".to_owned(),
        })
    };
    assert_eq!(name("acid/cluster"), named("acid"));
    assert_eq!(name("/cluster"), named("operators"));
    assert_eq!(name("cluster"), named("operators"));
    assert_eq!(name(""), None);
    for text in ["test/", "/", "//", "a/b/c"] {
        assert_eq!(errors(&[("pod_environment_configmap", text)]).len(), 1, "{text}");
    }
    assert!(NamespacedName::parse("", "acid").is_err());
}

#[test]
fn keys_count_in_any_case_and_absent_ones_mean_the_default() {
    let config = config(&[("Workers", "3"), ("RESYNC_PERIOD", "1h30m")]);
    assert_eq!(config.general.workers, 3);
    assert_eq!(config.general.resync_period, Duration::from_mins(90));
    assert_eq!(config.general.repair_period, Duration::from_mins(5));
    assert_eq!(
        super::config(&[]),
        OperatorConfig::default_for_operator_in_tests()
    );
}

impl OperatorConfig {
    fn default_for_operator_in_tests() -> Self {
        source::defaults(Form::ConfigMap, "operators")
    }
}

#[test]
fn an_empty_value_means_none_or_the_default() {
    let pairs = [
        ("protected_role_names", ""),
        ("cluster_labels", ""),
        ("team_admin_role", ""),
        ("workers", ""),
        ("pod_role_label", ""),
        ("wal_s3_bucket", ""),
    ];
    let config = config(&pairs);
    assert!(config.teams_api.protected_role_names.is_empty());
    assert!(config.kubernetes.cluster_labels.is_empty());
    assert_eq!(config.teams_api.team_admin_role, None);
    assert_eq!(
        (config.general.workers, config.kubernetes.pod_role_label.as_str()),
        (8, "spilo-role")
    );
    let adjusted: Vec<_> = findings(&pairs).into_iter().map(|finding| finding.path).collect();
    assert_eq!(adjusted, ["workers", "pod_role_label"]);
}

#[test]
fn unknown_keys_are_found_with_the_nearest_name() {
    let found = findings(&[
        ("worker", "3"),
        ("enable_load_balancer", "true"),
        ("colour", "blue"),
    ]);
    let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "colour: is not a parameter",
            "enable_load_balancer: is ignored: it was split into enable_master_load_balancer and \
             enable_replica_load_balancer",
            "worker: is not a parameter; did you mean workers?",
        ]
    );
    assert_eq!(found[1].reason, FindingKind::Retired.reason());
    for key in [
        "enable_crd_validation",
        "enable_ebs_gp3_migration",
        "enable_ebs_gp3_migration_max_size",
    ] {
        assert_eq!(findings(&[(key, "x")])[0].reason, "RetiredParameter", "{key}");
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let errors = errors(&[
        ("workers", "invalid"),
        ("resync_period", "often"),
        ("connection_pooler_mode", "statement"),
        ("cluster_labels", "a"),
        ("min_instances", "10"),
        ("max_instances", "5"),
        ("connection_pooler_user", "postgres"),
    ]);
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "workers: \"invalid\" invalid syntax; allowed: a whole number, at least 1",
            "resync_period: \"often\" is not a duration: expected numbers with units ns, us, ms, s, m or h, as in \
             1h30m; allowed: a duration such as 30s, 10m or 1h30m, longer than 0",
            "cluster_labels: \"a\" invalid map item: \"a\": it needs exactly one colon; allowed: key:value items",
            "connection_pooler_mode: \"statement\" is not one of the choices; allowed: one of session, transaction",
            "min_instances: 10 is more than the maximum 5; see also max_instances",
            "connection_pooler_user: the pooler's role must not be the superuser postgres; see also super_username",
        ]
    );
}

#[test]
fn each_kind_of_value_has_its_error() {
    for (key, value, problem) in [
        ("workers", "0", "is too small"),
        ("workers", "-1", "is out of range"),
        ("workers", "4294967296", "is out of range"),
        ("connection_pooler_number_of_instances", "0", "is too small"),
        ("api_port", "70000", "is out of range"),
        ("min_instances", "-2", "is too small"),
        ("resource_check_interval", "0s", "is not longer than 0"),
        ("resource_check_interval", "-3s", "it is negative"),
        ("storage_resize_mode", "PVC", "is not one of the choices"),
        ("minimal_major_version", "9.6", "is not a Postgres version"),
        ("default_memory_limit", "lots", "is not a quantity"),
        ("default_cpu_limit", "-1", "is negative"),
        (
            "maintenance_windows",
            "Mon:12:00-11:00",
            "the end is before the start",
        ),
        (
            "maintenance_windows",
            "01:00-02:00,Sunday:00:00-00:00",
            "the day must be one of",
        ),
        ("logical_backup_schedule", "60 * * * *", "has a wrong minute"),
        (
            "secret_name_template",
            "{username}.credentials",
            "does not contain {cluster}",
        ),
        ("pdb_name_format", "budget", "does not contain {cluster}"),
        (
            "master_dns_name_format",
            "{cluster}.{zone}",
            "contains {zone}, which is not a variable",
        ),
        ("pod_service_account_definition", "{", "is neither JSON nor YAML"),
        ("pod_service_account_definition", "kind: Secret", "is a Secret"),
        (
            "pod_service_account_role_binding_definition",
            "a: b",
            "has no kind",
        ),
        ("spilo_fsgroup", "staff", "invalid syntax"),
    ] {
        let [
            ConfigError::Value {
                path,
                problem: found,
                allowed,
                ..
            },
        ] = &errors(&[(key, value)])[..]
        else {
            panic!("{key} {value}");
        };
        assert_eq!(path, key);
        assert!(found.contains(problem), "{key} {value}: {found}");
        assert!(!allowed.is_empty());
    }
}

#[test]
fn a_wrong_secret_is_not_repeated() {
    let schema = serde_json::json!({ "scalyr": { "scalyr_api_key": 4711 } });
    let errors = super::read_object(&schema).unwrap_err();
    let text = errors[0].to_string();
    assert!(
        text.starts_with("configuration.scalyr.scalyr_api_key: [redacted] is not a string"),
        "{text}"
    );
}

#[test]
fn limits_that_are_off_do_not_conflict() {
    config(&[("min_instances", "-1"), ("max_instances", "-1")]);
    config(&[("min_instances", "3"), ("max_instances", "-1")]);
    config(&[("min_instances", "3"), ("max_instances", "0")]);
    assert_eq!(
        config(&[("connection_pooler_number_of_instances", "1")])
            .connection_pooler
            .connection_pooler_number_of_instances,
        1
    );
}

#[test]
fn infrastructure_roles_are_one_line() {
    let text = "secretname:monitoring, userkey:user,passwordkey:password,rolekey:inrole,defaultuservalue:robot,colour:blue";
    let (config, findings) = read(&[
        ("infrastructure_roles_secrets", text),
        ("infrastructure_roles_secret_name", "legacy"),
    ])
    .unwrap();
    let secrets = config.infrastructure_role_secrets();
    assert_eq!(secrets[0].secret_name.to_string(), "default/monitoring");
    assert_eq!(
        (
            secrets[0].user_key.as_str(),
            secrets[0].default_user_value.as_str()
        ),
        ("user", "robot")
    );
    assert_eq!(secrets[1].secret_name.to_string(), "operators/legacy");
    assert!(secrets[1].template && !secrets[0].template);
    assert!(
        findings[0].message.contains("\"colour\" is ignored"),
        "{findings:?}"
    );
    let incomplete = [("infrastructure_roles_secrets", "secretname:a,userkey:b")];
    assert!(
        super::config(&incomplete)
            .infrastructure_role_secrets()
            .is_empty()
    );
    assert_eq!(super::findings(&incomplete).len(), 1);
}

#[test]
fn odd_combinations_are_remarked_on() {
    for (pairs, path) in [
        (
            &[("minimal_major_version", "18"), ("target_major_version", "17")][..],
            "minimal_major_version",
        ),
        (
            &[
                ("enable_password_rotation", "true"),
                ("password_rotation_interval", "100"),
            ],
            "password_rotation_user_retention",
        ),
        (&[("wal_s3_bucket", "a"), ("wal_gs_bucket", "b")], "wal_s3_bucket"),
        (
            &[("storage_resize_mode", "ebs"), ("aws_region", "")],
            "storage_resize_mode",
        ),
        (&[("ready_wait_interval", "1h")], "ready_wait_interval"),
        (&[("toleration", "key:a,colour:blue")], "toleration"),
        (&[("downscaler_annotations", "a,*")], "downscaler_annotations"),
        (
            &[("persistent_volume_claim_retention_policy", "when_deleted:keep")],
            "persistent_volume_claim_retention_policy",
        ),
        (&[("sidecar_docker_images", "a:b")], "sidecar_docker_images"),
        (&[("sidecars", "[]")], "sidecars"),
    ] {
        let paths: Vec<_> = findings(pairs).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, [path], "{pairs:?}");
    }
}

#[test]
fn schedules_of_kubernetes_are_taken() {
    let config = config(&[
        ("logical_backup_schedule", "0 2 * * 1-5"),
        ("connection_pooler_mode", "session"),
    ]);
    assert_eq!(config.logical_backup.logical_backup_schedule, "0 2 * * 1-5");
    assert_eq!(
        config.connection_pooler.connection_pooler_mode,
        PoolerMode::Session
    );
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(at in 0..params().count(), text in "\\PC*") {
        let name = params().nth(at).map_or("", |param| param.name);
        let _ = read(&[(name, &text)]);
    }

    #[test]
    fn no_literal_breaks_the_reader(at in 0..params().count(), text in "[-+0-9xob_:,.'\"{}a-eTF/ ]{0,12}") {
        let name = params().nth(at).map_or("", |param| param.name);
        let _ = read(&[(name, &text)]);
        let _ = integer(&text);
        let _ = split_items(&text);
    }

    #[test]
    fn no_key_breaks_the_reader(key in "\\PC*", text in "\\PC*") {
        prop_assert!(read(&[(&key, &text)]).is_ok() || params().any(|param| param.name == key.to_lowercase()));
    }

    #[test]
    fn whole_numbers_are_read_back(number in any::<i64>()) {
        prop_assert_eq!(integer(&number.to_string()), Ok(number));
        let hexadecimal = format!("0x{:x}", number.unsigned_abs() >> 1);
        prop_assert_eq!(integer(&hexadecimal), Ok(i64::try_from(number.unsigned_abs() >> 1).unwrap_or_default()));
    }
}
