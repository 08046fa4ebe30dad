//! The bytes of a client's connection, as hyper reads and writes them.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Sleep, sleep};

use super::client::Client;
use super::protocol::{PREFACE, Protocol};

/// How long the rest of a request is still read after its answer.
const LINGER: Duration = Duration::from_secs(2);

/// Both directions of a connection.
pub(super) struct Stream {
    read: OwnedReadHalf,
    client: Arc<Client>,
    prefix: Prefix,
    /// Since our side was closed.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    pub(super) fn new(read: OwnedReadHalf, client: Arc<Client>) -> Self {
        Self {
            read,
            client,
            prefix: Prefix::default(),
            lingering: None,
        }
    }

    /// Reads until the first bytes tell what the client speaks; whoever reads on gets them again.
    ///
    /// A connection that ends or fails before that is one of HTTP/1, which then hears of it.
    pub(super) fn poll_protocol(&mut self, cx: &mut Context<'_>) -> Poll<Protocol> {
        while PREFACE.starts_with(self.prefix.unread()) {
            if self.prefix.unread().len() == PREFACE.len() {
                return Poll::Ready(Protocol::Http2);
            }
            let mut buf = ReadBuf::new(&mut self.prefix.bytes[self.prefix.end..]);
            let read = ready!(Pin::new(&mut self.read).poll_read(cx, &mut buf));
            let length = buf.filled().len();
            if read.is_err() || length == 0 {
                break;
            }
            self.prefix.end += length;
            self.client.on_bytes();
        }
        Poll::Ready(Protocol::Http1)
    }
}

/// The first bytes of a connection, read to tell its protocol.
#[derive(Default)]
struct Prefix {
    bytes: [u8; PREFACE.len()],
    begin: usize,
    end: usize,
}

impl Prefix {
    fn unread(&self) -> &[u8] {
        &self.bytes[self.begin..self.end]
    }

    fn is_read(&self) -> bool {
        self.begin == self.end
    }

    fn read(&mut self, buf: &mut ReadBuf<'_>) {
        let length = self.unread().len().min(buf.remaining());
        buf.put_slice(&self.unread()[..length]);
        self.begin += length;
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.prefix.is_read() {
            self.prefix.read(buf);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.read).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.client.on_bytes();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let client = &self.client;
        let informational =
            |cx: &mut Context<'_>, head: &[u8]| write(client, cx, &[IoSlice::new(head)]);
        ready!(client.informational.poll_at_write(cx, informational))?;
        write(client, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let client = &self.client;
        let informational =
            |cx: &mut Context<'_>, head: &[u8]| write(client, cx, &[IoSlice::new(head)]);
        client.informational.poll_at_flush(cx, informational)
    }

    /// Closes our side. When the last request may have an unread rest, that is read and thrown away
    /// until the client has seen our end and closes too, for a bounded time: a socket that is
    /// closed with unread bytes in it resets the connection, and the answer may be lost on its way.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            SockRef::from(self.client.socket()).shutdown(Shutdown::Write)?;
            self.lingering = Some(Box::pin(sleep(LINGER)));
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
            ready!(Pin::new(&mut *read).poll_read(cx, &mut scrap))?;
            if scrap.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn write(client: &Client, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    let socket = client.socket();
    loop {
        ready!(socket.poll_write_ready(cx))?;
        match socket.try_write_vectored(bufs) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return Poll::Ready(written),
        }
    }
}
