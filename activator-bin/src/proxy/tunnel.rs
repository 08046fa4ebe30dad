//! A connection that has left HTTP: copies bytes both ways between client and backend.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::held::Held;
use super::relay::Relay;
use crate::client::Client;
use crate::timeouts::Deadline;
use crate::upstream::Switched;

mod far;

use far::Far;

/// The most bytes buffered per direction.
const CHUNK: usize = 16 * 1024;

/// The backend's end, and what the request holds until both ends are closed.
pub(crate) struct Tunnel {
    backend: Far,
    /// What it has already sent.
    sent: Bytes,
    held: Held,
    deadline: Deadline<Box<Relay>>,
}

impl Tunnel {
    pub(crate) fn new(
        (backend, sent): (Switched, Bytes),
        held: Held,
        deadline: Deadline<Box<Relay>>,
    ) -> Self {
        Self {
            backend: Far::new(backend),
            sent,
            held,
            deadline,
        }
    }

    /// Copies until both ends are closed or one fails. One direction may close before the other. `first` was already
    /// read from the client.
    ///
    /// Dropping the future closes the backend connection and ends the request.
    ///
    /// # Errors
    /// If one end fails or a timeout fires. The other end must not mistake this for an orderly close.
    pub(crate) async fn run(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        first: Bytes,
        client: &Client,
    ) -> io::Result<()> {
        let Self {
            mut backend,
            sent,
            mut held,
            deadline,
        } = self;
        client.on_switch();
        let copying = async {
            let (up, down) = (Direction::new(first), Direction::new(sent));
            let on_bytes = || deadline.on_activity();
            copy(stream, &mut backend.0, up, down, on_bytes).await?;
            backend.complete();
            Ok(())
        };
        tokio::select! {
            biased;
            // Would go unnoticed while the backend accepts no bytes.
            () = client.broken() => Err(io::ErrorKind::ConnectionReset.into()),
            kind = deadline.until_met() => {
                held.fail(kind.into());
                Err(io::ErrorKind::TimedOut.into())
            }
            end = copying => {
                if end.is_ok() {
                    held.complete();
                }
                end
            }
        }
    }
}

/// Copies both ways. Calls `on_bytes` for each piece read.
async fn copy(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    backend: &mut (impl AsyncRead + AsyncWrite + Unpin),
    mut up: Direction,
    mut down: Direction,
    on_bytes: impl Fn(),
) -> io::Result<()> {
    poll_fn(|cx| {
        let up = up.poll(cx, &mut client, backend, &on_bytes)?;
        let down = down.poll(cx, backend, &mut client, &on_bytes)?;
        if up.is_ready() && down.is_ready() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    })
    .await
}

/// One direction of a tunnel. It has no buffer while nothing is in transit.
struct Direction {
    /// Read, but not yet written.
    unwritten: Bytes,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Open,
    /// The reader is at its end; the writer is not yet shut down.
    Ending,
    Ended,
}

impl Direction {
    fn new(unwritten: Bytes) -> Self {
        Self {
            unwritten,
            state: State::Open,
        }
    }

    /// Copies until either side has to wait. Ready once the end was passed on.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        on_bytes: &impl Fn(),
    ) -> Poll<io::Result<()>> {
        let mut to = Pin::new(to);
        while self.state != State::Ended {
            while !self.unwritten.is_empty() {
                match ready!(to.as_mut().poll_write(cx, &self.unwritten))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => self.unwritten.advance(written),
                }
            }
            if self.state == State::Ending {
                ready!(to.as_mut().poll_shutdown(cx))?;
                self.state = State::Ended;
                break;
            }
            let mut chunk = [MaybeUninit::uninit(); CHUNK];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            if Pin::new(&mut *from).poll_read(cx, &mut chunk)?.is_pending() {
                ready!(to.poll_flush(cx))?;
                return Poll::Pending;
            }
            let read = chunk.filled();
            if read.is_empty() {
                self.state = State::Ending;
                continue;
            }
            on_bytes();
            let written = match to.as_mut().poll_write(cx, read)? {
                Poll::Ready(written) => written,
                Poll::Pending => 0,
            };
            self.unwritten = Bytes::copy_from_slice(&read[written..]);
        }
        Poll::Ready(Ok(()))
    }
}
