//! Parameters of the group `aws_or_gcp`.  // table

section! {
    /// Cloud storage for WAL and base backups, and cloud identities.
    AwsOrGcp as aws_or_gcp {
        /// S3 bucket for WAL and base backups.
        wal_s3_bucket: Option<String> = "" => Pods;
        /// Google storage bucket for WAL and base backups.
        wal_gs_bucket: Option<String> = "" => Pods;
        /// Azure storage account for WAL and base backups.
        wal_az_storage_account: Option<String> = "" => Pods;
        /// Path of the Google credentials file in the database pods.
        gcp_credentials: Option<String> = "" => Pods;
        /// AWS region of the volumes that are resized through the EBS interface.
        aws_region: Option<String> = "eu-central-1" => Pods [fallback("")];
        /// S3 bucket for the daily Postgres logs.
        log_s3_bucket: Option<String> = "" => Pods;
        /// AWS IAM role of the pods, given by annotation to kube2iam and its like.
        kube_iam_role: Option<String> = "" => Pods | Backup;
        /// AWS IAM role of the pods' service account.
        irsa_role_arn: Option<String> = "" => Objects;
        /// Secret that is mounted into database pods.
        additional_secret_mount: Option<String> = "" => Pods;
        /// Where it is mounted.
        additional_secret_mount_path: Option<String> = "" => Pods;
    }
}
