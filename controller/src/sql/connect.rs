//! One short-lived connection. Lives here: finding the primary, TLS, log-in, the pinned session, and its end. Must not: statements.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pgherd_model::secret::Secret;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use super::{Refusal, Server, SqlError, Target};

/// A resolver that does not answer in this time is treated as one that says no.
const RESOLVE_LIMIT: Duration = Duration::from_secs(2);
const TCP_LIMIT: Duration = Duration::from_secs(3);
/// TLS, authentication and start of a backend; a primary under load takes a while.
const LOGIN_LIMIT: Duration = Duration::from_secs(10);
/// How long a turn waits for the connections of others.
const DOOR_LIMIT: Duration = Duration::from_secs(30);
/// What the client waits for any one statement: more than the server's own limit, so that the server's error comes first.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(40);

/// The task that drives a connection ends with its client; this is for a server that no longer reads.
const SESSION_LIMIT: Duration = Duration::from_mins(10);

/// The session's settings, pinned by the start-up packet, which counts more than what a database or a role is given by `ALTER … SET`: by its
/// owner, who may set whatever a user may. So:
/// - names resolve only to the system's own objects;
/// - nothing waits for ever, for a lock least of all;
/// - a missing synchronous standby does not block provisioning;
/// - nobody else's role is taken on;
/// - times, dates and literals read as they are meant.
const SESSION: &str = "-c search_path=pg_catalog,pg_temp -c statement_timeout=30s -c lock_timeout=5s \
    -c idle_in_transaction_session_timeout=30s -c idle_session_timeout=0 -c exit_on_error=off -c synchronous_commit=local -c client_min_messages=warning \
    -c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed \
    -c default_transaction_deferrable=off -c row_security=on -c role=none -c timezone=UTC -c datestyle=ISO \
    -c standard_conforming_strings=on -c transform_null_equals=off -c default_tablespace= -c jit=off \
    -c debug_print_parse=off -c debug_print_rewritten=off -c debug_print_plan=off";
/// What only version 17 and later know: no event trigger, which is somebody else's code and may fire at the log-in already; and no limit of
/// whole transactions.
const NEWER: &str = " -c event_triggers=off -c transaction_timeout=0";
/// The first version that knows them.
const NEWER_SINCE: u32 = 170_000;
const APPLICATION: &str = "pgherd";

/// Servers, by service and port, that did not know [`NEWER`] when they were entered last: most of an operator's connections need one try.
static OLDER: Mutex<BTreeSet<(String, u16)>> = Mutex::new(BTreeSet::new());

/// One round trip after the log-in: is it a primary, and are we who we came as? To servers that cannot go without event triggers we are a
/// replica, for which only those fire that were made to.
const ARRIVE: &str = "SELECT pg_catalog.pg_is_in_recovery(), session_user, current_user, \
    pg_catalog.current_setting('server_version_num'), \
    CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.<) 170000 \
        THEN pg_catalog.set_config('session_replication_role', 'replica', false) END";

/// Connections of all turns together. A turn has one at a time.
static DOORS: Semaphore = Semaphore::const_new(32);

/// An open connection to a primary. Ends with a proper good-bye when dropped; an open transaction is rolled back.
#[derive(Debug)]
pub struct Session {
    pub(super) client: Client,
    pub(super) database: String,
    /// `server_version_num`: 170002 is 17.2.
    pub version: u32,
    /// From then on [`Session::carry_out`] begins with no other group.
    pub until: Option<Instant>,
    _door: SemaphorePermit<'static>,
}

impl Server {
    /// Connects to the primary, makes sure that it is one, and goes into the database.
    pub async fn open(&self, database: &str) -> Result<Session, SqlError> {
        let Ok(door) = timeout(DOOR_LIMIT, DOORS.acquire()).await else {
            return Err(SqlError::TimedOut {
                what: "waiting for other clusters' connections",
                limit: DOOR_LIMIT,
            });
        };
        let mut door = Some(door.expect("nobody closes the doors"));
        let mut last = None;
        for address in addresses(&self.target).await? {
            match self.open_at(address, database).await {
                Ok(arrived) => return Ok(arrived.stays(door.take().expect("only one arrives"))),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| no_address(&self.target, "it has none")))
    }

    /// With the password, or with the one before.
    async fn open_at(&self, address: SocketAddr, database: &str) -> Result<Arrived, SqlError> {
        let first = self.enter_as_known(address, database, &self.password).await;
        match (&first, &self.previous) {
            (Err(error), Some(previous)) if error.is_refused_for(&SqlState::INVALID_PASSWORD) => {
                self.enter_as_known(address, database, previous).await
            }
            _ => first,
        }
    }

    /// With all settings that the server knows: what it was last time, or is by now.
    async fn enter_as_known(
        &self,
        address: SocketAddr,
        database: &str,
        password: &Secret,
    ) -> Result<Arrived, SqlError> {
        let server = (self.target.service.clone(), self.target.port);
        let older = || OLDER.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = format!("{SESSION}{NEWER}");
        if older().contains(&server) {
            match self.enter(address, database, password, SESSION).await {
                Ok(arrived) if arrived.version >= NEWER_SINCE => older().remove(&server),
                other => return other,
            };
        }
        let entered = self.enter(address, database, password, &whole).await;
        match &entered {
            Err(error) if error.is_refused_for(&SqlState::UNDEFINED_OBJECT) => {
                older().insert(server);
                self.enter(address, database, password, SESSION).await
            }
            _ => entered,
        }
    }

    async fn enter(
        &self,
        address: SocketAddr,
        database: &str,
        password: &Secret,
        settings: &str,
    ) -> Result<Arrived, SqlError> {
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
        let arrive = async {
            let client = self.log_in(stream, &at, database, password, settings).await?;
            self.arrive(client, at.clone(), database).await
        };
        timeout(LOGIN_LIMIT, arrive)
            .await
            .unwrap_or(Err(SqlError::TimedOut {
                what: "logging in",
                limit: LOGIN_LIMIT,
            }))
    }

    async fn log_in(
        &self,
        stream: TcpStream,
        at: &str,
        database: &str,
        password: &Secret,
        settings: &str,
    ) -> Result<Client, SqlError> {
        let mut config = Config::new();
        config
            .user(&self.user)
            .password(password.expose())
            .dbname(database)
            .application_name(APPLICATION)
            .options(settings)
            .ssl_mode(SslMode::Require);
        let mut connector = self.trust.connector();
        let name = &self.target.service;
        let tls = <_ as MakeTlsConnect<TcpStream>>::make_tls_connect(&mut connector, name)
            .map_err(|error| SqlError::Tls(error.to_string()))?;
        let (client, connection) =
            config
                .connect_raw(stream, tls)
                .await
                .map_err(|error| SqlError::LoginRefused {
                    at: at.to_owned(),
                    user: self.user.clone(),
                    database: database.to_owned(),
                    refusal: Refusal::of(&error),
                })?;
        tokio::spawn(async move {
            if let Ok(Err(error)) = timeout(SESSION_LIMIT, connection).await {
                tracing::debug!(%error, "connection to postgres ended");
            }
        });
        Ok(client)
    }

    /// Right after a failover the service may still lead to the former primary.
    async fn arrive(&self, client: Client, at: String, database: &str) -> Result<Arrived, SqlError> {
        let answer = client
            .simple_query(ARRIVE)
            .await
            .map_err(|error| SqlError::Refused {
                statement: "SELECT pg_is_in_recovery()".to_owned(),
                refusal: Refusal::of(&error),
            })?;
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let text = |column: usize| {
            let cell = row.and_then(|row| row.try_get(column).ok());
            cell.flatten().unwrap_or_default()
        };
        if text(0) != "f" {
            return Err(SqlError::NotPrimary { at });
        }
        if let Some(other) = [text(1), text(2)].into_iter().find(|name| *name != self.user) {
            return Err(SqlError::Disguised {
                database: database.to_owned(),
                user: self.user.clone(),
                became: other.to_owned(),
            });
        }
        let version = text(3).parse().unwrap_or_default();
        Ok(Arrived {
            client,
            database: database.to_owned(),
            version,
        })
    }
}

/// Logged in, and not yet counted.
struct Arrived {
    client: Client,
    database: String,
    version: u32,
}

impl Arrived {
    fn stays(self, door: SemaphorePermit<'static>) -> Session {
        let Self {
            client,
            database,
            version,
        } = self;
        Session {
            client,
            database,
            version,
            until: None,
            _door: door,
        }
    }
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

/// Runs one exchange under the client's own limit.
pub(super) async fn bounded<T>(
    what: &'static str,
    exchange: impl Future<Output = Result<T, SqlError>>,
) -> Result<T, SqlError> {
    bounded_by(STATEMENT_LIMIT, what, exchange).await
}

/// The same under another limit.
pub(super) async fn bounded_by<T>(
    limit: Duration,
    what: &'static str,
    exchange: impl Future<Output = Result<T, SqlError>>,
) -> Result<T, SqlError> {
    let answer = timeout(limit, exchange).await;
    answer.unwrap_or(Err(SqlError::TimedOut { what, limit }))
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
