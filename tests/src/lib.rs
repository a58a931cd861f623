//! The harness of pgherd's tests and demo. Flow:
//!
//! [`packages`] asks for what the machine lacks, [`cache`] keeps what is dear to build, [`localkube`] runs a real
//! Kubernetes from it, [`simulated`] stands in for its pods where only the control plane
//! counts. [`shell`] runs programs and [`progress`] tells the person who waits.
//!
//! Nothing here is part of what is deployed to a cluster.

pub mod built;
pub mod cache;
pub mod controller;
pub mod demo;
pub mod generated;
pub mod images;
pub mod install;
pub mod kubectl;
pub mod local;
pub mod localkube;
pub mod packages;
pub mod postgres;
pub mod progress;
pub mod psql;
pub mod shell;
pub mod simulated;
