//! Filters the frames of an HTTP/2 connection below the h2 crate, which counts over a connection's whole life what is
//! only excessive within a short time.
//!
//! h2 closes a connection at its 101st empty DATA frame, and after a number of small ones on reset streams. Both are
//! legal and add up on a shared connection. So empty DATA frames without effect are kept from h2, and frames on reset
//! streams are changed such that h2 ignores them at no charge. Floods are detected here instead, by rate.
//!
//! All other frames pass unchanged, even malformed ones: h2 reports what is wrong with them. Empty DATA frames with
//! padding pass as well, since padding counts for flow control.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

mod filter;
mod head;
mod meter;
mod sent;
mod streams;
#[cfg(test)]
mod tests;

use filter::{Cut, Filter};
use head::HEAD;
use meter::Meter;
use sent::Sent;
use streams::Streams;

/// The length of the client preface (RFC 9113, 3.4).
const PREFACE: usize = 24;

/// A stream as h2 reads and writes it.
pub(crate) struct Frames<T> {
    stream: T,
    filter: Filter,
    sent: Sent,
    streams: Streams,
    meter: Meter,
    /// A frame head that arrives in parts.
    cut: Cut,
    flood: Flood,
}

/// Reports that the peer floods the connection.
#[derive(Clone, Default)]
pub(crate) struct Flood(Rc<Cell<bool>>);

impl Flood {
    /// Whether the peer has sent too many frames that cost work and carry nothing. From then on nothing is read and
    /// nothing is woken, so check this after each poll of the connection.
    pub(crate) fn has_come(&self) -> bool {
        self.0.get()
    }
}

impl<T> Frames<T> {
    /// For a connection to a server.
    pub(crate) fn of_client(stream: T) -> (Self, Flood) {
        Self::new(stream, 0, PREFACE, None)
    }

    /// For a connection from a client, starting with its preface. `mistakes` is how many protocol errors are
    /// tolerated at once.
    pub(crate) fn of_server(stream: T, mistakes: u32) -> (Self, Flood) {
        Self::new(stream, PREFACE, 0, Some(mistakes))
    }

    fn new(stream: T, read: usize, written: usize, mistakes: Option<u32>) -> (Self, Flood) {
        let flood = Flood::default();
        let frames = Self {
            stream,
            filter: Filter::new(read),
            sent: Sent::new(written),
            streams: Streams::default(),
            meter: Meter::new(mistakes, Instant::now()),
            cut: Cut::default(),
            flood: flood.clone(),
        };
        (frames, flood)
    }

    fn on_written<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>, mut length: usize) {
        let Self {
            sent,
            streams,
            meter,
            flood,
            ..
        } = self;
        for part in parts {
            let part = &part[..length.min(part.len())];
            length -= part.len();
            sent.take(part, |frame| {
                streams.on_sent(frame);
                if !meter.on_sent(frame, Instant::now) {
                    flood.0.set(true);
                }
            });
            if length == 0 {
                break;
            }
        }
    }
}

impl<T: AsyncRead + Unpin> Frames<T> {
    /// Reads the rest of a partial head, and nothing after it. False at the end of the stream.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut rest = ReadBuf::new(self.cut.rest());
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut rest))?;
        let read = rest.filled().len();
        self.cut.grow(read);
        Poll::Ready(Ok(read > 0))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Frames<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.cut.is_due() {
                this.cut.give(buf);
                return Poll::Ready(Ok(()));
            }
            if this.flood.has_come() {
                return Poll::Pending;
            }
            if this.cut.is_begun() {
                if !ready!(this.poll_rest(cx))? {
                    // Passes on what there is: h2 handles an end within a frame.
                    this.cut.release();
                }
            } else {
                let before = buf.filled().len();
                ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
                let read = &mut buf.filled_mut()[before..];
                if read.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                let (kept, rest) = this.filter.take(read, &mut this.streams, |head| {
                    if !this.meter.on_received(head, Instant::now) {
                        this.flood.0.set(true);
                    }
                });
                this.cut.begin(&read[rest..]);
                buf.set_filled(before + kept);
                if kept > 0 {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            if this.cut.is_whole() {
                let mut head: [u8; HEAD] = *this.cut.bytes();
                let (kept, _) = this.filter.take(&mut head, &mut this.streams, |head| {
                    if !this.meter.on_received(head, Instant::now) {
                        this.flood.0.set(true);
                    }
                });
                this.cut.replace(&head[..kept]);
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Frames<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, buf))?;
        this.on_written([buf].into_iter(), written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, bufs))?;
        this.on_written(bufs.iter().map(|buf| &**buf), written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
