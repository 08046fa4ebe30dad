//! The frames of an HTTP/2 connection as they pass below the h2 crate, which counts for a connection's
//! whole life what can only be too much in a time.
//!
//! h2 ends a connection at its 101st DATA frame that is empty, and at so many small ones on streams that
//! were reset. Both are legal, and on a connection that many share both add up. So an empty DATA frame
//! never reaches h2 where it can mean nothing, and what comes on a stream that was reset is made to be
//! ignored at no charge. What floods a connection is counted here instead, over time.
//!
//! Every other frame passes unchanged, broken ones too: h2 says what is wrong with them. An empty DATA
//! frame that is padded passes as well, since its padding counts in the windows.

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

/// How a connection begins (RFC 9113, 3.4).
const PREFACE: usize = 24;

/// A stream as h2 reads and writes it.
pub(crate) struct Frames<T> {
    stream: T,
    filter: Filter,
    sent: Sent,
    streams: Streams,
    meter: Meter,
    /// A head that came in parts.
    cut: Cut,
    flood: Flood,
}

/// Tells whoever drives the connection that its peer floods it.
#[derive(Clone, Default)]
pub(crate) struct Flood(Rc<Cell<bool>>);

impl Flood {
    /// Whether there have been too many frames that cost us something and bring nothing. Nothing more is
    /// read from then on, and nobody is woken: to be asked each time that the connection was polled.
    pub(crate) fn has_come(&self) -> bool {
        self.0.get()
    }
}

impl<T> Frames<T> {
    /// Those of a connection to a server.
    pub(crate) fn of_client(stream: T) -> (Self, Flood) {
        Self::new(stream, 0, PREFACE, None)
    }

    /// Those of a connection that a client has opened, its preface included. It may make so many mistakes at once.
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
    /// Reads the rest of a head that was cut, and nothing behind it; false at the stream's end.
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
                    // As much as there is: the end inside a frame is h2's to judge.
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
