//! What the API means: wire types, operator configuration, defaults, validation, the normalized cluster. Pure: values in, values out; no
//! client, clock or randomness.
//!
//! ```text
//! raw JSON ─► api (wire types) ─► default ─► validate ─► cluster (what it means) ─► planner
//!             config (operator's parameters) ──┴────────────┘      names · units · secret
//! api + config ─► crd (what the API server is told)
//! ```

pub mod api;
pub mod cluster;
pub mod config;
pub mod crd;
pub mod default;
pub mod finding;
pub mod manifest;
pub mod names;
pub mod postgres_parameters;
pub mod secret;
pub mod source;
pub mod units;
pub mod validate;
