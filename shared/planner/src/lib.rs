//! What to do: desired objects, differences, plan, status and SQL, all as values. Pure: values in, values out; no client, clock or
//! randomness.
//!
//! ```text
//! model::Cluster ─► build ─► Desired ─┐
//!                    controller's Observed ─┴─► plan (with diff, sql) ─► Plan ─► controller executes
//!                                                                        └─► assess ─► status
//! the same, and the plan ─► adopt ─► may a cluster of another operator be taken over
//! old and new manifest ─► impact (build, a settled world, plan) ─► what an edit will do
//! ```

pub mod adopt;
pub mod assess;
pub mod build;
mod diff;
pub mod fleet;
pub mod impact;
pub mod observed;
pub mod plan;
pub mod redact;
pub mod sql;
