//! The socket of a client connection, below TLS.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Sleep, sleep};

use super::timer::Timer;
use crate::client::Client;

/// How long the rest of a request is read after its response.
const LINGER: Duration = Duration::from_secs(2);

/// Both directions of a connection.
pub(super) struct Socket {
    read: OwnedReadHalf,
    client: Rc<Client>,
    /// Runs once our side is closed.
    lingering: Option<Pin<Box<Sleep>>>,
    /// Runs while the client does not read.
    blocked: Timer,
    /// How long the client may stall.
    patience: Duration,
}

impl Socket {
    /// Writing fails when the client has read nothing for `patience`.
    pub(super) fn new(read: OwnedReadHalf, client: Rc<Client>, patience: Duration) -> Self {
        Self {
            read,
            client,
            lingering: None,
            blocked: Timer::default(),
            patience,
        }
    }

    fn poll_blocked(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.client.output.on_blocked() {
            self.blocked.restart(self.patience);
        }
        ready!(self.blocked.poll(cx, self.patience));
        self.client.on_late();
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.read).poll_read(cx, buf);
        if read.is_pending() {
            self.client.input.is_silent.set(true);
        }
        ready!(read)?;
        if buf.filled().len() > before {
            self.client.on_bytes();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let Poll::Ready(ready) = self.client.socket().poll_write_ready(cx) else {
                return self.poll_blocked(cx).map(Err);
            };
            ready?;
            match self.client.socket().try_write_vectored(bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.client.output.on_written();
                    return Poll::Ready(written);
                }
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes our side. If part of the last request may be unread, it is read and discarded until the client closes
    /// as well, for a bounded time: closing a socket with unread bytes resets the connection, and the response may be
    /// lost.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            SockRef::from(self.client.socket()).shutdown(Shutdown::Write)?;
            self.lingering = Some(Box::pin(sleep(LINGER)));
            self.client.output.on_close();
        }
        let Self {
            read,
            client,
            lingering,
            ..
        } = &mut *self;
        let over = |until: &mut Pin<Box<Sleep>>, cx: &mut _| until.as_mut().poll(cx).is_ready();
        while client.may_be_unread() && !lingering.as_mut().is_none_or(|until| over(until, cx)) {
            let mut scrap = [0; 16 * 1024];
            let mut scrap = ReadBuf::new(&mut scrap);
            let end = ready!(Pin::new(&mut *read).poll_read(cx, &mut scrap)).is_err();
            if end || scrap.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
