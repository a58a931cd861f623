//! Talking SQL to a cluster's primary: short-lived connections, always TLS, a pinned session. Lives here: how to connect and send. Must
//! not: which statements (planner writes them as typed values), or when.

use std::net::IpAddr;
use std::time::Duration;

use pgherd_model::secret::Secret;

pub mod catalog;
pub mod connect;
pub mod statement;
mod tls;

pub use connect::{Session, open};

/// Where to find a primary, tried in this order: the service's name, as Zalando's operator does, then the address of the pod that carries
/// the primary's label. The second is for a controller outside of the cluster's DNS, for the minutes in which DNS is away, and for those
/// in which the service does not lead to the primary.
#[derive(Debug, Clone)]
pub struct Target {
    /// `<cluster>.<namespace>.svc.<cluster domain>`.
    pub service: String,
    /// The primary pod's address as last observed.
    pub primary: Option<IpAddr>,
    pub port: u16,
}

/// Who connects, and where to.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: String,
    pub password: Secret,
    pub database: String,
}

/// Connecting or sending failed.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    #[error("cannot find an address of {service}: {message}, and no primary pod is known")]
    NoAddress { service: String, message: String },
    #[error("cannot connect to postgres at {at}: {message}")]
    Unreachable { at: String, message: String },
    #[error("postgres at {at} did not let {user} into database {database}: {source}")]
    LoginRefused {
        at: String,
        user: String,
        database: String,
        source: tokio_postgres::Error,
    },
    #[error("postgres at {at} is not a primary: it is in recovery")]
    NotPrimary { at: String },
    #[error("postgres did not carry out `{statement}`: {source}")]
    Refused {
        /// Redacted: as the statement's `Display` prints it.
        statement: String,
        source: tokio_postgres::Error,
    },
    #[error("postgres did not answer within {}s while {what}", limit.as_secs())]
    TimedOut { what: &'static str, limit: Duration },
    #[error(transparent)]
    Unwritable(#[from] pgherd_planner::sql::RenderError),
    #[error("no root of trust for TLS: {0}")]
    Tls(#[from] rustls::Error),
}
