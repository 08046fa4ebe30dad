//! Informational responses (1xx) to HTTP/1 clients. Hyper's server does not support them, so they are written to its
//! stream beside it, at points where they do not break what it writes.

use std::io;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::message::head::to_canonical;

/// No more are added while this many bytes are unwritten.
const ENOUGH: usize = 16 * 1024;

/// The unwritten informational responses of one connection.
///
/// Hyper flushes its stream whenever it has written everything in its buffer, so their position is known: after what was
/// buffered when they arrived, and before what is buffered later.
#[derive(Default)]
pub(crate) struct Informational {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    heads: BytesMut,
    /// Hyper's buffer may hold part of earlier responses.
    is_late: bool,
    /// Of the connection's task.
    waker: Option<Waker>,
}

impl Informational {
    /// The backend has sent one, whether or not it is forwarded.
    pub(crate) fn on_arrival(&self) {
        self.arrived.notify_waiters();
    }

    /// Waits for the next one to arrive.
    ///
    /// Cancel-safe.
    pub(crate) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Sends one. It is dropped when the client reads so slowly that earlier ones are unwritten: they are only hints,
    /// and the final response cannot wait for them.
    pub(crate) fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let mut state = self.state.lock();
        if state.heads.len() >= ENOUGH {
            return;
        }
        let reason = status.canonical_reason().unwrap_or_default();
        let heads = &mut state.heads;
        heads.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).as_bytes());
        for (name, value) in headers {
            let start = heads.len();
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                heads.extend_from_slice(part);
            }
            to_canonical(&mut heads[start..start + name.as_str().len()]);
        }
        heads.extend_from_slice(b"\r\n");
        if let Some(waker) = &state.waker {
            waker.wake_by_ref();
        }
    }

    /// The final response comes next. Informational ones that cannot be written before it are dropped.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        if state.is_late {
            state.heads.clear();
        }
    }

    /// To be called first when hyper flushes: its buffer is empty.
    pub(crate) fn poll_at_flush(
        &self,
        cx: &mut Context<'_>,
        write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        state.is_late = false;
        if !state
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            state.waker = Some(cx.waker().clone());
        }
        state.poll_write(cx, write)
    }

    /// To be called first when hyper writes.
    pub(crate) fn poll_at_write(
        &self,
        cx: &mut Context<'_>,
        write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        if !state.is_late {
            ready!(state.poll_write(cx, write))?;
            state.is_late = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl State {
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        while !self.heads.is_empty() {
            match ready!(write(cx, &self.heads))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.heads.advance(written),
            }
            if self.heads.is_empty() {
                self.heads = BytesMut::new();
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that accepts `room` bytes.
    struct Peer {
        read: Vec<u8>,
        room: usize,
    }

    impl Peer {
        fn new(room: usize) -> Self {
            Self {
                read: Vec::new(),
                room,
            }
        }

        fn write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.room);
            self.room -= taken;
            self.read.extend_from_slice(&bytes[..taken]);
            match taken {
                0 => Poll::Pending,
                taken => Poll::Ready(Ok(taken)),
            }
        }

        fn flush(&mut self, informational: &Informational) -> bool {
            let mut cx = Context::from_waker(Waker::noop());
            let polled = informational.poll_at_flush(&mut cx, |_, bytes| self.write(bytes));
            polled.is_ready()
        }

        /// Writes `bytes` as hyper does. Returns how many were accepted.
        fn hyper(&mut self, informational: &Informational, bytes: &[u8]) -> usize {
            let mut cx = Context::from_waker(Waker::noop());
            let polled = informational.poll_at_write(&mut cx, |_, bytes| self.write(bytes));
            match polled.is_ready().then(|| self.write(bytes)) {
                Some(Poll::Ready(written)) => written.unwrap(),
                _ => 0,
            }
        }
    }

    fn hint(informational: &Informational) {
        informational.send(StatusCode::EARLY_HINTS, &HeaderMap::new());
    }

    const HINT: &str = "HTTP/1.1 103 Early Hints\r\n\r\n";

    #[test]
    fn they_precede_later_writes_of_hyper_however_little_the_client_reads() {
        for room in 0..80 {
            let (informational, mut peer) = (Informational::default(), Peer::new(room));
            assert!(peer.flush(&informational));
            hint(&informational);
            peer.flush(&informational);
            hint(&informational);
            informational.end();
            let mut answer = &b"answer"[..];
            while !answer.is_empty() {
                answer = &answer[peer.hyper(&informational, answer)..];
                peer.room += 1;
            }
            let read = String::from_utf8(peer.read).unwrap();
            assert_eq!(read, format!("{HINT}{HINT}answer"));
        }
    }

    #[test]
    fn they_wait_for_the_rest_of_an_earlier_response() {
        let (informational, mut peer) = (Informational::default(), Peer::new(3));
        assert_eq!(peer.hyper(&informational, b"earlier"), 3);
        hint(&informational);
        peer.room = 100;
        assert_eq!(peer.hyper(&informational, b"lier"), 4);
        assert!(peer.flush(&informational));
        assert_eq!(
            String::from_utf8(peer.read).unwrap(),
            format!("earlier{HINT}")
        );
    }

    #[test]
    fn they_are_dropped_when_the_final_response_overtakes_them() {
        let (informational, mut peer) = (Informational::default(), Peer::new(3));
        assert_eq!(peer.hyper(&informational, b"earlier"), 3);
        hint(&informational);
        informational.end();
        peer.room = 100;
        assert_eq!(peer.hyper(&informational, b"lieranswer"), 10);
        assert!(peer.flush(&informational));
        assert_eq!(String::from_utf8(peer.read).unwrap(), "earlieranswer");
    }

    #[test]
    fn unwritten_ones_are_bounded() {
        let informational = Informational::default();
        for _ in 0..100_000 {
            hint(&informational);
        }
        let mut peer = Peer::new(usize::MAX);
        assert!(peer.flush(&informational));
        assert!(peer.read.len() < ENOUGH + HINT.len(), "{}", peer.read.len());
    }
}
