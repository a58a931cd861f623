//! Turns accepted manifests into running Patroni clusters: the shell that reads, writes and reports. No policy lives here; what should be
//! is said by `pgherd_model` and `pgherd_planner`.
//!
//! ```text
//! run ─► watch ─► cache ─► queue ─► dispatch ─► reconcile, one turn of one cluster:
//!
//!        manifest ─► observe ─► (planner: build, plan) ─► admit ─► execute ─► (planner: assess) ─► report
//!                      │ cache, patroni, sql                          │ API server, patroni, sql     └ status, events, metrics
//! ```
//!
//! `survey` takes the same way once, without watches and without executing, for the command line.
//!
//! To read it, begin with `reconcile`. What the stages of a turn share, and what imports none of them: `context`, `cache`, `memory`, `queue`,
//! `kinds`, `events`, `metrics`, `error`, `answer`, `password`, `cluster_ref`, `fleet`, `activity`, `teams`, `whole`.

pub mod activity;
pub mod admit;
pub mod answer;
pub mod args;
pub mod cache;
pub mod cluster_ref;
pub mod configuration;
pub mod context;
pub mod credentials;
pub mod database;
pub mod departure;
pub mod dispatch;
pub mod error;
pub mod events;
pub mod execute;
pub mod fleet;
pub mod kinds;
pub mod manifest;
pub mod memory;
pub mod metrics;
pub mod observe;
pub mod password;
pub mod patroni;
pub mod queue;
pub mod reconcile;
pub mod register;
pub mod report;
pub mod rest;
pub mod run;
pub mod sql;
pub mod survey;
pub mod sweep;
pub mod teams;
#[cfg(test)]
mod testing;
pub mod watch;
pub mod whole;
