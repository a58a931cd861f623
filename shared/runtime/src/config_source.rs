//! Which object holds the operator's configuration. A leaf, for who names it (`args`) and who follows it (`config_watch`).

/// Where the configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// Nowhere: compiled defaults.
    Defaults,
    /// A ConfigMap.
    ConfigMap {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// An OperatorConfiguration.
    OperatorConfiguration {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}
