//! The last words on a connection that is closed while it lies idle, in case its client has just picked it.
//!
//! HTTP/1.1 has no way to say that a connection is about to be closed. A client that picks it at that moment has sent its request into
//! nothing: an API server does not repeat a POST that got no answer, and the call has failed. It does repeat one that got 503 with
//! `Retry-After`. So that is what such a connection ends with; a client that sent nothing throws it away with the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

const WORDS: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// So long a request that is on its way may take to arrive. Closed before, the connection would be reset under the client's hands.
const LINGER: Duration = Duration::from_millis(300);

/// How far the parting has come.
#[derive(Debug, Default)]
pub(super) enum Farewell {
    /// Nothing said yet.
    #[default]
    Ahead,
    /// So much of the words is written.
    Speaking(usize),
    /// No more is written.
    Closing,
    /// Listening, to nobody's benefit but TCP's.
    Lingering(Pin<Box<Sleep>>),
}

impl Farewell {
    /// Ends the writing side of a stream; says the words before, and lingers, if `may_be_picked`, which counts at the first call.
    pub(super) fn poll<S>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        may_be_picked: bool,
    ) -> Poll<io::Result<()>>
    where
        S: AsyncRead + AsyncWrite,
    {
        loop {
            match self {
                Self::Ahead if may_be_picked => *self = Self::Speaking(0),
                Self::Ahead => return stream.poll_shutdown(cx),
                Self::Speaking(said) if *said < WORDS.len() => {
                    *said += ready!(stream.as_mut().poll_write(cx, &WORDS[*said..]))?;
                }
                Self::Speaking(_) => {
                    ready!(stream.as_mut().poll_flush(cx))?;
                    *self = Self::Closing;
                }
                Self::Closing => {
                    ready!(stream.as_mut().poll_shutdown(cx))?;
                    *self = Self::Lingering(Box::pin(sleep(LINGER)));
                }
                Self::Lingering(end) => {
                    let mut scratch = [0; 4096];
                    let mut buffer = ReadBuf::new(&mut scratch);
                    let read = stream.as_mut().poll_read(cx, &mut buffer);
                    match read {
                        Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                        Poll::Ready(_) => return Poll::Ready(Ok(())),
                        Poll::Pending => return end.as_mut().poll(cx).map(Ok),
                    }
                }
            }
        }
    }
}
