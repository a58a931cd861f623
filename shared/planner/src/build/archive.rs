//! Variables of the write-ahead log's archive and of shipped log files (zalando-behaviour 3.4, group 7).

use k8s_openapi::api::core::v1::EnvVar;

use super::Blueprint;
use super::variable::plain;

/// The uid of the `postgresql` object is part of every path, so that a cluster that is made anew does not write into the old one's archive.
pub(super) fn variables(blueprint: Blueprint<'_>) -> Vec<EnvVar> {
    let cloud = &blueprint.config.aws_or_gcp;
    let suffix = scope_suffix(&blueprint.cluster.identity.uid);
    let mut variables = Vec::new();
    for (name, value) in [
        ("WAL_S3_BUCKET", &cloud.wal_s3_bucket),
        ("WAL_GS_BUCKET", &cloud.wal_gs_bucket),
        ("AZURE_STORAGE_ACCOUNT", &cloud.wal_az_storage_account),
    ] {
        if let Some(value) = given(value.as_ref()) {
            variables.push(plain(name, value));
            variables.push(plain("WAL_BUCKET_SCOPE_SUFFIX", &suffix));
            variables.push(plain("WAL_BUCKET_SCOPE_PREFIX", ""));
        }
    }
    if let Some(path) = given(cloud.gcp_credentials.as_ref()) {
        variables.push(plain("GOOGLE_APPLICATION_CREDENTIALS", path));
    }
    if let Some(bucket) = given(cloud.log_s3_bucket.as_ref()) {
        variables.push(plain("LOG_S3_BUCKET", bucket));
        variables.push(plain("LOG_BUCKET_SCOPE_SUFFIX", &suffix));
        variables.push(plain("LOG_BUCKET_SCOPE_PREFIX", ""));
    }
    variables
}

/// Part of a path that tells clusters of one name apart; empty without a uid.
pub(super) fn scope_suffix(uid: &str) -> String {
    if uid.is_empty() {
        String::new()
    } else {
        format!("/{uid}")
    }
}

/// An empty text means the same as none.
pub(super) fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}
