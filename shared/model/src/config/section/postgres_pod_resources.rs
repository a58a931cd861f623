//! Parameters of the group `postgres_pod_resources`.  // table

use crate::units::Quantity;

section! {
    /// Resources of the Postgres container where the manifest is silent, and limits on what it may say. Empty,
    /// `0` and `null` mean none.
    PostgresPodResources as postgres_pod_resources {
        /// CPU request where the manifest has none.
        default_cpu_request: Option<Quantity> = "" => Pods [cpu()];
        /// Memory request where the manifest has none.
        default_memory_request: Option<Quantity> = "" => Pods [memory()];
        /// CPU limit where the manifest has none.
        default_cpu_limit: Option<Quantity> = "" => Pods [cpu()];
        /// Memory limit where the manifest has none.
        default_memory_limit: Option<Quantity> = "" => Pods [memory()];
        /// CPU limits below this are raised to it.
        min_cpu_limit: Option<Quantity> = "" => Pods [cpu()];
        /// Memory limits below this are raised to it.
        min_memory_limit: Option<Quantity> = "" => Pods [memory()];
        /// CPU requests above this are cut to it.
        max_cpu_request: Option<Quantity> = "" => Pods [cpu()];
        /// Memory requests above this are cut to it.
        max_memory_request: Option<Quantity> = "" => Pods [memory()];
    }
}
