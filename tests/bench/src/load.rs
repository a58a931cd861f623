//! Load as an API server makes it: few connections over TLS that are kept, one request at a time on each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::certificate::NAME;
use crate::review::Review;

/// Longer than any answer takes. Whoever is slower is broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// One kept connection.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Nobody listens, or shows another certificate.
    pub async fn open(address: SocketAddr, tls: &Arc<ClientConfig>) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true)?;
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(ServerName::try_from(NAME)?, stream)
            .await
            .context("TLS handshake")?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// No answer, or none of HTTP's successes.
    pub async fn ask(&mut self, path: &str, body: Bytes) -> Result<Bytes> {
        let request = Request::post(path)
            .header(HOST, NAME)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        self.sender.ready().await?;
        let response = tokio::time::timeout(PATIENCE, self.sender.send_request(request)).await??;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        ensure!(
            status == StatusCode::OK,
            "{path}: {status}: {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(answer)
    }

    /// Asks until the time is over; how long each answer took.
    async fn ask_until(&mut self, end: Instant, path: &str, body: &Bytes) -> Result<Vec<Duration>> {
        let mut took = Vec::with_capacity(1 << 16);
        let mut now = Instant::now();
        while now < end {
            self.ask(path, body.clone()).await?;
            let answered = Instant::now();
            took.push(answered - now);
            now = answered;
        }
        Ok(took)
    }
}

/// Asks once, over a connection of its own.
///
/// # Errors
///
/// See [`Connection`].
pub async fn ask_once(
    address: SocketAddr,
    tls: &Arc<ClientConfig>,
    path: &str,
    body: Bytes,
) -> Result<Bytes> {
    Connection::open(address, tls).await?.ask(path, body).await
}

/// Connections of one measurement, warm.
#[derive(Debug)]
pub struct Load {
    connections: Vec<Connection>,
    path: String,
    body: Bytes,
}

impl Load {
    /// Opens the connections, and asks over each until the server has settled.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub async fn warm(
        address: SocketAddr,
        tls: &Arc<ClientConfig>,
        path: &str,
        review: &Review,
        connections: usize,
        warm_up: Duration,
    ) -> Result<Self> {
        let mut load = Self {
            connections: Vec::new(),
            path: path.to_owned(),
            body: review.body.clone(),
        };
        for _ in 0..connections {
            load.connections.push(Connection::open(address, tls).await?);
        }
        load.run(warm_up).await?;
        Ok(load)
    }

    /// Asks over all connections at the same time; how long each answer took, in order of length.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub async fn run(&mut self, time: Duration) -> Result<Vec<Duration>> {
        let end = Instant::now() + time;
        let mut asking = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            let (path, body) = (self.path.clone(), self.body.clone());
            asking.spawn(async move {
                let took = connection.ask_until(end, &path, &body).await;
                (connection, took)
            });
        }
        let mut all = Vec::new();
        while let Some(finished) = asking.join_next().await {
            let (connection, took) = finished?;
            self.connections.push(connection);
            all.extend(took?);
        }
        all.sort_unstable();
        Ok(all)
    }
}
