//! Restores a request target that hyper could only write in another form.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};

use crate::message::target::Target;

/// Puts the original target back into the first request line.
#[derive(Debug, Default)]
pub(super) struct Restoring {
    target: Option<Target>,
    /// Still to be written in place of hyper's bytes.
    unwritten: BytesMut,
    /// The length of hyper's bytes that this replaces.
    replaced: usize,
}

impl Restoring {
    /// `target` is set if hyper cannot represent the target of the first request.
    pub(super) fn new(target: Option<Target>) -> Self {
        Self {
            target,
            ..Self::default()
        }
    }

    pub(super) fn is_needed(&self) -> bool {
        self.target.is_some() || self.replaced > 0
    }

    /// Call only if [`is_needed`](Self::is_needed). Returns how many bytes of `bufs` were written.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        mut write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Some(target) = self.target.take() {
            let target = target.as_bytes();
            let head = bufs.iter().find(|buf| !buf.is_empty());
            let head: &[u8] = head.map_or(&[], |head| head);
            // This is our own head: the only spaces are those around the target.
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

    /// What a backend reads if it accepts `room` bytes at a time.
    fn restore(target: &str, hyper: &str, room: usize) -> String {
        let target = Bytes::copy_from_slice(target.as_bytes());
        let mut restoring = Restoring::new(Some(Target::new(target)));
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
    fn the_target_is_restored_however_little_the_backend_accepts() {
        for room in 1..30 {
            let written = restore("/<a>", "GET /_a_ HTTP/1.1\r\na: b c\r\n\r\n", room);
            assert_eq!(written, "GET /<a> HTTP/1.1\r\na: b c\r\n\r\n");
            let written = restore("?\"", "POST /?_ HTTP/1.1\r\n\r\n", room);
            assert_eq!(written, "POST /?\" HTTP/1.1\r\n\r\n");
        }
    }
}
