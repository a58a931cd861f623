//! Regular dumps.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::super::{Hit, Subject};
use crate::{config::BackupProvider, units::Schedule};

static RETENTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\d+ +(second|minute|hour|day|week|fortnight|month|year)s?( +ago)?$")
        .expect("the pattern is a constant, which a test compiles")
});

pub(in super::super) fn schedule_is_plain(subject: &Subject<'_>) -> Vec<Hit> {
    let text = subject.spec.logical_backup_schedule.as_deref();
    let error = text
        .filter(|text| !text.is_empty())
        .and_then(|text| Schedule::parse(text).err());
    error
        .map(|error| {
            let message = format!("{error}; no names, lists or ranges, as in 30 00 * * *");
            Hit::new("spec.logicalBackupSchedule", message)
        })
        .into_iter()
        .collect()
}

/// What would be dumped to nowhere, and settings that nobody reads.
pub(in super::super) fn dumps_go_somewhere(subject: &Subject<'_>) -> Vec<Hit> {
    let (spec, config) = (&subject.spec, &subject.config.logical_backup);
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if spec.enable_logical_backup != Some(true) {
        let settings = [
            ("logicalBackupSchedule", given(&spec.logical_backup_schedule)),
            ("logicalBackupRetention", given(&spec.logical_backup_retention)),
        ];
        let unused = settings.into_iter().filter(|(_, given)| *given);
        return unused
            .map(|(field, _)| {
                Hit::new(
                    format!("spec.{field}"),
                    "is not used: enableLogicalBackup is not true",
                )
            })
            .collect();
    }
    let mut hits = retention(subject);
    let has_place = match config.logical_backup_provider {
        BackupProvider::S3 | BackupProvider::Gcs => given(&config.logical_backup_s3_bucket),
        BackupProvider::Az => {
            given(&config.logical_backup_azure_storage_account_name)
                && given(&config.logical_backup_azure_storage_container)
        }
    };
    // The secret's entries may name the place.
    if !has_place && !given(&config.logical_backup_cronjob_environment_secret) {
        let message =
            "the operator names no place for dumps (logical_backup_s3_bucket and its like): they fail";
        hits.push(Hit::new("spec.enableLogicalBackup", message));
    }
    hits
}

fn retention(subject: &Subject<'_>) -> Vec<Hit> {
    let text = subject.spec.logical_backup_retention.as_deref();
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Vec::new();
    };
    let provider = subject.config.logical_backup.logical_backup_provider;
    let message = if provider != BackupProvider::S3 {
        format!("is ignored: dumps go to {provider}, and only those in s3 are ever deleted")
    } else if !RETENTION.is_match(text) {
        format!("{text:?} may not be understood; write it like \"2 weeks\" or \"3 months\"")
    } else {
        return Vec::new();
    };
    vec![Hit::new("spec.logicalBackupRetention", message)]
}
