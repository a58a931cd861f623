//! Parameters of the group `patroni`.  // table

section! {
    /// Defaults for Patroni.
    Patroni as patroni {
        /// A primary that cannot reach Patroni's store stays primary while it reaches all other members, unless
        /// the manifest decides.
        enable_patroni_failsafe_mode: bool = "false" => Pods;
    }
}
