//! Talking SQL to a cluster's primary: short-lived connections, always TLS, a pinned session. Lives here: how to connect and send. Must
//! not: which statements (planner writes them as typed values), or when. Needs no Kubernetes: who has a [`Server`] can use all of it.

use std::net::IpAddr;
use std::time::Duration;

use pgherd_model::secret::Secret;
use tokio_postgres::error::SqlState;

pub mod catalog;
pub mod connect;
mod lock;
mod refusal;
pub mod statement;
mod tls;

pub use connect::Session;
pub use refusal::Refusal;
pub use statement::Failure;
pub use tls::Trust;

/// A server, and who provisions it. [`Server::open`] gives a session in one of its databases.
#[derive(Debug, Clone)]
pub struct Server {
    pub target: Target,
    /// The superuser.
    pub user: String,
    pub password: Secret,
    /// Tried when the server does not take the password: it is being changed.
    pub previous: Option<Secret>,
    /// Whose certificates are accepted.
    pub trust: Trust,
}

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

/// Connecting or sending failed.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    #[error("cannot find an address of {service}: {message}, and no primary pod is known")]
    NoAddress { service: String, message: String },
    #[error("cannot connect to postgres at {at}: {message}")]
    Unreachable { at: String, message: String },
    #[error(
        "postgres at {at} did not let {user} into database {database}: {refusal}{}",
        remedy(refusal)
    )]
    LoginRefused {
        at: String,
        user: String,
        database: String,
        refusal: Refusal,
    },
    #[error("postgres at {at} is not a primary: it is in recovery")]
    NotPrimary { at: String },
    #[error(
        "who logs in to database {database} as {user} becomes {became}; look for settings of the database and of the role"
    )]
    Disguised {
        database: String,
        user: String,
        became: String,
    },
    #[error("somebody else provisions database {database}: {holder} holds the operator's lock")]
    Locked { database: String, holder: String },
    #[error("postgres did not carry out `{statement}`: {refusal}")]
    Refused {
        /// Redacted: as the statement's `Display` prints it.
        statement: String,
        refusal: Refusal,
    },
    #[error("not tried: {missing} failed")]
    Lacking { missing: String },
    #[error("left to the next turn: this one has been busy with the database for long enough")]
    PutOff,
    #[error("postgres did not answer within {}s while {what}", limit.as_secs())]
    TimedOut { what: &'static str, limit: Duration },
    #[error("the catalog of database {database} is not what was asked for: {message}")]
    Unreadable { database: String, message: String },
    #[error(transparent)]
    Unwritable(#[from] pgherd_planner::sql::RenderError),
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

/// What to do about a password that is not the server's. Whatever we could do by ourselves has been tried.
fn remedy(refusal: &Refusal) -> &'static str {
    if refusal.code() == Some(&SqlState::INVALID_PASSWORD) {
        "; its secret does not hold the password that the server has: write that one into the secret, or give the server the secret's, \
         by psql inside of the primary's pod"
    } else {
        ""
    }
}

impl SqlError {
    /// The server did not let us in, for this reason.
    fn is_refused_for(&self, reason: &tokio_postgres::error::SqlState) -> bool {
        matches!(self, Self::LoginRefused { refusal, .. } if refusal.code() == Some(reason))
    }

    /// Nothing more can be sent on this connection.
    fn ends_session(&self) -> bool {
        match self {
            Self::Refused { refusal, .. } => refusal.ends_session(),
            Self::Unwritable(_) | Self::Lacking { .. } | Self::PutOff => false,
            _ => true,
        }
    }
}
