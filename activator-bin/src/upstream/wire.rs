//! HTTP/1 bytes on a backend connection: restores unusual targets and the case of header names, which hyper loses.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::line::Line;
use super::request_line::Restoring;
use super::socket::Socket;
use crate::message::head::{Names, Reading, Respelling};
use crate::message::target::Target;

/// A connection as hyper reads and writes it.
pub(crate) struct Wire<S> {
    stream: S,
    heads: Arc<Heads>,
    restoring: Restoring,
    respelling: Respelling,
    /// Set while the head of a response is expected.
    reading: Option<Reading>,
    /// Hyper has nothing buffered, so the next byte begins a request.
    is_flushed: bool,
}

/// Shared by a connection's bytes and its requests. Used by a single thread; hyper requires `Send`, hence the lock.
#[derive(Default)]
pub(super) struct Heads {
    has_begun: AtomicBool,
    names: Mutex<Names>,
}

impl Heads {
    /// The next request begins. `names` are those of its headers.
    pub(super) fn begin(&self, names: Names) {
        *self.names.lock() = names;
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// The names of the headers in the response whose head has arrived.
    pub(super) fn of_response(&self) -> Names {
        mem::take(&mut self.names.lock())
    }

    fn take_begin(&self) -> Option<Names> {
        if !self.has_begun.load(Ordering::Relaxed) {
            return None;
        }
        self.has_begun.store(false, Ordering::Relaxed);
        Some(mem::take(&mut self.names.lock()))
    }
}

impl<S> Wire<S> {
    /// `target` is set if hyper cannot represent the target of the first request.
    pub(super) fn new(stream: S, target: Option<Target>) -> Self {
        Self {
            stream,
            heads: Arc::default(),
            restoring: Restoring::new(target),
            respelling: Respelling::default(),
            reading: None,
            is_flushed: true,
        }
    }

    pub(super) fn heads(&self) -> Arc<Heads> {
        Arc::clone(&self.heads)
    }
}

impl Wire<Line<Socket>> {
    /// The connection, if it is one over TCP.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        self.stream.tcp()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if let Some(reading) = &mut self.reading
            && let Some(names) = reading.read(&buf.filled()[before..])
        {
            self.reading = None;
            *self.heads.names.lock() = names;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self {
            stream,
            heads,
            restoring,
            respelling,
            reading,
            is_flushed,
        } = &mut *self;
        let mut stream = Pin::new(stream);
        if let Some(names) = heads.take_begin() {
            *reading = Some(Reading::default());
            if *is_flushed {
                respelling.begin();
                respelling.set_names(names);
            }
        }
        *is_flushed = false;
        if restoring.is_needed() {
            return restoring
                .poll_write(cx, bufs, |cx, bytes| stream.as_mut().poll_write(cx, bytes));
        }
        respelling.poll_write(bufs, |bufs| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // Hyper flushes after it has written everything it buffered.
        self.is_flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
