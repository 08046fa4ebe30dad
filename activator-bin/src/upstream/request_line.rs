//! The target of a request line that hyper writes with another one in its place.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::target::Target;

/// A connection whose first request has the target that it came with.
pub(super) struct RequestLine<S> {
    stream: S,
    restoring: Restoring,
}

impl<S> RequestLine<S> {
    /// The first request has `target`, if that is not the one that hyper knows.
    pub(super) fn new(stream: S, target: Option<Target>) -> Self {
        let restoring = Restoring {
            target,
            ..Restoring::default()
        };
        Self { stream, restoring }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RequestLine<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RequestLine<S> {
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
        let Self { stream, restoring } = &mut *self;
        let mut stream = Pin::new(stream);
        match restoring.is_needed() {
            true => {
                restoring.poll_write(cx, bufs, |cx, bytes| stream.as_mut().poll_write(cx, bytes))
            }
            false => stream.poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Puts a target back into the request line that hyper writes.
#[derive(Debug, Default)]
struct Restoring {
    /// For the request that is written next.
    target: Option<Target>,
    /// What is written instead of the beginning of that.
    unwritten: BytesMut,
    /// How much of that it is.
    replaced: usize,
}

impl Restoring {
    fn is_needed(&self) -> bool {
        self.target.is_some() || self.replaced > 0
    }

    /// To be called for a write that is needed. Answers how many bytes of `bufs` are written.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        mut write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Some(target) = self.target.take() {
            let target = target.as_bytes();
            let head = bufs.iter().find(|buf| !buf.is_empty());
            let head: &[u8] = head.map_or(&[], |head| head);
            // It is our own: there are spaces in it only around the target.
            let mut spaces = (0..head.len()).filter(|&at| head[at] == b' ');
            let (Some(start), Some(end)) = (spaces.next(), spaces.next()) else {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            };
            self.replaced = end;
            self.unwritten.extend_from_slice(&head[..=start]);
            if !target.starts_with(b"/") {
                self.unwritten.extend_from_slice(b"/");
            }
            self.unwritten.extend_from_slice(target);
        }
        while !self.unwritten.is_empty() {
            match ready!(write(cx, &self.unwritten))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.unwritten.advance(written),
            }
        }
        self.unwritten = BytesMut::new();
        Poll::Ready(Ok(std::mem::take(&mut self.replaced)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// What a backend reads that takes `room` bytes of the target at a time.
    fn restore(target: &str, hyper: &str, room: usize) -> String {
        let mut restoring = Restoring {
            target: Some(Target::new(Bytes::copy_from_slice(target.as_bytes()))),
            ..Restoring::default()
        };
        let (mut read, mut rest) = (Vec::new(), hyper.as_bytes());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while restoring.is_needed() {
            let mut left = room;
            let polled = restoring.poll_write(&mut cx, &[IoSlice::new(rest)], |_, bytes| {
                let taken = bytes.len().min(left);
                left -= taken;
                read.extend_from_slice(&bytes[..taken]);
                match taken {
                    0 => Poll::Pending,
                    taken => Poll::Ready(Ok(taken)),
                }
            });
            if let Poll::Ready(written) = polled {
                rest = &rest[written.unwrap()..];
            }
        }
        read.extend_from_slice(rest);
        String::from_utf8(read).unwrap()
    }

    #[test]
    fn it_stands_in_the_request_line_however_little_the_backend_takes() {
        for room in 1..30 {
            let written = restore("/<a>", "GET /_a_ HTTP/1.1\r\na: b c\r\n\r\n", room);
            assert_eq!(written, "GET /<a> HTTP/1.1\r\na: b c\r\n\r\n");
            let written = restore("?\"", "POST /?_ HTTP/1.1\r\n\r\n", room);
            assert_eq!(written, "POST /?\" HTTP/1.1\r\n\r\n");
        }
    }
}
