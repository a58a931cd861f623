//! Whole manifests read: effective values, tolerance of what version 1 stored, all violations at once. Vectors of zalando-behaviour A.2, A.17,
//! A.19 are named after it.

use serde_json::{Value, json};

use super::*;
use crate::{
    api::{self, postgresql::Postgresql},
    config::Form,
    units::Quantity,
};

pub(super) fn config() -> OperatorConfig {
    OperatorConfig::default_for(Form::ConfigMap)
}

pub(super) fn config_of(parameters: &[(&str, &str)]) -> OperatorConfig {
    let texts = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let data = parameters.iter().map(texts).collect();
    crate::config::source::from_config_map(&data, "default")
        .unwrap()
        .0
}

#[expect(clippy::needless_pass_by_value, reason = "callers write the value in place")]
pub(super) fn manifest(spec: Value) -> Postgresql {
    let mut object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-test", "namespace": "test", "uid": "u-1", "generation": 3},
        "spec": {"teamId": "acid", "numberOfInstances": 2, "postgresql": {"version": "17"}, "volume": {"size": "1Gi"}},
    });
    json_patch::merge(&mut object["spec"], &spec);
    api::decode(&object).unwrap()
}

pub(super) fn parse(spec: Value) -> Cluster {
    parse_with(spec, &config())
}

pub(super) fn parse_with(spec: Value, config: &OperatorConfig) -> Cluster {
    Cluster::parse(&manifest(spec), config).unwrap()
}

pub(super) fn violations(spec: Value) -> Vec<(String, &'static str)> {
    let error = Cluster::parse(&manifest(spec), &config()).unwrap_err();
    error
        .into_iter()
        .map(|violation| (violation.path, violation.rule))
        .collect()
}

pub(super) fn reasons(cluster: &Cluster) -> Vec<&str> {
    cluster
        .findings
        .iter()
        .map(|finding| finding.reason.as_str())
        .collect()
}

#[test]
fn the_least_manifest_follows_the_operator() {
    let cluster = parse(json!({}));
    assert_eq!(cluster.identity.team, "acid");
    assert_eq!(
        (cluster.identity.uid.as_str(), cluster.identity.generation),
        ("u-1", 3)
    );
    assert_eq!(cluster.image, "ghcr.io/zalando/spilo-18:4.1-p2");
    assert_eq!(cluster.instances, 2);
    assert_eq!(cluster.version.major(), 17);
    assert_eq!(cluster.storage.size, Quantity::parse("1Gi").unwrap());
    assert_eq!(cluster.resources, Resources::default());
    assert_eq!(cluster.origin, Origin::Fresh);
    assert!(cluster.pod.shared_memory);
    assert!(!cluster.patroni.failsafe_mode);
    assert_eq!(
        cluster
            .roles
            .iter()
            .map(|role| role.name.as_str())
            .collect::<Vec<_>>(),
        ["postgres", "standby"]
    );
    assert!(cluster.findings.is_empty());
}

#[test]
fn what_is_decided_once_is_also_there_without_the_webhook() {
    let cluster = parse(json!({"teamId": null, "numberOfInstances": null, "postgresql": null}));
    assert_eq!(
        (
            cluster.identity.team.as_str(),
            cluster.instances,
            cluster.version.major()
        ),
        ("acid", 2, 18)
    );
}

#[test]
fn nulls_of_version_1_are_empty() {
    let mut raw = serde_json::to_value(manifest(json!({}))).unwrap();
    for field in [
        "env",
        "sidecars",
        "initContainers",
        "allowedSourceRanges",
        "usersWithSecretRotation",
        "databases",
    ] {
        raw["spec"][field] = Value::Null;
    }
    raw["spec"]["users"] = json!({"x": null});
    let cluster = Cluster::parse(&api::decode(&raw).unwrap(), &config()).unwrap();
    assert!(cluster.roles.iter().any(|role| role.name == "x" && role.login));
}

#[test]
fn all_violations_are_found_at_once_and_sorted() {
    let spec = json!({
        "numberOfInstances": -1,
        "postgresql": {"version": "latest"},
        "volume": {"size": "much"},
        "maintenanceWindows": ["01:00-02:00", "Mon:12:00-11:00"],
        "users": {"Bad": [], "good": ["superuser1"]},
        "resources": {"requests": {"cpu": "fast"}},
        "sidecars": [{"name": "postgres"}],
        "clone": {"cluster": "other"}, "standby": {"standby_host": "h"},
    });
    assert_eq!(
        violations(spec),
        [
            ("spec.clone", rules::TWO_ORIGINS),
            ("spec.maintenanceWindows[1]", rules::WINDOW),
            ("spec.numberOfInstances", rules::INSTANCES),
            ("spec.postgresql.version", rules::VERSION),
            ("spec.resources.requests.cpu", rules::QUANTITY),
            ("spec.sidecars[0].image", rules::CONTAINER),
            ("spec.sidecars[0].name", rules::CONTAINER),
            ("spec.users.Bad", rules::USER_NAME),
            ("spec.users.good", rules::USER_FLAGS),
            ("spec.volume.size", rules::VOLUME_SIZE),
        ]
        .map(|(path, rule)| (path.to_owned(), rule))
    );
}

#[test]
fn a2_clone_source_is_checked_only_without_a_timestamp() {
    let clone =
        |cluster: &str, timestamp: Value| json!({"clone": {"cluster": cluster, "timestamp": timestamp}});
    let Origin::Clone(from) = parse(clone("foo+bar", json!("2026-02-03T04:05:06+01:00"))).origin else {
        panic!("not a clone");
    };
    assert!(matches!(from.method, CloneMethod::Archive(archive) if archive.timestamp.starts_with("2026")));
    assert_eq!(
        violations(clone("foo+bar", Value::Null)),
        [("spec.clone.cluster".to_owned(), rules::CLONE_SOURCE)]
    );
    assert_eq!(violations(clone(&"a".repeat(66), Value::Null)).len(), 1);
    let Origin::Clone(from) = parse(clone("foobar", Value::Null)).origin else {
        panic!("not a clone")
    };
    assert_eq!(from.method, CloneMethod::BaseBackup);
}

#[test]
fn standbys_follow_host_archive_or_a_variable() {
    let Origin::Standby(both) =
        parse(json!({"standby": {"s3_wal_path": "s3://x", "standby_host": "h"}})).origin
    else {
        panic!("not a standby");
    };
    assert_eq!(both.archive, Some(StandbyArchive::S3("s3://x".to_owned())));
    assert_eq!(both.host.unwrap().host, "h");
    let env = json!({"env": [{"name": "STANDBY_WALE_GS_PREFIX", "value": "gs://x"}]});
    assert!(matches!(
        parse(env).origin,
        Origin::Standby(Standby {
            by_variable: true,
            ..
        })
    ));
    let unset = json!({"env": [{"name": "STANDBY_WALE_GS_PREFIX", "value": ""}]});
    assert_eq!(parse(unset).origin, Origin::Fresh);
    assert_eq!(
        violations(json!({"standby": {}})),
        [("spec.standby".to_owned(), rules::STANDBY_SOURCE)]
    );
}

#[test]
fn a19_instances_stay_within_the_operators_limits() {
    let instances = |wanted: i32, min: i32, max: i32, annotation: Option<(&str, &str)>| {
        let mut config = config();
        (config.general.min_instances, config.general.max_instances) = (min, max);
        config.general.ignore_instance_limits_annotation_key = Some("ignore-limits".to_owned());
        let mut manifest = manifest(json!({"numberOfInstances": wanted}));
        manifest.metadata.annotations =
            annotation.map(|(key, value)| [(key.to_owned(), value.to_owned())].into_iter().collect());
        let cluster = Cluster::parse(&manifest, &config).unwrap();
        assert_eq!(!cluster.findings.is_empty(), cluster.instances != wanted);
        cluster.instances
    };
    assert_eq!(instances(1, 2, -1, None), 2);
    assert_eq!(instances(10, -1, 5, None), 5);
    assert_eq!(instances(1, 2, -1, Some(("ignore-limits", "true"))), 1);
    assert_eq!(instances(1, 2, -1, Some(("ignore-limits", "active"))), 2);
    assert_eq!(instances(1, 2, -1, Some(("ignore-more-limits", "true"))), 2);
    assert_eq!(instances(3, -1, 0, None), 0);
}

#[test]
fn a_standby_of_one_keeps_its_one_member() {
    let mut config = config();
    config.general.min_instances = 2;
    let standby = json!({"numberOfInstances": 1, "standby": {"standby_host": "h"}});
    assert_eq!(parse_with(standby, &config).instances, 1);
}

#[test]
fn full_upgrade_mode_lifts_old_versions_to_the_target() {
    let mut config = config();
    config.major_version_upgrade.minimal_major_version = crate::units::PgVersion::parse("16").unwrap();
    let version = |mode, version: &str| {
        let mut config = config.clone();
        config.major_version_upgrade.major_version_upgrade_mode = mode;
        parse_with(json!({"postgresql": {"version": version}}), &config)
            .version
            .major()
    };
    assert_eq!(version(crate::config::UpgradeMode::Full, "15"), 18);
    assert_eq!(version(crate::config::UpgradeMode::Full, "16"), 16);
    assert_eq!(version(crate::config::UpgradeMode::Manual, "13"), 13);
}

#[test]
fn old_names_are_translated_and_noted() {
    let cluster = parse(json!({
        "useLoadBalancer": false, "replicaLoadBalancer": true,
        "init_containers": [{"name": "i", "image": "x"}], "pod_priority_class_name": "high",
    }));
    assert_eq!(cluster.exposure.primary.kind, ServiceKind::ClusterIp);
    assert!(matches!(
        cluster.exposure.replica.kind,
        ServiceKind::LoadBalancer { .. }
    ));
    assert_eq!(cluster.pod.init_containers[0].name, "i");
    assert_eq!(cluster.pod.scheduling.priority_class.as_deref(), Some("high"));
    assert_eq!(reasons(&cluster), [rules::reason::OLD_FIELD; 4]);
}

#[test]
fn old_names_lose_against_new_ones() {
    let cluster = parse(json!({
        "useLoadBalancer": true, "enableReplicaLoadBalancer": true, "enableMasterLoadBalancer": null,
        "init_containers": [{"name": "old", "image": "x"}], "initContainers": [{"name": "new", "image": "x"}],
    }));
    let mut crd = OperatorConfig::default_for(Form::Crd);
    crd.load_balancer.enable_master_load_balancer = false;
    assert_eq!(cluster.pod.init_containers[0].name, "new");
    let cluster = parse_with(
        json!({"useLoadBalancer": true, "enableReplicaLoadBalancer": false}),
        &crd,
    );
    assert_eq!(cluster.exposure.primary.kind, ServiceKind::ClusterIp);
    assert!(cluster.findings[0].message.starts_with("is ignored"));
}

#[test]
fn windows_come_from_the_manifest_or_else_the_operator() {
    let mut config = config();
    config.general.maintenance_windows = vec![Window::parse("02:00-04:00").unwrap()];
    let texts = |cluster: &Cluster| {
        cluster
            .windows
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&parse_with(json!({}), &config)), ["02:00-04:00"]);
    assert_eq!(
        texts(&parse_with(
            json!({"maintenanceWindows": ["Sat:22:00-23:59"]}),
            &config
        )),
        ["Sat:22:00-23:59"]
    );
    config.general.enable_maintenance_windows = false;
    assert!(
        texts(&parse_with(
            json!({"maintenanceWindows": ["Sat:22:00-23:59"]}),
            &config
        ))
        .is_empty()
    );
}

#[test]
fn inheritance_picks_the_listed_keys() {
    let mut config = config();
    config.kubernetes.inherited_labels = vec!["env".to_owned(), "absent".to_owned()];
    config.kubernetes.downscaler_annotations = vec!["^downscaler/".to_owned(), "(".to_owned()];
    config.kubernetes.enable_owner_references = true;
    let mut manifest = manifest(json!({}));
    let map = |key: &str| {
        Some(
            [
                (key.to_owned(), "v".to_owned()),
                ("other".to_owned(), "v".to_owned()),
            ]
            .into(),
        )
    };
    (manifest.metadata.labels, manifest.metadata.annotations) = (map("env"), map("downscaler/uptime"));
    let inherited = Cluster::parse(&manifest, &config).unwrap().inherited;
    assert_eq!(inherited.labels.into_keys().collect::<Vec<_>>(), ["env"]);
    assert_eq!(
        inherited.downscaler_annotations.into_keys().collect::<Vec<_>>(),
        ["downscaler/uptime"]
    );
    let owner = &inherited.owner_references[0];
    assert_eq!(
        (owner.kind.as_str(), owner.controller, owner.uid.as_str()),
        ("postgresql", Some(true), "u-1")
    );
}

#[test]
fn parameters_are_split_and_patroni_leaves_out_zeros() {
    let cluster = parse(json!({
        "postgresql": {"parameters": {"shared_buffers": "64MB", "max_connections": "10", "password_encryption": "md5"}},
        "patroni": {"ttl": 40, "loop_wait": 0, "failsafe_mode": false,
            "initdb": {"encoding": "UTF8", "data-checksums": "true", "debug": "false", "auth-host": "md5"}},
    }));
    assert_eq!(
        cluster.postgres.local_parameters.into_keys().collect::<Vec<_>>(),
        ["shared_buffers"]
    );
    assert_eq!(
        cluster
            .postgres
            .dynamic_parameters
            .into_keys()
            .collect::<Vec<_>>(),
        ["max_connections", "password_encryption"]
    );
    assert_eq!(cluster.postgres.password_encryption, PasswordEncryption::Md5);
    let setting = |name: &str, value: &str| InitdbOption::Setting(name.to_owned(), value.to_owned());
    assert_eq!(
        cluster.postgres.initdb,
        [
            setting("auth-host", "md5"),
            setting("auth-local", "trust"),
            InitdbOption::Flag("data-checksums".to_owned()),
            setting("debug", "false"),
            setting("encoding", "UTF8"),
        ]
    );
    assert_eq!(
        (cluster.patroni.ttl.map(Into::into), cluster.patroni.loop_wait),
        (Some(40_u32), None)
    );
}

#[test]
fn mixed_resizing_takes_the_ebs_settings() {
    let spec = json!({"volume": {"iops": 4000, "throughput": 250, "type": "gp3", "subPath": "inner/dir"}});
    let storage = parse(spec.clone()).storage;
    assert_eq!(
        (storage.ebs, storage.sub_path),
        (None, Some(SubPath::Plain("inner/dir".to_owned())))
    );
    let mut config = config();
    config.kubernetes.storage_resize_mode = crate::config::ResizeMode::Mixed;
    assert_eq!(parse_with(spec, &config).storage.ebs.unwrap().iops, Some(4000));
}

#[test]
fn effective_settings_say_what_the_operator_decided() {
    let effective = parse(json!({"resources": {"requests": {"cpu": "1.5"}}})).effective();
    assert_eq!(effective.number_of_instances, Some(2));
    assert_eq!(
        effective.resources.unwrap().requests.unwrap().cpu.as_deref(),
        Some("1500m")
    );
    assert_eq!(effective.other["enableMasterLoadBalancer"], true);
}

#[test]
fn debug_shows_no_key() {
    let spec = json!({"clone": {"cluster": "a", "timestamp": "2026-02-03T04:05:06+01:00",
        "s3_secret_access_key": "hunter2"}});
    assert!(!format!("{:?}", parse(spec)).contains("hunter2"));
}
