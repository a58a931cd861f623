//! Parameters of the group `provisioning`: ours, beside Zalando's.  // table

use crate::config::NamespacedName;
use crate::config::choice::TlsVerification;

section! {
    /// What the operator does for roles and databases beyond Zalando's, which ignores this group.
    Provisioning as provisioning {
        /// Also write host, port, dbname, uri and jdbc-uri into the secrets of roles, beside username and password.
        enable_connection_keys_in_secrets: bool = "false" => Roles;
        /// Update extensions of prepared databases to the version that the image brings.
        enable_extension_updates: bool = "false" => Roles;
        /// How certificates of databases are verified when the operator connects: not, that an authority of database_tls_ca_secret_name
        /// signed them, or also that they are made out to the primary's service.
        database_tls_verification: TlsVerification = "require" => Operator;
        /// Secret with the authorities under ca.crt, for database_tls_verification.
        database_tls_ca_secret_name: Option<NamespacedName> = "" => Operator;
    }
}
