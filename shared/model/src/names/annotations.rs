//! Annotations with a fixed name, and the finalizer (zalando-behaviour 1.1, appendix F). Those with a configurable name are in the
//! operator's configuration.

/// Finalizer on a `postgresql`: its objects are removed before it goes.
pub const FINALIZER: &str = "postgres-operator.acid.zalan.do";

/// On a `postgresql`: the id of the operator that manages it; absent for the operator without id.
pub const CONTROLLER: &str = "acid.zalan.do/controller";
/// On a pod: it must be recreated. Read and written so that a roll can be handed over between operators.
pub const ROLLING_UPDATE_REQUIRED: &str = "zalando-postgres-operator-rolling-update-required";

/// On pods: role for kube2iam.
pub const AWS_ROLE: &str = "iam.amazonaws.com/role";
/// On the pods' service account: role for IRSA.
pub const AWS_ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
/// On load balancer services: the names for external-dns.
pub const EXTERNAL_DNS_HOSTNAME: &str = "external-dns.alpha.kubernetes.io/hostname";

/// On a `postgresql`: `live`, `observe` or `paused`.
pub const MODE: &str = "pgherd.io/mode";
/// On a pod: the mark [`ROLLING_UPDATE_REQUIRED`] is ours, and goes when nothing is to be rolled any more.
pub const ROLL_MARKED: &str = "pgherd.io/roll-marked";
/// On a pod, beside the mark [`ROLLING_UPDATE_REQUIRED`]: the role that has another password since it started. Ours, and only a new pod does
/// without it.
pub const PASSWORD_CHANGED: &str = "pgherd.io/password-changed";
/// On a `postgresql`: with `true`, it is among the first to roll when the operator's configuration rolls many.
pub const CANARY: &str = "pgherd.io/canary";
/// On a `postgresql`: every new value makes the operator look at everything of the cluster anew, at once.
pub const SYNC: &str = "pgherd.io/sync";
/// On a secret in another namespace than its cluster's: that cluster, as `namespace/name`.
pub const SECRET_OF: &str = "pgherd.io/cluster";
/// On a secret beside its cluster, where others may be sent there: that cluster, as `namespace/name`. True in that namespace only: whoever
/// copies a secret may copy this with it.
pub const SECRET_HOME: &str = "pgherd.io/home";
/// On a StatefulSet: the deletion of its cluster was allowed and has begun. Identity of the deleted object, time, and the id of the operator
/// that began it, if it has one; with blanks between them. The StatefulSet goes last, so that whoever finds it can finish.
pub const DELETION: &str = "pgherd.io/deletion";
