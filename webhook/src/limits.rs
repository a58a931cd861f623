//! How much and how long: the bounds that keep one client from harming the others.

use std::time::Duration;

use clap::Args;
use pgherd_runtime::args::duration;

/// The largest review: two objects of the API server's own limit (3 MiB), and their envelope.
pub const BODY_LIMIT: usize = 8 << 20;

/// The bounds of the server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Reviews answered at the same time; more wait a moment, and are then refused.
    #[arg(long, default_value = "64", value_name = "NUMBER")]
    pub max_reviews: usize,

    /// Memory for bodies that have come in, all together, in bytes; more wait as reviews do.
    #[arg(long, default_value = "33554432", value_name = "BYTES")]
    pub max_body_memory: usize,

    /// Memory for objects that are being reviewed, all together, in bytes, reckoned from the length of their text; more wait as reviews do.
    #[arg(long, default_value = "134217728", value_name = "BYTES")]
    pub max_object_memory: usize,

    /// Connections held at the same time; more wait.
    #[arg(long, default_value = "1024", value_name = "NUMBER")]
    pub max_connections: usize,

    /// How long a review may wait for room and for its turn.
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    pub queue_timeout: Duration,

    /// How long a TLS handshake may take.
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "TIME")]
    pub handshake_timeout: Duration,

    /// How long a request's header may take from its first byte, and its body from then on.
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "TIME")]
    pub read_timeout: Duration,

    /// How long a connection may lie idle. Longer than the API server keeps idle ones (90s), so that it is never closed under a new request.
    #[arg(long, default_value = "150s", value_parser = duration, value_name = "TIME")]
    pub idle_timeout: Duration,

    /// After this age a connection is closed with its next answer, so that load spreads over new replicas.
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "TIME")]
    pub connection_age: Duration,

    /// How long the API server may take to tell what a review needs beside its object; the review is made without it then.
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    pub lookup_timeout: Duration,

    /// How long requests are still accepted after SIGTERM, while others learn that this replica goes.
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "TIME")]
    pub shutdown_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_reviews: 64,
            max_body_memory: 32 << 20,
            max_object_memory: 128 << 20,
            max_connections: 1024,
            queue_timeout: Duration::from_secs(1),
            handshake_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(150),
            connection_age: Duration::from_mins(10),
            lookup_timeout: Duration::from_secs(1),
            shutdown_delay: Duration::from_secs(10),
        }
    }
}
