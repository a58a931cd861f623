//! Turns accepted manifests into running Patroni clusters: the shell that reads, writes and reports. No policy lives here; what should be
//! is said by `pgherd_model` and `pgherd_planner`.

pub mod cluster_ref;
pub mod password;
pub mod patroni;
pub mod queue;
pub mod sql;
