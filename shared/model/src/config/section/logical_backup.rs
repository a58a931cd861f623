//! Parameters of the group `logical_backup`.  // table

use crate::config::choice::BackupProvider;
use crate::secret::Secret;
use crate::units::Quantity;

section! {
    /// Dumps made by a CronJob.
    LogicalBackup as logical_backup {
        /// When dumps are made, unless the manifest says. Five fields, each a number or `*`, optionally with a
        /// step.
        logical_backup_schedule: String = "30 00 * * *" => Backup [schedule()];
        /// Image that makes the dump.
        logical_backup_docker_image: String = "ghcr.io/zalando/postgres-operator/logical-backup:v2.0.1" => Backup;
        /// Kind of storage that takes the dump.
        logical_backup_provider: BackupProvider = "s3" => Backup;
        /// Azure storage account.
        logical_backup_azure_storage_account_name: Option<String> = "" => Backup;
        /// Azure storage container.
        logical_backup_azure_storage_container: Option<String> = "" => Backup;
        /// Key of the Azure storage account. It ends up in the CronJob's environment: the environment secret is
        /// the better place.
        logical_backup_azure_storage_account_key: Option<Secret> = "" => Backup [secret()];
        /// Bucket for the dumps, whatever the provider.
        logical_backup_s3_bucket: Option<String> = "" => Backup;
        /// Path in the bucket.
        logical_backup_s3_bucket_prefix: String = "spilo" => Backup [not_in_schema()];
        /// Region of the bucket.
        logical_backup_s3_region: Option<String> = "" => Backup;
        /// Address of the storage, where it is not AWS.
        logical_backup_s3_endpoint: Option<String> = "" => Backup;
        /// Access key id. It ends up in the CronJob's environment: the environment secret is the better place.
        logical_backup_s3_access_key_id: Option<Secret> = "" => Backup [secret()];
        /// Secret access key. It ends up in the CronJob's environment: the environment secret is the better place.
        logical_backup_s3_secret_access_key: Option<Secret> = "" => Backup [secret()];
        /// Server-side encryption, such as AES256.
        logical_backup_s3_sse: Option<String> = "" => Backup;
        /// How long dumps are kept in S3, as GNU date understands it (`3 months`); the manifest wins.
        logical_backup_s3_retention_time: Option<String> = "" => Backup;
        /// Path of the Google credentials file in the job's pod.
        logical_backup_google_application_credentials: Option<String> = "" => Backup;
        /// Start of the CronJob's name.
        logical_backup_job_prefix: String = "logical-backup-" => Backup;
        /// Secret whose entries become environment variables of the job.
        logical_backup_cronjob_environment_secret: Option<String> = "" => Backup;
        /// CPU request of the job; otherwise that of the Postgres container.
        logical_backup_cpu_request: Option<Quantity> = "" => Backup [cpu()];
        /// Memory request of the job; otherwise that of the Postgres container.
        logical_backup_memory_request: Option<Quantity> = "" => Backup [memory()];
        /// CPU limit of the job; otherwise that of the Postgres container.
        logical_backup_cpu_limit: Option<Quantity> = "" => Backup [cpu()];
        /// Memory limit of the job; otherwise that of the Postgres container.
        logical_backup_memory_limit: Option<Quantity> = "" => Backup [memory()];
        /// How many jobs that succeeded are kept.
        logical_backup_successful_jobs_history_limit: i32 = "3" => Backup [min(0)];
        /// How many jobs that failed are kept.
        logical_backup_failed_jobs_history_limit: i32 = "3" => Backup [min(0)];
        /// Seconds after which a job that ended is deleted.
        logical_backup_ttl_seconds_after_finished: Option<i32> = "86400" => Backup [fallback(""), min(0)];
    }
}
