//! The backend's end of a tunnel. If it is dropped early, the backend sees a reset and not an orderly close.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::upstream::Plain;

/// Both directions. Dropping it resets the connection unless [`complete`](Self::complete) was called.
pub(super) enum Far {
    Plain(Plain),
    /// Over TLS, which has its own close message.
    Private(TokioIo<Upgraded>),
}

impl Far {
    /// Also returns the bytes that were already read.
    pub(super) fn new(upgraded: Upgraded) -> (Self, Bytes) {
        match upgraded.downcast::<TokioIo<Plain>>() {
            Ok(Parts { io, read_buf, .. }) => {
                let stream = io.into_inner();
                // Best effort: without it the connection closes as if it were complete.
                if let Some(socket) = stream.tcp() {
                    let _ = socket.set_zero_linger();
                }
                (Self::Plain(stream), read_buf)
            }
            Err(upgraded) => (Self::Private(TokioIo::new(upgraded)), Bytes::new()),
        }
    }

    /// Both directions have ended.
    pub(super) fn complete(&self) {
        if let Self::Plain(stream) = self {
            let socket = stream.tcp();
            let _ = socket.map(|socket| SockRef::from(socket).set_linger(None));
        }
    }
}

impl AsyncRead for Far {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Private(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Far {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Private(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Private(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Private(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
