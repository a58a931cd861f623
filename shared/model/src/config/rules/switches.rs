//! Switches and places that must fit each other.

use super::Fault;
use crate::config::{BackupProvider, OperatorConfig, ResizeMode};

fn one(wrong: bool, parameter: &'static str, problem: &str) -> Vec<Fault> {
    wrong
        .then(|| Fault::new(parameter, problem))
        .into_iter()
        .collect()
}

pub(super) fn toleration(config: &OperatorConfig) -> Vec<Fault> {
    let at = |problem| Fault::new("toleration", problem);
    let toleration = &config.kubernetes.toleration;
    let known = ["key", "operator", "value", "effect"];
    let odd = toleration.keys().filter(|key| !known.contains(&key.as_str()));
    let mut faults: Vec<_> = odd.map(|key| at(format!("{key:?} is ignored"))).collect();
    for (key, words) in [
        ("operator", ["", "Exists", "Equal", "Equal"]),
        ("effect", ["", "NoSchedule", "PreferNoSchedule", "NoExecute"]),
    ] {
        let word = toleration.get(key).map_or("", String::as_str);
        if !words.contains(&word) {
            faults.push(at(format!(
                "has {key} {word:?}; Kubernetes refuses every pod with it"
            )));
        }
    }
    faults
}

pub(super) fn archives(config: &OperatorConfig) -> Vec<Fault> {
    let cloud = &config.aws_or_gcp;
    let stores = [
        &cloud.wal_s3_bucket,
        &cloud.wal_gs_bucket,
        &cloud.wal_az_storage_account,
    ];
    let several = stores.iter().filter(|store| store.is_some()).count() > 1;
    let problem = "WAL has more than one destination: Spilo takes one of them";
    one(several, "wal_s3_bucket", problem)
}

pub(super) fn region(config: &OperatorConfig) -> Vec<Fault> {
    let by_aws = matches!(
        config.kubernetes.storage_resize_mode,
        ResizeMode::Ebs | ResizeMode::Mixed
    );
    let lost = by_aws && config.aws_or_gcp.aws_region.is_none();
    one(lost, "storage_resize_mode", "needs aws_region")
}

pub(super) fn foreign_secrets(config: &OperatorConfig) -> Vec<Fault> {
    let kubernetes = &config.kubernetes;
    let narrow = kubernetes
        .watched_namespace
        .as_deref()
        .is_some_and(|namespace| namespace != "*");
    let problem =
        "true, and the operator looks after one namespace: it needs rights on secrets in the others";
    one(
        kubernetes.enable_cross_namespace_secret && narrow,
        "enable_cross_namespace_secret",
        problem,
    )
}

pub(super) fn privileges(config: &OperatorConfig) -> Vec<Fault> {
    let kubernetes = &config.kubernetes;
    let impossible = kubernetes.spilo_privileged && !kubernetes.spilo_allow_privilege_escalation;
    let problem = "true needs spilo_allow_privilege_escalation: Kubernetes refuses every StatefulSet";
    one(impossible, "spilo_privileged", problem)
}

pub(super) fn gate(config: &OperatorConfig) -> Vec<Fault> {
    let kubernetes = &config.kubernetes;
    let asked = [
        (
            "delete_annotation_date_key",
            &kubernetes.delete_annotation_date_key,
        ),
        (
            "delete_annotation_name_key",
            &kubernetes.delete_annotation_name_key,
        ),
    ];
    let asked = asked.into_iter().filter(|(_, key)| key.is_some());
    let idle = asked.filter(|_| kubernetes.enable_owner_references);
    idle.map(|(name, _)| Fault::new(name, "protects nothing while enable_owner_references is true"))
        .collect()
}

pub(super) fn teams(config: &OperatorConfig) -> Vec<Fault> {
    let teams = &config.teams_api;
    let url = &teams.teams_api_url;
    let is_address = ["http://", "https://"]
        .iter()
        .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    let problem = "is no address such as https://teams.example.org/api/, and enable_teams_api is true";
    one(teams.enable_teams_api && !is_address, "teams_api_url", problem)
}

pub(super) fn dumps(config: &OperatorConfig) -> Vec<Fault> {
    let backup = &config.logical_backup;
    if backup.logical_backup_provider != BackupProvider::Az {
        return Vec::new();
    }
    [
        (
            "logical_backup_azure_storage_account_name",
            &backup.logical_backup_azure_storage_account_name,
        ),
        (
            "logical_backup_azure_storage_container",
            &backup.logical_backup_azure_storage_container,
        ),
    ]
    .into_iter()
    .filter(|(_, value)| value.is_none())
    .map(|(name, _)| Fault::new(name, "is not set, and logical_backup_provider is az"))
    .collect()
}

pub(super) fn secret_mount(config: &OperatorConfig) -> Vec<Fault> {
    let cloud = &config.aws_or_gcp;
    match (
        &cloud.additional_secret_mount,
        &cloud.additional_secret_mount_path,
    ) {
        (Some(_), None) => one(
            true,
            "additional_secret_mount_path",
            "is not set: Kubernetes refuses every pod",
        ),
        (None, Some(_)) => one(true, "additional_secret_mount", "is not set: nothing is mounted"),
        _ => Vec::new(),
    }
}
