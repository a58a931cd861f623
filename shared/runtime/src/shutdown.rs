//! The orderly end of a process, in two steps: work is asked to end; when it has, its companions (admin port, lease) are.

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The two steps of the end. Cheap to clone; clones are the same end.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    begun: CancellationToken,
    drained: CancellationToken,
}

impl Shutdown {
    /// An end that only [`Self::begin`] begins: for tests and commands.
    pub fn new() -> Self {
        Self::default()
    }

    /// An end that SIGTERM or SIGINT begins. A second signal ends the process at once, with the code 128 + signal number.
    ///
    /// # Errors
    ///
    /// The system refuses the signal handlers.
    #[cfg(unix)]
    pub fn on_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let shutdown = Self::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let begins = shutdown.clone();
        tokio::spawn(async move {
            let (name, _) = tokio::select! {
                _ = terminate.recv() => ("SIGTERM", 15),
                _ = interrupt.recv() => ("SIGINT", 2),
            };
            info!(signal = name, "shutting down; a second signal ends at once");
            begins.begin();
            let (name, number) = tokio::select! {
                _ = terminate.recv() => ("SIGTERM", 15),
                _ = interrupt.recv() => ("SIGINT", 2),
            };
            warn!(signal = name, "ending at once");
            std::process::exit(128 + number);
        });
        Ok(shutdown)
    }

    /// Asks work to end. Doing it again changes nothing.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    /// Has work been asked to end?
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Waits until work is asked to end.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// A token for libraries that take one: cancelled when work is asked to end.
    pub fn token(&self) -> CancellationToken {
        self.begun.clone()
    }

    /// Waits until all work has ended (or its time is up): companions end now.
    pub async fn drained(&self) {
        self.drained.cancelled().await;
    }

    /// Asks companions to end.
    pub(crate) fn mark_drained(&self) {
        self.begun.cancel();
        self.drained.cancel();
    }
}
