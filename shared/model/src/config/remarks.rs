//! What is allowed, but probably not meant.
//!
//! Not here: what is not allowed (`check`).

use super::check::place;
use super::param::Form;
use super::{Finding, FindingKind, OperatorConfig, ResizeMode};

/// Everything odd about a configuration, each thing at the parameter to look at first.
pub(super) fn remarks(config: &OperatorConfig, form: Form) -> Vec<Finding> {
    let parts = [
        toleration(config),
        versions(config),
        rotation(config),
        cloud(config),
        waits(config),
    ];
    let remark = |(name, message): (&str, String)| {
        Finding::new(FindingKind::Remark.reason(), place(name, form), message)
    };
    parts.into_iter().flatten().map(remark).collect()
}

type Remarks = Vec<(&'static str, String)>;

fn toleration(config: &OperatorConfig) -> Remarks {
    let known = ["key", "operator", "value", "effect"];
    let keys = config.kubernetes.toleration.keys();
    keys.filter(|key| !known.contains(&key.as_str()))
        .map(|key| ("toleration", format!("{key:?} is ignored")))
        .collect()
}

fn versions(config: &OperatorConfig) -> Remarks {
    let upgrade = &config.major_version_upgrade;
    let target = upgrade.target_major_version;
    let odd = upgrade.minimal_major_version > target;
    odd.then(|| {
        (
            "minimal_major_version",
            format!("is above target_major_version {target}"),
        )
    })
    .into_iter()
    .collect()
}

fn rotation(config: &OperatorConfig) -> Remarks {
    let users = &config.users;
    let kept = users.password_rotation_interval.saturating_mul(2);
    let odd = users.enable_password_rotation && users.password_rotation_user_retention < kept;
    let message = || format!("counts as {kept}, twice password_rotation_interval");
    odd.then(|| ("password_rotation_user_retention", message()))
        .into_iter()
        .collect()
}

fn cloud(config: &OperatorConfig) -> Remarks {
    let cloud = &config.aws_or_gcp;
    let mut remarks = Remarks::new();
    let stores = [
        &cloud.wal_s3_bucket,
        &cloud.wal_gs_bucket,
        &cloud.wal_az_storage_account,
    ];
    if stores.iter().filter(|store| store.is_some()).count() > 1 {
        remarks.push((
            "wal_s3_bucket",
            "WAL has more than one destination: Spilo takes one of them".to_owned(),
        ));
    }
    let by_aws = matches!(
        config.kubernetes.storage_resize_mode,
        ResizeMode::Ebs | ResizeMode::Mixed
    );
    if by_aws && cloud.aws_region.is_none() {
        remarks.push(("storage_resize_mode", "needs aws_region".to_owned()));
    }
    remarks
}

fn waits(config: &OperatorConfig) -> Remarks {
    let waits = &config.timeouts;
    let pairs = [
        (
            waits.resource_check_interval,
            waits.resource_check_timeout,
            "resource_check_interval",
        ),
        (
            waits.ready_wait_interval,
            waits.ready_wait_timeout,
            "ready_wait_interval",
        ),
        (
            waits.patroni_api_check_interval,
            waits.patroni_api_check_timeout,
            "patroni_api_check_interval",
        ),
    ];
    let odd = pairs
        .into_iter()
        .filter(|(interval, timeout, _)| interval > timeout);
    odd.map(|(_, _, name)| {
        (
            name,
            "is longer than the timeout: nothing is tried twice".to_owned(),
        )
    })
    .collect()
}
