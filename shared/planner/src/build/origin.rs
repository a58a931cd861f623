//! Variables that tell a new cluster where its data comes from (zalando-behaviour 3.4, groups 3 and 4).

use k8s_openapi::api::core::v1::EnvVar;
use pgherd_model::cluster::{Archive, CloneFrom, CloneMethod, Origin, Standby, StandbyArchive};
use pgherd_model::names::containers::AWS_TOKEN_PATH;
use pgherd_model::names::ports;

use super::Blueprint;
use super::archive::{given, scope_suffix};
use super::variable::{password_of, plain};

pub(super) fn variables(blueprint: Blueprint<'_>) -> Vec<EnvVar> {
    match &blueprint.cluster.origin {
        Origin::Fresh => Vec::new(),
        Origin::Clone(clone) => clone_variables(blueprint, clone),
        Origin::Standby(standby) => standby_variables(blueprint, standby),
    }
}

fn clone_variables(blueprint: Blueprint<'_>, clone: &CloneFrom) -> Vec<EnvVar> {
    let mut variables = vec![plain("CLONE_SCOPE", &clone.cluster)];
    match &clone.method {
        CloneMethod::BaseBackup => variables.extend(base_backup(blueprint, &clone.cluster)),
        CloneMethod::Archive(archive) => variables.extend(from_archive(blueprint, archive)),
    }
    variables.extend(cloud_identity(blueprint, "CLONE"));
    variables
}

/// The source's replication user is assumed to have the same name, and its secret to be in the same namespace.
fn base_backup(blueprint: Blueprint<'_>, source: &str) -> Vec<EnvVar> {
    let user = &blueprint.config.users.replication_username;
    vec![
        plain("CLONE_METHOD", "CLONE_WITH_BASEBACKUP"),
        plain("CLONE_HOST", source),
        plain("CLONE_PORT", &ports::POSTGRES.to_string()),
        plain("CLONE_USER", user),
        password_of("CLONE_PASSWORD", blueprint.names.secret_of(source, user)),
    ]
}

fn from_archive(blueprint: Blueprint<'_>, archive: &Archive) -> Vec<EnvVar> {
    let mut variables = location(blueprint, archive);
    variables.push(plain("CLONE_METHOD", "CLONE_WITH_WALE"));
    variables.push(plain("CLONE_TARGET_TIME", &archive.timestamp));
    variables.push(plain("CLONE_WAL_BUCKET_SCOPE_PREFIX", ""));
    if let Some(endpoint) = &archive.s3_endpoint {
        variables.push(plain("CLONE_AWS_ENDPOINT", endpoint));
        variables.push(plain("CLONE_WALE_S3_ENDPOINT", endpoint));
    }
    if let Some(id) = &archive.s3_access_key_id {
        variables.push(plain("CLONE_AWS_ACCESS_KEY_ID", id));
    }
    // In clear, as in the manifest: the image knows no other way.
    if let Some(key) = &archive.s3_secret_access_key {
        variables.push(plain("CLONE_AWS_SECRET_ACCESS_KEY", key.expose()));
    }
    if let Some(in_path) = archive.s3_force_path_style {
        variables.push(plain(
            "CLONE_AWS_S3_FORCE_PATH_STYLE",
            if in_path { "1" } else { "0" },
        ));
    }
    variables
}

/// The manifest's path, else the first store that the operator has.
fn location(blueprint: Blueprint<'_>, archive: &Archive) -> Vec<EnvVar> {
    if let Some(path) = &archive.s3_wal_path {
        return vec![plain("CLONE_WALE_S3_PREFIX", path)];
    }
    let cloud = &blueprint.config.aws_or_gcp;
    let mut variables = Vec::new();
    if let Some(bucket) = given(cloud.wal_s3_bucket.as_ref()) {
        variables.push(plain("CLONE_WAL_S3_BUCKET", bucket));
    } else if let Some(bucket) = given(cloud.wal_gs_bucket.as_ref()) {
        variables.push(plain("CLONE_WAL_GS_BUCKET", bucket));
        let credentials = given(cloud.gcp_credentials.as_ref());
        variables.extend(credentials.map(|path| plain("CLONE_GOOGLE_APPLICATION_CREDENTIALS", path)));
    } else if let Some(account) = given(cloud.wal_az_storage_account.as_ref()) {
        variables.push(plain("CLONE_AZURE_STORAGE_ACCOUNT", account));
    }
    let suffix = scope_suffix(archive.uid.as_deref().unwrap_or_default());
    variables.push(plain("CLONE_WAL_BUCKET_SCOPE_SUFFIX", &suffix));
    variables
}

fn standby_variables(blueprint: Blueprint<'_>, standby: &Standby) -> Vec<EnvVar> {
    let mut variables = Vec::new();
    if let Some(host) = &standby.host {
        variables.push(plain("STANDBY_HOST", &host.host));
        variables.extend(host.port.as_ref().map(|port| plain("STANDBY_PORT", port)));
        variables.extend(
            host.slot
                .as_ref()
                .map(|slot| plain("STANDBY_PRIMARY_SLOT_NAME", slot)),
        );
    }
    let archive = standby.archive.as_ref().map(|archive| match archive {
        StandbyArchive::S3(path) => plain("STANDBY_WALE_S3_PREFIX", path),
        StandbyArchive::Gs(path) => plain("STANDBY_WALE_GS_PREFIX", path),
    });
    if let Some(path) = archive {
        variables.push(path);
        variables.push(plain("STANDBY_METHOD", "STANDBY_WITH_WALE"));
        variables.push(plain("STANDBY_WAL_BUCKET_SCOPE_PREFIX", ""));
    }
    if !standby.by_variable {
        variables.extend(cloud_identity(blueprint, "STANDBY"));
    }
    variables
}

/// Credentials of the pod's own service account, for the store that is read from.
fn cloud_identity(blueprint: Blueprint<'_>, prefix: &str) -> Vec<EnvVar> {
    let Some(role) = given(blueprint.config.aws_or_gcp.irsa_role_arn.as_ref()) else {
        return Vec::new();
    };
    vec![
        plain(&format!("{prefix}_AWS_ROLE_ARN"), role),
        plain(&format!("{prefix}_AWS_WEB_IDENTITY_TOKEN_FILE"), AWS_TOKEN_PATH),
    ]
}
