//! Configurations under which Zalando's operator ran.

use std::time::Duration;

use super::{recorded, recorded_data};
use crate::config::source::{defaults, from_config_map, from_object};
use crate::config::{
    BackupProvider, ClaimFate, Form, OperatorConfig, PodManagement, PoolerMode, ReadinessMerge,
    TrafficPolicy, Watch,
};

fn config_map(name: &str) -> OperatorConfig {
    let (config, findings) = from_config_map(&recorded_data(name), "default").unwrap();
    // B has the annotations that protect from deletion beside owner references.
    let known = |path: &str| path == "sidecar_docker_images" || path.starts_with("delete_annotation_");
    let unexpected: Vec<_> = findings.iter().filter(|finding| !known(&finding.path)).collect();
    assert!(unexpected.is_empty(), "{name}: {unexpected:?}");
    config
}

fn changes(config: &OperatorConfig) -> Vec<&'static str> {
    defaults(Form::ConfigMap, "default")
        .changes(config)
        .map(|param| param.name)
        .collect()
}

#[test]
fn a_differs_from_the_defaults_where_it_says() {
    let config = config_map("A.yaml");
    assert_eq!(changes(&config), ["enable_teams_api"]);
    assert!(config.general.kubernetes_use_configmaps);
}

#[test]
fn e_and_u_differ_from_the_defaults_where_they_say() {
    let config = config_map("E.yaml");
    assert_eq!(
        changes(&config),
        [
            "additional_owner_roles",
            "infrastructure_roles_secrets",
            "enable_teams_api",
            "enable_team_superuser",
            "enable_postgres_team_crd",
        ]
    );
    assert_eq!(
        config.kubernetes.infrastructure_roles_secrets[0]
            .secret_name
            .to_string(),
        "default/infra-named"
    );
    let config = config_map("U.yaml");
    assert_eq!(
        changes(&config),
        ["inherited_labels", "inherited_annotations", "enable_teams_api"]
    );
    assert_eq!(config.kubernetes.inherited_labels, ["environment", "owner"]);
}

#[test]
fn b_sets_nearly_everything() {
    let data = recorded_data("B.yaml");
    let config = config_map("B.yaml");
    let written: Vec<_> = crate::config::params()
        .filter(|param| data.contains_key(param.name))
        .collect();
    assert_eq!(written.len(), data.len());
    let kubernetes = &config.kubernetes;
    assert_eq!(
        kubernetes.cluster_labels.get_index(1),
        Some((&"tier".to_owned(), &"database".to_owned()))
    );
    assert_eq!(kubernetes.pod_terminate_grace_period, Duration::from_secs(90));
    assert_eq!(kubernetes.node_readiness_label_merge, Some(ReadinessMerge::And));
    assert_eq!(kubernetes.pod_management_policy, PodManagement::Parallel);
    assert_eq!(
        kubernetes.persistent_volume_claim_retention_policy.when_deleted,
        ClaimFate::Delete
    );
    assert_eq!(
        (kubernetes.spilo_runasuser, kubernetes.spilo_fsgroup),
        (Some(101), Some(103))
    );
    assert_eq!(
        kubernetes.secret_name_template.as_str(),
        "{username}.{cluster}.creds.{tprkind}.{tprgroup}"
    );
    assert_eq!(kubernetes.toleration["operator"], "Exists");
    assert_eq!(config.watch("default"), Watch::All);
    assert_eq!(config.load_balancer.external_traffic_policy, TrafficPolicy::Local);
    assert_eq!(config.general.maintenance_windows[0].to_string(), "02:00-04:00");
    assert_eq!(config.general.sidecar_docker_images.len(), 2);
    assert_eq!(
        config.connection_pooler.connection_pooler_mode,
        PoolerMode::Session
    );
    let backup = &config.logical_backup;
    assert_eq!(backup.logical_backup_provider, BackupProvider::S3);
    assert_eq!(
        backup.logical_backup_s3_endpoint.as_deref(),
        Some("https://s3.example.org")
    );
    assert_eq!(
        backup.logical_backup_s3_access_key_id.as_ref().unwrap().expose(),
        "AKDUMP"
    );
    assert_eq!(backup.logical_backup_ttl_seconds_after_finished, Some(3600));
    let limit = config.postgres_pod_resources.default_memory_limit.unwrap();
    assert_eq!(limit.to_string(), "500Mi");
    let [named, indexed] = &config.infrastructure_role_secrets()[..] else {
        panic!("two secrets")
    };
    assert_eq!(
        (named.secret_name.to_string().as_str(), named.role_key.as_str()),
        ("default/infra-named", "inrole")
    );
    assert!(indexed.template && indexed.secret_name.name == "infra-legacy");
}

#[test]
fn c_is_the_default_of_its_form_before_and_after_the_api_server() {
    for name in ["C.yaml", "C-stored.yaml"] {
        let (config, findings) = from_object(&recorded(name), "default").unwrap();
        assert_eq!(config, OperatorConfig::default_for(Form::Crd), "{name}");
        let deprecated = |path: &str| path.starts_with("configuration.scalyr.");
        assert!(
            findings.iter().all(|finding| deprecated(&finding.path)),
            "{findings:?}"
        );
    }
}

#[test]
fn b_shows_no_secret() {
    let config = config_map("B.yaml");
    for text in [
        format!("{config:?}"),
        format!("{:?}", config.logical_backup),
        config.redacted().to_string(),
    ] {
        assert!(
            !text.contains("AKDUMP") && !text.contains("dump-not-secret"),
            "{text}"
        );
        assert!(text.contains("[redacted]") && text.contains("dump-bucket"));
    }
}
