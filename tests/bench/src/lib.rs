//! `cargo bench-webhook`: what a review costs, beside what it would cost others. Flow:
//!
//! [`review`] makes the bytes that an API server sends, [`certificate`] what all servers show, [`server`] builds, starts and ends them
//! ([`stand_in`] is the API server that ours wants to see), [`load`] sends over kept connections, [`usage`] reads what the kernel counted,
//! [`run`] goes through the rounds, [`figures`] compares.
//!
//! `cargo bench-roles`: roles and databases of a large cluster: [`roles`].
//!
//! `cargo bench-scale`: the controller with many clusters: [`scale`].
//!
//! How to read the result: docs/benchmarks.md.

pub mod certificate;
pub mod figures;
pub mod load;
pub mod review;
pub mod roles;
pub mod run;
pub mod scale;
pub mod server;
pub mod stand_in;
pub mod usage;
