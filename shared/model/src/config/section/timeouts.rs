//! Parameters of the group `timeouts`.  // table

use std::time::Duration;

section! {
    /// How often to look and how long to wait.
    Timeouts as timeouts {
        /// How often an object that is being made or deleted is looked at.
        resource_check_interval: Duration = "3s" => Operator;
        /// How long to wait for it.
        resource_check_timeout: Duration = "10m" => Operator;
        /// How long a new or promoted pod may take to get its role label.
        pod_label_wait_timeout: Duration = "10m" => Operator;
        /// How long a deleted pod may take to go.
        pod_deletion_wait_timeout: Duration = "10m" => Operator;
        /// How often a CRD that was registered is looked at.
        ready_wait_interval: Duration = "4s" => Operator;
        /// How long to wait for it.
        ready_wait_timeout: Duration = "30s" => Operator;
        /// How often a call to Patroni that failed is tried again.
        patroni_api_check_interval: Duration = "1s" => Operator;
        /// How long it is tried.
        patroni_api_check_timeout: Duration = "5s" => Operator;
    }
}
