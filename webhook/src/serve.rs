//! Connections: TLS with a certificate that can change, bounded in number, time and age, and ended without breaking a request.

mod connection;
mod farewell;
mod pace;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use pgherd_certs::serving::Serving;
use pgherd_runtime::shutdown::Shutdown;
use rustls::ServerConfig;
use rustls::crypto::ring;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::router::{App, router};

/// When the system refuses to accept (no file descriptors left, say), it gets a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What connections share.
#[derive(Clone)]
struct Hall {
    app: Arc<App>,
    router: Router,
    tls: TlsAcceptor,
    shutdown: Shutdown,
    /// Connections close now, busy ones after their answer.
    closing: CancellationToken,
}

/// The TLS side of the server: our leaf, no client certificates, HTTP/1.1 as API servers speak it to webhooks.
///
/// # Errors
///
/// The TLS library does not know its own protocol versions.
pub fn tls(serving: Arc<Serving>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(serving);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves reviews until shutdown begins; then for the shutdown delay, asking each client to connect anew elsewhere, and dismissing idle
/// connections; then ends every connection after its request in progress.
///
/// # Errors
///
/// The TLS library refuses its configuration.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    serving: Arc<Serving>,
    shutdown: Shutdown,
) -> Result<(), rustls::Error> {
    let hall = Hall {
        router: router(&app),
        tls: TlsAcceptor::from(tls(serving)?),
        shutdown: shutdown.clone(),
        closing: CancellationToken::new(),
        app,
    };
    let tracker = TaskTracker::new();
    let delay = hall.app.limits.shutdown_delay;
    tokio::select! {
        () = accept_all(&listener, &hall, &tracker) => {}
        () = async { shutdown.begun().await; sleep(delay).await } => {}
    }
    drop(listener);
    hall.closing.cancel();
    tracker.close();
    info!(connections = tracker.len(), "no longer accepting connections");
    tracker.wait().await;
    Ok(())
}

/// Accepts for ever, as long as there are slots for connections.
async fn accept_all(listener: &TcpListener, hall: &Hall, tracker: &TaskTracker) {
    let slots = Arc::new(Semaphore::new(hall.app.limits.max_connections));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match accept(listener).await {
            Ok((stream, peer)) => {
                tracker.spawn(attend(hall.clone(), stream, peer, slot));
            }
            Err(err) => {
                warn!(reason = %err, "cannot accept a connection; trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accept(listener: &TcpListener) -> io::Result<(tokio::net::TcpStream, std::net::SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    // Without this, answers of two packets wait 40 ms for an acknowledgement.
    stream.set_nodelay(true)?;
    Ok((stream, peer))
}

async fn attend(
    hall: Hall,
    stream: tokio::net::TcpStream,
    peer: std::net::SocketAddr,
    _slot: OwnedSemaphorePermit,
) {
    let _open = hall.app.metrics.connection();
    connection::attend(&hall, stream, peer).await;
}
