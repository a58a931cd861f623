//! Names and keys of the secrets with credentials (zalando-behaviour 3.7).

use super::Names;

/// Key of the role's name.
pub const USERNAME: &str = "username";
/// Key of the password.
pub const PASSWORD: &str = "password";
/// Key of the time of the next rotation, RFC 3339 in UTC.
pub const NEXT_ROTATION: &str = "nextRotation";
/// Key of the password before this one, where it is needed to set this one.
pub const PREVIOUS_PASSWORD: &str = "previousPassword";

/// What `{tprkind}` and `{tprgroup}` stand for: words from before custom resources.
const KIND: &str = "postgresql";

impl Names {
    /// The secret of a role. Underscores become dashes, so that two roles can end up with one secret name: see
    /// [`crate::validate`].
    pub fn secret(&self, role: &str) -> String {
        self.secret_of(&self.cluster, role)
    }

    /// The secret of a role of another cluster of this operator: that of the source of a clone.
    pub fn secret_of(&self, cluster: &str, role: &str) -> String {
        self.secret.fill(&[
            ("username", &role.replace('_', "-")),
            ("cluster", cluster),
            ("tprkind", KIND),
            ("tprgroup", crate::api::GROUP),
        ])
    }
}

/// The namespace that a role's name asks for: `namespace.role` where secrets in other namespaces are allowed. The role keeps its whole name.
pub fn namespace_of(role: &str) -> Option<&str> {
    role.split_once('.').map(|(namespace, _)| namespace)
}
