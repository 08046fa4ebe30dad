//! The backend's end of a tunnel. If it is dropped early, the backend sees a reset and not an orderly close.

use bytes::Bytes;
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio_util::either::Either;

use crate::upstream::Plain;

/// Both directions, without TLS or over TLS, which has its own close message. Dropping it resets the connection unless
/// [`complete`] was called.
pub(super) type Far = Either<Plain, TokioIo<Upgraded>>;

/// Also returns the bytes that were already read.
pub(super) fn open(upgraded: Upgraded) -> (Far, Bytes) {
    match upgraded.downcast::<TokioIo<Plain>>() {
        Ok(Parts { io, read_buf, .. }) => {
            let stream = io.into_inner();
            // Best effort: without it the connection closes as if it were complete.
            if let Some(socket) = stream.tcp() {
                let _ = socket.set_zero_linger();
            }
            (Either::Left(stream), read_buf)
        }
        Err(upgraded) => (Either::Right(TokioIo::new(upgraded)), Bytes::new()),
    }
}

/// Both directions have ended.
pub(super) fn complete(far: &Far) {
    if let Either::Left(stream) = far {
        let socket = stream.tcp();
        let _ = socket.map(|socket| SockRef::from(socket).set_linger(None));
    }
}
