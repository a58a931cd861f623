//! The webhook over real TLS, in this process: what the API server would see.

#![allow(clippy::unwrap_used, reason = "these are tests, all of it")]

mod certificates;
mod connections;
mod harness;
mod impact;
mod related;
mod reviews;
mod room;
