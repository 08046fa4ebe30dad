//! One reader of events: its bytes, which wait for it in a bounded number.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

/// The events as a response body. It ends when its sender is dropped.
pub(in crate::admin) struct EventsBody(mpsc::Receiver<Bytes>);

/// A body, and what its events go in through. One waits there besides those that the connection holds.
pub(super) fn channel() -> (mpsc::Sender<Bytes>, EventsBody) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, EventsBody(receiver))
}

impl Body for EventsBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = self.0.poll_recv(cx);
        bytes.map(|bytes| Some(Ok(Frame::data(bytes?))))
    }
}
