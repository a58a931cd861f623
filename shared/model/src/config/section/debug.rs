//! Parameters of the group `debug`.  // table

section! {
    /// Logging, and work without databases.
    Debugging as debug {
        /// Log in more detail.
        debug_logging: bool = "true" => Operator;
        /// Connect to the databases to manage roles, databases and extensions. False is for debugging only.
        enable_database_access: bool = "true" => Roles;
    }
}
