//! A client connection as hyper reads and writes it, above TLS.

use std::cell::RefMut;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::protocol::{ClientProtocol, PREFACE};
use super::requests::{Requests, Shared, Taken};
use crate::client::Client;

/// How much is read at once before hyper provides a buffer: enough for most heads without cookies.
const FIRST: usize = 512;

/// What hyper gets instead of the rest of a head that is refused: the end of a head, with a NUL, so that hyper parses
/// and rejects it.
const NONSENSE: &[u8] = b"\0\n\n";

/// Both directions of a connection.
pub(super) struct HttpIo<I> {
    stream: I,
    client: Rc<Client>,
    /// Bytes read earlier that are returned first.
    unread: BytesMut,
    /// The parser, for HTTP/1.
    requests: Option<Rc<Shared>>,
    refused: Option<StatusCode>,
}

impl<I> HttpIo<I> {
    pub(super) fn new(stream: I, client: Rc<Client>) -> Self {
        Self {
            stream,
            client,
            unread: BytesMut::new(),
            requests: None,
            refused: None,
        }
    }

    /// From now on input passes through `requests`, which are at their start.
    pub(super) fn begin_http1(&mut self, requests: Rc<Shared>) {
        self.requests = Some(requests);
    }

    /// From now on input is passed on unchanged.
    pub(super) fn end_http1(&mut self) {
        self.requests = None;
    }

    /// The status with which hyper refused a head. The client has not received it.
    pub(super) fn refused(&self) -> Option<StatusCode> {
        self.refused
    }

    /// The stream below, for writes beside hyper.
    pub(super) fn stream(&mut self) -> &mut I {
        &mut self.stream
    }
}

impl<I: AsyncRead + Unpin> HttpIo<I> {
    /// Reads until the first bytes identify the protocol; later reads return them again.
    ///
    /// A connection that ends or fails before that counts as HTTP/1, whose next read reports it.
    pub(super) fn poll_protocol(&mut self, cx: &mut Context<'_>) -> Poll<ClientProtocol> {
        loop {
            if self.unread.starts_with(&PREFACE) {
                return Poll::Ready(ClientProtocol::Http2);
            }
            let is_preface = PREFACE.starts_with(&self.unread);
            if !is_preface || !ready!(self.poll_more(cx)) {
                return Poll::Ready(ClientProtocol::Http1);
            }
        }
    }

    /// Waits for bytes, which later reads return again; false at the end of input.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut bytes = [0; FIRST];
        let mut buf = ReadBuf::new(&mut bytes);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf));
        self.unread.extend_from_slice(buf.filled());
        Poll::Ready(read.is_ok() && !buf.filled().is_empty())
    }

    /// Puts back bytes that were read; later reads return them again.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        self.unread.extend_from_slice(&bytes);
        if let Some(requests) = &self.requests {
            requests.rest();
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for HttpIo<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            stream,
            client,
            unread,
            requests,
            ..
        } = &mut *self;
        let mut requests = requests.as_ref().map(|requests| requests.borrow_mut());
        let is_refused = |requests: &RefMut<'_, Requests>| requests.fault().is_some();
        loop {
            if requests.as_ref().is_some_and(is_refused) {
                buf.put_slice(&NONSENSE[..NONSENSE.len().min(buf.remaining())]);
                return Poll::Ready(Ok(()));
            }
            let taken = if unread.is_empty() {
                let before = buf.filled().len();
                ready!(Pin::new(&mut *stream).poll_read(cx, buf))?;
                let read = &mut buf.filled_mut()[before..];
                if read.is_empty() {
                    client.input.is_at_end.set(true);
                }
                let (Some(requests), false) = (&mut requests, read.is_empty()) else {
                    return Poll::Ready(Ok(()));
                };
                let taken = requests.take(read);
                unread.extend_from_slice(&read[taken.used..]);
                buf.set_filled(before + taken.handed);
                taken
            } else {
                let length = unread.len().min(buf.remaining());
                let next = &mut unread[..length];
                let taken = match &mut requests {
                    Some(requests) => {
                        client.on_bytes();
                        requests.take(next)
                    }
                    None => Taken::all(length),
                };
                buf.put_slice(&next[..taken.handed]);
                unread.advance(taken.used);
                if unread.is_empty() {
                    *unread = BytesMut::new();
                }
                taken
            };
            if taken.handed > 0 {
                return Poll::Ready(Ok(()));
            }
            // Hyper does not get all of a long target, and nothing after a fault.
            if taken.used == 0 && !requests.as_ref().is_some_and(is_refused) {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for HttpIo<I> {
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
        let Self {
            stream,
            client,
            requests,
            ..
        } = &mut *self;
        if client.output.is_quiet() {
            // A refusal of hyper's own, without a reason: it is replaced by our own.
            let status = bufs.first().and_then(|head| head.get(9..12));
            self.refused = status.and_then(|status| StatusCode::from_bytes(status).ok());
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let mut stream = Pin::new(stream);
        let informational =
            |cx: &mut Context<'_>, head: &[u8]| stream.as_mut().poll_write(cx, head);
        ready!(client.informational.poll_at_write(cx, informational))?;
        let Some(requests) = requests else {
            return stream.poll_write_vectored(cx, bufs);
        };
        let mut requests = requests.borrow_mut();
        requests.is_flushed = false;
        let respelling = &mut requests.respelling;
        respelling.poll_write(bufs, |bufs| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self {
            stream,
            client,
            requests,
            ..
        } = &mut *self;
        let mut stream = Pin::new(stream);
        let informational =
            |cx: &mut Context<'_>, head: &[u8]| stream.as_mut().poll_write(cx, head);
        ready!(client.informational.poll_at_flush(cx, informational))?;
        ready!(stream.poll_flush(cx))?;
        if let Some(requests) = requests {
            requests.borrow_mut().is_flushed = true;
        }
        client.on_flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The client still gets a refusal, or the connection only rests.
        if self.refused.is_some() || self.client.output.is_resting.get() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
