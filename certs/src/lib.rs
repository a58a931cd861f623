//! The webhook's certificates: an own authority in one Secret, a leaf per replica in memory, and the API server's trust in both.
//!
//! ```text
//! Secret (active, next, old) ─► bundle ─┐
//! webhook configurations ─► inject ─────┼─► rotation: what to change, as a pure function of both and the time
//!                                       │
//!            keep: read configurations, read Secret, decide, write one thing ─┬─► Secret (replaced by version)
//!                                                                             ├─► caBundle (applied by version)
//!                                                                             └─► leaf ─► serving (rustls resolver)
//! ```
//!
//! Who has certificates from elsewhere names files instead: `files` reads and checks them, `follow` serves what is new as soon as the API
//! server trusts it. `expiry` closes readiness when what is served has run out, wherever it came from.
//!
//! The law: what the API server trusts verifies every leaf that is being served, also while replicas are slow, stale or dead. It holds
//! because a replica reads a configuration *before* it reads the Secret, and writes the configuration only in the version that it read:
//! nobody can take away trust that somebody else has just built upon.

pub mod authority;
pub mod bundle;
pub mod expiry;
pub mod files;
pub mod follow;
pub mod inject;
pub mod keep;
pub mod leaf;
pub mod metrics;
mod news;
pub mod policy;
pub mod rotation;
pub mod serving;
pub mod store;
mod watched;
#[cfg(test)]
mod world;
