//! How long a connection may wait for its client: briefly within a request's header, long between requests, never while we are the slow ones.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::farewell::Farewell;
use crate::limits::Limits;

/// A client that has not used a connection for so long has others that it uses first.
const LATELY: Duration = Duration::from_secs(3);

/// What a connection waits for. Cheap to clone; clones are of the same connection.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    phase: Arc<Mutex<Phase>>,
    /// Since when it lay idle when it was dismissed.
    dismissed: Arc<OnceLock<Instant>>,
    idle: Duration,
    header: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// The next request.
    Idle { since: Instant },
    /// The rest of a request's header.
    Header { since: Instant },
    /// Us.
    Busy,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    Closed,
    Broken(String),
    Slow,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        // Who connects has something to say.
        let phase = Arc::new(Mutex::new(Phase::Header {
            since: Instant::now(),
        }));
        Self {
            phase,
            dismissed: Arc::default(),
            idle: limits.idle_timeout,
            header: limits.read_timeout,
        }
    }

    /// A request's header is complete.
    pub(super) fn begin(&self) {
        self.set(Phase::Busy);
    }

    /// Its answer is made.
    pub(super) fn rest(&self) {
        self.set(Phase::Idle {
            since: Instant::now(),
        });
    }

    /// Bytes came in.
    fn hear(&self) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*phase, Phase::Idle { .. }) {
            *phase = Phase::Header {
                since: Instant::now(),
            };
        }
    }

    fn set(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// How long nothing has come in and nothing is owed; none in the middle of a request.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        self.idle_since().map(|since| since.elapsed())
    }

    /// The connection is to be closed, now or after its answer.
    pub(super) fn dismiss(&self) {
        if let Some(since) = self.idle_since() {
            let _ = self.dismissed.set(since);
        }
    }

    /// Is it closed while it lies idle, and has been in use lately?
    fn may_be_picked(&self) -> bool {
        let dismissed = self.dismissed.get();
        dismissed.is_some_and(|since| self.idle_since() == Some(*since) && since.elapsed() < LATELY)
    }

    fn idle_since(&self) -> Option<Instant> {
        match *self.phase.lock().unwrap_or_else(PoisonError::into_inner) {
            Phase::Idle { since } => Some(since),
            Phase::Header { .. } | Phase::Busy => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match *self.phase.lock().unwrap_or_else(PoisonError::into_inner) {
            Phase::Idle { since } => Some(since + self.idle),
            Phase::Header { since } => Some(since + self.header),
            Phase::Busy => None,
        }
    }
}

/// Drives a connection to its end, or until its client is too slow. Phases change only while the connection is polled, that is in here, so
/// there is nothing to be woken for but the deadline.
pub(super) async fn paced<C, E>(mut connection: Pin<&mut C>, pace: &Pace) -> End
where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut alarm = pin!(sleep_until(Instant::now() + pace.header));
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = connection.as_mut().poll(cx) {
            return Poll::Ready(outcome.map_or_else(|err| End::Broken(err.to_string()), |()| End::Closed));
        }
        while let Some(deadline) = pace.deadline() {
            // A later deadline need not move the alarm: it rings early, and is set anew then.
            if deadline < alarm.deadline() || alarm.is_elapsed() {
                if deadline <= Instant::now() {
                    return Poll::Ready(End::Slow);
                }
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                break;
            }
        }
        Poll::Pending
    })
    .await
}

/// A stream that tells when something was read.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pace: Pace,
    farewell: Farewell,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Pace) -> Self {
        Self {
            stream,
            pace,
            farewell: Farewell::default(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pace.hear();
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let may_be_picked = self.pace.may_be_picked();
        let paced = &mut *self;
        paced
            .farewell
            .poll(Pin::new(&mut paced.stream), cx, may_be_picked)
    }
}
