//! One short-lived connection. Lives here: finding the primary, TLS, log-in, the pinned session, and its end. Must not: statements.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config};

use super::{Login, SqlError, Target, tls};

/// A resolver that does not answer in this time is treated as one that says no.
const RESOLVE_LIMIT: Duration = Duration::from_secs(2);
const TCP_LIMIT: Duration = Duration::from_secs(3);
/// TLS, authentication and start of a backend; a primary under load takes a while.
const LOGIN_LIMIT: Duration = Duration::from_secs(10);
/// What the client waits for any one statement: more than the server's own limit, so that the server's error comes first.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(40);

/// The task that drives a connection ends with its client; this is for a server that no longer reads.
const SESSION_LIMIT: Duration = Duration::from_mins(10);

/// The session's settings, pinned by the start-up packet so that neither database nor role settings change what our statements mean:
/// - names resolve only to the system's own objects;
/// - nothing waits for ever, for a lock least of all;
/// - a missing synchronous standby does not block provisioning;
/// - verifiers of passwords do not reach the server's log.
const SESSION: &str = "-c search_path=pg_catalog -c statement_timeout=30s -c lock_timeout=5s \
    -c idle_in_transaction_session_timeout=30s -c synchronous_commit=local -c client_min_messages=warning \
    -c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic \
    -c default_transaction_read_only=off";
const APPLICATION: &str = "pgherd";

/// An open connection to a primary. Ends with a proper good-bye when dropped; an open transaction is rolled back.
#[derive(Debug)]
pub struct Session {
    pub(super) client: Client,
    pub(super) at: String,
}

/// Connects to the primary and makes sure that it is one.
pub async fn open(target: &Target, login: &Login) -> Result<Session, SqlError> {
    let addresses = addresses(target).await?;
    let mut last = None;
    for address in addresses {
        match open_at(address, &target.service, login).await {
            Ok(session) => return Ok(session),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| no_address(target, "it has none")))
}

/// The service's addresses, if its name resolves, and the primary pod's: for a service that does not answer, or still leads to another member.
async fn addresses(target: &Target) -> Result<Vec<SocketAddr>, SqlError> {
    let pod = target
        .primary
        .map(|address| SocketAddr::new(address, target.port));
    let lookup = tokio::net::lookup_host((target.service.as_str(), target.port));
    let message = match timeout(RESOLVE_LIMIT, lookup).await {
        Ok(Ok(found)) => {
            let mut found: Vec<SocketAddr> = found.collect();
            if !found.is_empty() {
                found.extend(pod.filter(|pod| !found.contains(pod)));
                return Ok(found);
            }
            "it has none".to_owned()
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {}s", RESOLVE_LIMIT.as_secs()),
    };
    tracing::debug!(
        service = target.service,
        message,
        "service does not resolve, taking the pod's address"
    );
    pod.map(|pod| vec![pod])
        .ok_or_else(|| no_address(target, &message))
}

async fn open_at(address: SocketAddr, service: &str, login: &Login) -> Result<Session, SqlError> {
    let at = address.to_string();
    let unreachable = |message: String| SqlError::Unreachable {
        at: at.clone(),
        message,
    };
    let stream = timeout(TCP_LIMIT, TcpStream::connect(address))
        .await
        .map_err(|_| unreachable(format!("no answer within {}s", TCP_LIMIT.as_secs())))?
        .map_err(|error| unreachable(error.to_string()))?;
    stream
        .set_nodelay(true)
        .map_err(|error| unreachable(error.to_string()))?;
    let session = timeout(LOGIN_LIMIT, log_in(stream, at.clone(), service, login))
        .await
        .map_err(|_| SqlError::TimedOut {
            what: "logging in",
            limit: LOGIN_LIMIT,
        })??;
    session.require_primary().await?;
    Ok(session)
}

async fn log_in(stream: TcpStream, at: String, service: &str, login: &Login) -> Result<Session, SqlError> {
    let mut config = Config::new();
    config
        .user(&login.user)
        .password(login.password.expose())
        .dbname(&login.database)
        .application_name(APPLICATION)
        .options(SESSION)
        .ssl_mode(SslMode::Require);
    let mut connector = tls::connector()?;
    let tls =
        <_ as MakeTlsConnect<TcpStream>>::make_tls_connect(&mut connector, service).map_err(|error| {
            SqlError::Unreachable {
                at: at.clone(),
                message: error.to_string(),
            }
        })?;
    let (client, connection) =
        config
            .connect_raw(stream, tls)
            .await
            .map_err(|source| SqlError::LoginRefused {
                at: at.clone(),
                user: login.user.clone(),
                database: login.database.clone(),
                source,
            })?;
    tokio::spawn(async move {
        if let Ok(Err(error)) = timeout(SESSION_LIMIT, connection).await {
            tracing::debug!(%error, "connection to postgres ended");
        }
    });
    Ok(Session { client, at })
}

impl Session {
    /// Right after a failover the service may still lead to the former primary.
    async fn require_primary(&self) -> Result<(), SqlError> {
        let row = bounded("asking whether it is a primary", async {
            self.client
                .query_one("SELECT pg_is_in_recovery()", &[])
                .await
                .map_err(|source| SqlError::Refused {
                    statement: "SELECT pg_is_in_recovery()".to_owned(),
                    source,
                })
        })
        .await?;
        if row.get::<_, bool>(0) {
            return Err(SqlError::NotPrimary { at: self.at.clone() });
        }
        Ok(())
    }
}

/// Runs one exchange under the client's own limit.
pub(super) async fn bounded<T>(
    what: &'static str,
    exchange: impl Future<Output = Result<T, SqlError>>,
) -> Result<T, SqlError> {
    timeout(STATEMENT_LIMIT, exchange)
        .await
        .unwrap_or(Err(SqlError::TimedOut {
            what,
            limit: STATEMENT_LIMIT,
        }))
}

fn no_address(target: &Target, message: &str) -> SqlError {
    SqlError::NoAddress {
        service: target.service.clone(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_primary_pod_comes_after_the_service_and_once() {
        let target = |primary: &str| Target {
            service: "localhost".to_owned(),
            primary: primary.parse().ok(),
            port: 5432,
        };
        let service = addresses(&target("")).await.unwrap();
        let with_pod = addresses(&target("10.0.0.9")).await.unwrap();
        let (pod, before) = with_pod.split_last().unwrap();
        assert_eq!((pod.to_string().as_str(), before), ("10.0.0.9:5432", &*service));
        let same = addresses(&target(&service[0].ip().to_string())).await.unwrap();
        assert_eq!(same, service);
    }
}
