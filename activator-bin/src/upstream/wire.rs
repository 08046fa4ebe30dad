//! The bytes of HTTP/1 on a connection to a backend: hyper knows neither odd targets nor the case of names.

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
use crate::message::head::{Names, Reading, Respelling};
use crate::message::target::Target;

/// Both directions of a connection.
pub(crate) struct Wire<S> {
    stream: S,
    heads: Arc<Heads>,
    restoring: Restoring,
    respelling: Respelling,
    /// While the head of a response is expected.
    reading: Option<Reading>,
    /// Hyper holds nothing, so the next request begins with the next byte.
    is_flushed: bool,
}

/// What a connection's bytes and its requests know of each other. Nobody but the request's worker touches it; the lock
/// is there because hyper wants connections that may change threads.
#[derive(Default)]
pub(super) struct Heads {
    has_begun: AtomicBool,
    names: Mutex<Names>,
}

impl Heads {
    /// The next request begins, whose headers had these names.
    pub(super) fn begin(&self, names: Names) {
        *self.names.lock() = names;
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// The names of the headers in the response, whose head has come.
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
    /// Of a connection whose first request has `target`, if that is not the one that hyper knows.
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

impl Wire<Line<TcpStream>> {
    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.socket()
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
        match respelling.is_needed() {
            true => respelling.poll_write(bufs, |bufs| stream.poll_write_vectored(cx, bufs)),
            false => stream.poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // Hyper asks for that when it has written all that it held.
        self.is_flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
