//! The planner from outside: its objects beside those of Zalando's operator, and the laws of its plans.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod accepted;
mod built;
mod deletion;
mod fleet;
mod gate;
mod impact;
mod laws;
mod newer;
mod passwords;
mod provisioning;
mod recorded;
mod refused;
mod rolling;
mod simulation;
mod steady;
mod swift;
mod updates;
mod uprooted;
mod world;
mod worn;
