//! Regular dumps (zalando-behaviour 3.9), as far as the manifest decides. Where they go is the operator's alone and not here.

use super::{
    reading::Reading,
    resources::{self, Resources},
};
use crate::config::BackupProvider;

/// Regular dumps of the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// When: a schedule as a `CronJob` takes it, as written.
    pub schedule: String,
    /// How long dumps are kept, in the words of GNU date; none keeps them, and only S3 heeds it.
    pub retention: Option<String>,
    /// Requests and limits of the job's container: the operator's for it, or else those of databases.
    pub resources: Resources,
}

/// None where no dumps are wanted.
pub(super) fn read(reading: &mut Reading<'_>) -> Option<Backup> {
    let (spec, config) = (reading.spec, &reading.config.logical_backup);
    if spec.enable_logical_backup != Some(true) {
        return None;
    }
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let retention =
        given(&spec.logical_backup_retention).or_else(|| given(&config.logical_backup_s3_retention_time));
    Some(Backup {
        schedule: given(&spec.logical_backup_schedule)
            .unwrap_or_else(|| config.logical_backup_schedule.clone()),
        retention: retention.filter(|_| config.logical_backup_provider == BackupProvider::S3),
        resources: resources::of_backup(reading),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cluster::tests::{config_of, parse_with};

    #[test]
    fn only_when_asked_for() {
        let spec = json!({"logicalBackupSchedule": "0 1 * * *"});
        assert_eq!(parse_with(spec, &config_of(&[])).backup, None);
    }

    #[test]
    fn what_is_absent_follows_the_operator() {
        let config = config_of(&[
            ("logical_backup_schedule", "5 5 * * *"),
            ("logical_backup_s3_retention_time", "3 months"),
            ("logical_backup_cpu_limit", "2"),
            ("default_cpu_limit", "1"),
            ("default_memory_limit", "1Gi"),
        ]);
        let backup = parse_with(json!({"enableLogicalBackup": true}), &config)
            .backup
            .unwrap();
        assert_eq!(
            (backup.schedule.as_str(), backup.retention.as_deref()),
            ("5 5 * * *", Some("3 months"))
        );
        let limits = backup.resources.to_kubernetes().limits.unwrap();
        assert_eq!(
            (limits["cpu"].0.as_str(), limits["memory"].0.as_str()),
            ("2", "1Gi")
        );
        let own = json!({"enableLogicalBackup": true, "logicalBackupSchedule": "1 1 1 1 1", "logicalBackupRetention": "1 week"});
        let backup = parse_with(own, &config).backup.unwrap();
        assert_eq!(
            (backup.schedule.as_str(), backup.retention.as_deref()),
            ("1 1 1 1 1", Some("1 week"))
        );
    }

    #[test]
    fn retention_is_for_s3() {
        let config = config_of(&[("logical_backup_provider", "gcs")]);
        let own = json!({"enableLogicalBackup": true, "logicalBackupRetention": "1 week"});
        assert_eq!(parse_with(own, &config).backup.unwrap().retention, None);
    }
}
