//! The OperatorConfiguration form: schema defaults, fallbacks, shapes of values, errors.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{object, read_object};
use crate::config::{
    ClaimFate, Form, OperatorConfig, OperatorConfiguration, Param, ReadinessMerge, params, source,
    source::from_object,
};

fn problems(configuration: &Value) -> Vec<String> {
    read_object(configuration)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_group_gets_its_schema_defaults_when_it_is_there_and_the_fallbacks_otherwise() {
    let empty = object(&json!({ "users": {}, "kubernetes": {}, "teams_api": {}, "logical_backup": {} }));
    let absent = object(&json!({}));
    assert_eq!(empty.users.password_rotation_user_retention, 120);
    assert_eq!(absent.users.password_rotation_user_retention, 180);
    assert_eq!(empty.kubernetes.master_pod_move_timeout, Duration::from_mins(20));
    assert_eq!(absent.kubernetes.master_pod_move_timeout, Duration::from_mins(10));
    assert!(empty.teams_api.enable_postgres_team_crd && !absent.teams_api.enable_postgres_team_crd);
    assert!(empty.teams_api.enable_admin_role_for_users && !absent.teams_api.enable_admin_role_for_users);
    assert_eq!(
        empty.logical_backup.logical_backup_ttl_seconds_after_finished,
        Some(86400)
    );
    assert_eq!(
        absent.logical_backup.logical_backup_ttl_seconds_after_finished,
        None
    );
    for config in [&empty, &absent] {
        assert!(config.debug.enable_database_access);
        assert!(!config.load_balancer.enable_master_load_balancer);
        assert!(
            config
                .kubernetes
                .secret_name_template
                .as_str()
                .contains("{username}")
        );
        assert_eq!(config.kubernetes.node_readiness_label_merge, None);
        assert_eq!(
            config.kubernetes.oauth_token_secret_name.to_string(),
            "operators/postgres-operator"
        );
        assert_eq!(config.load_balancer.db_hosted_zone, "db.example.com");
        assert_eq!(config.general.crd_categories, ["all"]);
    }
    assert_eq!(
        object(&json!({ "users": null })),
        absent,
        "a null group is absent"
    );
}

#[test]
fn all_groups_empty_is_the_default_of_the_form() {
    let groups: serde_json::Map<_, _> = params()
        .filter_map(Param::crd_group)
        .map(|group| (group.to_owned(), json!({})))
        .collect();
    assert_eq!(object(&groups.into()), source::defaults(Form::Crd, "operators"));
}

#[test]
fn values_that_go_cannot_tell_from_absence_count_as_absent() {
    let config = object(&json!({
        "workers": 0, "docker_image": "", "crd_categories": [], "maintenance_windows": null,
        "users": { "password_rotation_interval": 0, "password_rotation_user_retention": 0 },
        "kubernetes": { "cluster_labels": {}, "infrastructure_roles_secret_name": "", "node_readiness_label_merge": "" },
        "teams_api": { "protected_role_names": [], "team_admin_role": "" },
        "postgres_pod_resources": { "default_cpu_limit": "", "default_memory_limit": "0", "max_cpu_request": "null" },
        "logging_rest_api": { "api_port": 0 },
    }));
    assert_eq!(
        (config.general.workers, config.general.crd_categories.len()),
        (8, 1)
    );
    assert!(config.general.docker_image.contains("spilo"));
    assert_eq!(config.users.password_rotation_interval, 90);
    assert_eq!(
        config.users.password_rotation_user_retention, 180,
        "the fallback: the schema has not been asked"
    );
    assert_eq!(config.kubernetes.cluster_labels["application"], "spilo");
    assert_eq!(config.kubernetes.infrastructure_roles_secret_name, None);
    assert_eq!(config.teams_api.protected_role_names, ["admin", "cron_admin"]);
    assert_eq!(
        config.teams_api.team_admin_role, None,
        "upstream has no fallback for it"
    );
    let resources = &config.postgres_pod_resources;
    assert_eq!(
        (
            resources.default_cpu_limit,
            resources.default_memory_limit,
            resources.max_cpu_request
        ),
        (None, None, None)
    );
    assert_eq!(config.logging_rest_api.api_port, 8080);
}

#[test]
fn infrastructure_roles_keep_all_their_fields() {
    let config = object(&json!({ "kubernetes": { "infrastructure_roles_secrets": [
        { "secretname": "monitoring", "userkey": "u", "passwordkey": "p", "rolekey": "r", "defaultuservalue": "robot",
          "defaultrolevalue": "reader" },
        { "secretname": "default/many", "userkey": "user", "passwordkey": "password", "rolekey": "inrole", "template": true },
        { "secretname": "detailed", "details": "definition" },
        { "userkey": "nowhere" },
    ] } }));
    let [one, many, detailed] = &config.kubernetes.infrastructure_roles_secrets[..] else {
        panic!("{config:?}")
    };
    assert_eq!(one.secret_name.to_string(), "operators/monitoring");
    assert_eq!(
        (one.default_user_value.as_str(), one.default_role_value.as_str()),
        ("robot", "reader")
    );
    assert!(many.template && many.secret_name.namespace == "default");
    assert_eq!(detailed.details, "definition");
}

#[test]
fn sidecars_are_a_list_or_an_object_or_null() {
    let list = object(&json!({ "sidecars": [{ "name": "a", "image": "i", "args": ["x"] }] }))
        .general
        .sidecars;
    assert_eq!(
        (list[0].name.as_str(), list[0].args.as_deref()),
        ("a", Some(&["x".to_owned()][..]))
    );
    let (config, findings) =
        read_object(&json!({ "sidecars": { "b": { "image": "i" }, "a": { "image": "j" } } })).unwrap();
    let names: Vec<_> = config
        .general
        .sidecars
        .iter()
        .map(|sidecar| sidecar.name.as_str())
        .collect();
    assert_eq!((names.len(), findings.len()), (2, 1));
    assert!(names.contains(&"a") && names.contains(&"b"));
    for nothing in [json!(null), json!([]), json!({})] {
        assert!(
            object(&json!({ "sidecars": nothing }))
                .general
                .sidecars
                .is_empty()
        );
    }
    let one = object(&json!({ "sidecars": { "name": "a", "image": "i" } }))
        .general
        .sidecars;
    assert_eq!(one.len(), 1);
}

#[test]
fn a_wrong_sidecar_is_told_without_its_contents() {
    let sidecar = json!([{ "name": "a", "env": [{ "name": "PASSWORD", "value": { "hunter2": "hunter2" } }, "hunter2"] }]);
    let problems = problems(&json!({ "sidecars": sidecar }));
    assert!(problems[0].contains("env[0].value"), "{problems:?}");
    assert!(!problems[0].contains("hunter2"), "{problems:?}");
}

#[test]
fn probe_and_claim_retention_are_read() {
    let (config, findings) = read_object(&json!({ "kubernetes": {
        "liveness_probe": { "httpGet": { "path": "/liveness", "port": 8008 }, "periodSeconds": 10 },
        "persistent_volume_claim_retention_policy": { "when_deleted": "delete", "when_scaled": "Delete" },
        "node_readiness_label_merge": "AND",
    } }))
    .unwrap();
    let probe = config.kubernetes.liveness_probe.unwrap();
    assert_eq!(
        (probe.period_seconds, probe.http_get.unwrap().path.as_deref()),
        (Some(10), Some("/liveness"))
    );
    let retention = config.kubernetes.persistent_volume_claim_retention_policy;
    assert_eq!(
        (retention.when_deleted, retention.when_scaled),
        (ClaimFate::Delete, ClaimFate::Retain)
    );
    assert_eq!(findings.len(), 1);
    assert_eq!(
        config.kubernetes.node_readiness_label_merge,
        Some(ReadinessMerge::And)
    );
}

#[test]
fn one_pooler_pod_counts_as_two() {
    let (config, findings) =
        read_object(&json!({ "connection_pooler": { "connection_pooler_number_of_instances": 1 } })).unwrap();
    assert_eq!(config.connection_pooler.connection_pooler_number_of_instances, 2);
    assert_eq!(findings[0].reason, "ParameterAdjusted");
}

#[test]
fn wrong_types_and_conflicts_are_reported_with_their_paths() {
    let problems = problems(&json!({
        "workers": "8", "min_instances": 4, "max_instances": 2, "enable_shm_volume": "true",
        "resync_period": 1800, "debug": [],
        "users": { "additional_owner_roles": "a,b" },
        "kubernetes": { "cluster_labels": { "a": 1 }, "enable_cross_namespace_secret": "true" },
        "connection_pooler": { "connection_pooler_user": "postgres" },
    }));
    let paths: Vec<_> = problems
        .iter()
        .map(|text| text.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "configuration.enable_shm_volume",
            "configuration.workers",
            "configuration.resync_period",
            "configuration.users.additional_owner_roles",
            "configuration.kubernetes.cluster_labels",
            "configuration.kubernetes.enable_cross_namespace_secret",
            "configuration.debug",
            "configuration.min_instances",
            "configuration.connection_pooler.connection_pooler_user",
        ]
    );
    assert_eq!(
        problems[1],
        "configuration.workers: \"8\" is not a whole number; allowed: a whole number, at least 1"
    );
}

#[test]
fn an_object_without_configuration_is_an_error() {
    for wrong in [
        json!({}),
        json!({ "configuration": null }),
        json!({ "configuration": [] }),
        json!(null),
    ] {
        assert_eq!(
            from_object(&wrong, "operators").unwrap_err()[0].path(),
            "configuration"
        );
    }
}

#[test]
fn unknown_fields_are_found_with_the_right_place() {
    let (_, findings) = read_object(&json!({
        "enable_crd_validation": true, "super_username": "root", "kubernetes": { "pod_role_labels": "x" },
        "aws_or_gcp": { "enable_ebs_gp3_migration": false },
    }))
    .unwrap();
    let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "configuration.enable_crd_validation: is ignored: the CRDs always carry their schema",
            "configuration.super_username: is not a parameter; did you mean configuration.users.super_username?",
            "configuration.kubernetes.pod_role_labels: is not a parameter; did you mean \
             configuration.kubernetes.pod_role_label?",
            "configuration.aws_or_gcp.enable_ebs_gp3_migration: is ignored: volumes are no longer migrated to gp3",
        ]
    );
}

#[test]
fn the_wire_object_is_read_and_written() {
    let stored = super::recorded("C-stored.yaml");
    let wire: OperatorConfiguration = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(
        wire.metadata.name.as_deref(),
        Some("postgresql-operator-default-configuration")
    );
    assert_eq!(serde_json::to_value(&wire).unwrap(), stored);
    assert_eq!(
        wire.parse("operators").unwrap().0,
        source::defaults(Form::Crd, "operators")
    );
    let bare = OperatorConfiguration::new("a", "b", json!({ "scalyr": { "scalyr_api_key": "hunter2" } }));
    assert!(!format!("{bare:?}").contains("hunter2"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,6}", inner), 0..4)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_breaks_the_reader(at in 0..params().count(), value in any_json()) {
        let Some(param) = params().nth(at) else { return Ok(()) };
        let fields = json!({ param.name: value.clone() });
        let configuration = match param.crd_group() {
            Some(group) => json!({ group: fields }),
            None => fields,
        };
        let _ = read_object(&configuration);
        let _ = read_object(&value);
        let _ = from_object(&value, "operators");
    }
}

#[test]
fn the_default_is_in_the_namespace_default() {
    let config = OperatorConfig::default_for(Form::Crd);
    assert_eq!(config.kubernetes.oauth_token_secret_name.namespace, "default");
}
