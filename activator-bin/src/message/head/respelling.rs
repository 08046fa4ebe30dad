//! Respells the headers that hyper writes, which are in lower case.

use std::io::{self, IoSlice};
use std::task::{Poll, ready};

use super::Names;

/// The most capacity kept between heads.
const KEPT: usize = 1_024;

/// The most buffers in a rewritten write.
const PARTS: usize = 16;

/// Respells the names in the next head that hyper writes. Only their case changes.
#[derive(Debug, Default)]
pub(crate) struct Respelling {
    is_head_next: bool,
    names: Names,
    /// Replaces the start of hyper's bytes; the first `written` bytes of it are already out.
    changed: Vec<u8>,
    written: usize,
}

impl Respelling {
    /// Hyper's next bytes are a head.
    pub(crate) fn begin(&mut self) {
        self.is_head_next = true;
        self.names = Names::default();
    }

    /// Sets the spelling to use.
    pub(crate) fn set_names(&mut self, names: Names) {
        self.names = names;
    }

    /// Whether writes are changed.
    fn is_needed(&self) -> bool {
        self.is_head_next || !self.changed.is_empty()
    }

    /// Writes `bufs` from hyper, respelled where that is needed. Returns how many bytes of it were written.
    pub(crate) fn poll_write(
        &mut self,
        bufs: &[IoSlice<'_>],
        write: impl FnOnce(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if !self.is_needed() {
            return write(bufs);
        }
        let bufs = match bufs.iter().position(|buf| !buf.is_empty()) {
            Some(first) => &bufs[first..],
            None => return write(bufs),
        };
        let (first, others) = bufs.split_first().expect("there is a non-empty buffer");
        if self.changed.is_empty() {
            self.changed.extend_from_slice(first);
            self.is_head_next = !self.names.put_into(&mut self.changed);
            if !self.is_head_next {
                // They keep what the head was read into.
                self.names = Names::default();
            }
        }
        let changed = &self.changed[self.written..];
        let changed = &changed[..changed.len().min(first.len())];
        let mut parts = [IoSlice::new(&[]); PARTS];
        parts[0] = IoSlice::new(changed);
        parts[1] = IoSlice::new(&first[changed.len()..]);
        let count = others.len().min(PARTS - 2);
        parts[2..2 + count].copy_from_slice(&others[..count]);
        // After an informational response another head follows; it must start its own write.
        let count = if self.is_head_next { 1 } else { 2 + count };
        let written = ready!(write(&parts[..count]))?;
        self.written += written.min(changed.len());
        if self.written == self.changed.len() {
            self.changed.clear();
            self.changed.shrink_to(KEPT);
            self.written = 0;
        }
        Poll::Ready(Ok(written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a peer reads if it accepts `room` bytes at a time and hyper writes twice.
    fn write(head: &[u8], later: &[u8], room: usize, is_vectored: bool) -> Vec<u8> {
        let mut respelling = Respelling::default();
        respelling.begin();
        respelling.set_names(Names::of(b"x-a: 1\r\nETag: 2\r\n"));
        let mut read = Vec::new();
        let all = [head, later].concat();
        while read.len() < all.len() {
            let (head, later) = match head.get(read.len()..) {
                Some(head) => (head, later),
                None => (&[][..], &later[read.len() - head.len()..]),
            };
            let bufs = [IoSlice::new(head), IoSlice::new(later)];
            if !respelling.is_needed() {
                read.extend_from_slice(head);
                read.extend_from_slice(later);
                break;
            }
            let before = read.len();
            let written = respelling.poll_write(&bufs, |bufs| {
                let parts = if is_vectored { bufs } else { &bufs[..1] };
                let bytes = parts.iter().flat_map(|part| part.iter());
                read.extend(bytes.take(room));
                Poll::Ready(Ok(read.len() - before))
            });
            assert!(matches!(written, Poll::Ready(Ok(written)) if written > 0));
        }
        read
    }

    #[test]
    fn only_names_change_however_little_the_peer_accepts() {
        let head = b"HTTP/1.1 200 OK\r\nx-a: 1\r\netag: 2\r\ndate: x\r\n\r\n";
        let body = b"x-a: 1\r\netag: 2\r\ndate: x\r\n\r\n";
        let expected = [
            &b"HTTP/1.1 200 OK\r\nx-a: 1\r\nETag: 2\r\nDate: x\r\n\r\n"[..],
            body,
        ];
        for room in 1..100 {
            for is_vectored in [false, true] {
                let read = write(head, body, room, is_vectored);
                assert_eq!(read, expected.concat());
                let flat = [&head[..], body].concat();
                assert_eq!(write(&flat, b"", room, is_vectored), expected.concat());
            }
        }
    }

    #[test]
    fn an_informational_response_is_not_the_last_head() {
        let mut respelling = Respelling::default();
        respelling.begin();
        for (head, expected) in [
            (
                &b"HTTP/1.1 100 Continue\r\n\r\n"[..],
                &b"HTTP/1.1 100 Continue\r\n\r\n"[..],
            ),
            (
                b"HTTP/1.1 204 No Content\r\na: b\r\n\r\n",
                b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
            ),
        ] {
            assert!(respelling.is_needed());
            let written = respelling.poll_write(&[IoSlice::new(head)], |bufs| {
                assert_eq!(&*bufs[0], expected);
                Poll::Ready(Ok(head.len()))
            });
            assert!(written.is_ready());
        }
        assert!(!respelling.is_needed());
    }
}
