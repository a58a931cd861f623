//! What every process of pgherd needs around its work: arguments, logs, an admin port, an orderly end.
//!
//! ```text
//! args ─► log, client ─► tasks (join all; one that ends, ends the process)
//!                          │  ├─ admin: /livez /readyz (readiness' gates) /metrics, by http (bounded)
//!                          │  ├─ config_watch: last good operator configuration, as a watch
//!                          │  └─ lease: leadership, as a watch
//!                          ▼
//!                       shutdown: signal ─► work drains ─► companions (admin, lease) end
//! ```
//!
//! Nothing here knows what a Postgres cluster is.

pub mod admin;
pub mod args;
pub mod client;
pub mod config_source;
pub mod config_watch;
pub mod http;
pub mod lease;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod readiness;
pub mod shutdown;
pub mod tasks;
