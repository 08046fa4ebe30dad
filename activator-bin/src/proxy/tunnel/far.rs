//! The backend's end of a tunnel. If it is dropped early, the backend sees a reset and not an orderly close.

use socket2::SockRef;

use crate::upstream::Switched;

/// Both directions. Dropping it resets the connection unless [`complete`](Self::complete) was called; TLS has its own
/// close message.
pub(super) struct Far(pub(super) Switched);

impl Far {
    pub(super) fn new(stream: Switched) -> Self {
        // Best effort: without it the connection closes as if it were complete.
        if let Some(socket) = stream.plain_tcp() {
            let _ = socket.set_zero_linger();
        }
        Self(stream)
    }

    /// Both directions have ended.
    pub(super) fn complete(&self) {
        if let Some(socket) = self.0.plain_tcp() {
            let _ = SockRef::from(socket).set_linger(None);
        }
    }
}
