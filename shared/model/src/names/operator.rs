//! Names of pgherd's own objects: what `deploy/` installs and the two programs look for.

/// Field manager of server-side apply.
pub const FIELD_MANAGER: &str = "pgherd";
/// Namespace of the default installation.
pub const NAMESPACE: &str = "pgherd";
/// Deployment and service account of the controller.
pub const CONTROLLER: &str = "pgherd-controller";
/// Lease that the leading controller holds.
pub const CONTROLLER_LEASE: &str = "pgherd-controller";
/// Deployment, service account and service of the webhook.
pub const WEBHOOK: &str = "pgherd-webhook";
/// The mutating and the validating webhook configuration.
pub const WEBHOOK_CONFIGURATION: &str = "pgherd";
/// Secret with the certificate authorities of the webhook.
pub const WEBHOOK_CA: &str = "pgherd-webhook-ca";
/// The operator configuration object of the default installation.
pub const CONFIGURATION: &str = "pgherd";
