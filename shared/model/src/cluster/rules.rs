//! What a parse can say: the rules whose violation makes a cluster impossible to build, and the reasons of findings. Their words, examples
//! and history are in the catalogue of `validate`; here are only the names, so that both sides mean the same.

/// A value has another type than its field.
pub const TYPE: &str = "PGV-001";
/// The name cannot be that of its services and labels.
pub const NAME: &str = "PGV-002";
/// The number of instances is negative.
pub const INSTANCES: &str = "PGV-006";
/// The version is not a major version.
pub const VERSION: &str = "PGV-008";
/// The volume's size is missing, not a quantity, or not positive.
pub const VOLUME_SIZE: &str = "PGV-012";
/// An additional volume has no name, no path, or a source that Kubernetes does not know.
pub const ADDITIONAL_VOLUME: &str = "PGV-016";
/// A request or limit is not a quantity.
pub const QUANTITY: &str = "PGV-019";
/// A role's name is outside of what is allowed.
pub const USER_NAME: &str = "PGV-022";
/// A role's flags are unknown or contradict each other.
pub const USER_FLAGS: &str = "PGV-023";
/// A maintenance window cannot be read.
pub const WINDOW: &str = "PGV-031";
/// A sidecar or init container cannot be started.
pub const CONTAINER: &str = "PGV-032";
/// `clone` and `standby` are both there.
pub const TWO_ORIGINS: &str = "PGV-036";
/// The source of a clone cannot be the name of a cluster.
pub const CLONE_SOURCE: &str = "PGV-037";
/// A standby names nothing to follow.
pub const STANDBY_SOURCE: &str = "PGV-039";

/// Reasons of findings: one word each, fit for an event.
pub mod reason {
    /// The operator's limits changed the number of instances.
    pub const INSTANCE_LIMITS: &str = "InstanceLimits";
    /// The operator's limits changed requests or limits; upstream's word for its event.
    pub const RESOURCE_LIMITS: &str = "ResourceLimits";
    /// A volume is left out because its path is taken, or a mount because there is no such volume.
    pub const VOLUME_SKIPPED: &str = "VolumeSkipped";
    /// A role is left out because its name is taken.
    pub const USER_SKIPPED: &str = "UserSkipped";
    /// Two definitions of one role differ.
    pub const ROLE_TWICE: &str = "RoleTwice";
    /// A container is left out because its name is taken.
    pub const CONTAINER_SKIPPED: &str = "ContainerSkipped";
    /// A variable is left out because the operator sets it.
    pub const VARIABLE_SKIPPED: &str = "VariableSkipped";
    /// A field of version 1 was used.
    pub const OLD_FIELD: &str = "OldField";
}
