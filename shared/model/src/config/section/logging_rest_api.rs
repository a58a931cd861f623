//! Parameters of the group `logging_rest_api`.  // table

section! {
    /// The operator's own HTTP interface and the logs it keeps for it.
    LoggingRestApi as logging_rest_api {
        /// Port of the HTTP interface.
        api_port: u16 = "8080" => Operator [min(1), max(65535), zero_is_unset()];
        /// Log lines kept per cluster.
        ring_log_lines: u32 = "100" => Operator [zero_is_unset()];
        /// Changes kept per cluster.
        cluster_history_entries: u32 = "1000" => Operator [zero_is_unset()];
    }
}
