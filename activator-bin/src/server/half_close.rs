//! HTTP/1 clients that have closed their sending side: do they wait for a response, or have they disconnected?
//!
//! Both look the same (FIN). One that has disconnected resets the connection when something is sent to it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::timer::Timer;
use crate::client::{Client, Sent};
use crate::limits::HalfClose;

/// How long nothing is sent to such a client before it gets a 100 (Continue), which every HTTP/1.1 client skips
/// (RFC 9110, 15.2; some skip no other 1xx). Nearly all responses have begun by then, and disconnected clients do not
/// distort queues and counts much.
const ASK: Duration = Duration::from_secs(1);

/// How long nothing is sent of a response that has begun before the client counts as disconnected: nothing can be sent
/// as a test in the middle of a response.
const SILENCE: Duration = Duration::from_secs(5);

/// The state of such a connection.
pub(super) struct HalfClosed<'a> {
    client: &'a Client,
    broken: Pin<Box<dyn Future<Output = ()> + 'a>>,
    timer: Timer,
    was_asked: bool,
}

impl<'a> HalfClosed<'a> {
    pub(super) fn new(client: &'a Client) -> Self {
        Self {
            client,
            broken: Box::pin(client.broken()),
            timer: Timer::default(),
            was_asked: false,
        }
    }

    /// Ready when the client has disconnected.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, setting: HalfClose) -> Poll<()> {
        if setting == HalfClose::Gone || self.broken.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.client.output.was_written.take() {
            self.timer.disarm();
        }
        match self.client.output.sent.get() {
            Sent::Nothing if !self.was_asked => {
                ready!(self.timer.poll(cx, ASK));
                self.timer.disarm();
                self.was_asked = true;
                let none = HeaderMap::new();
                self.client.informational.send(StatusCode::CONTINUE, &none);
                Poll::Pending
            }
            Sent::Begun => self.timer.poll(cx, SILENCE),
            // The rest of the request body is read, or times out.
            Sent::Nothing | Sent::NothingOld | Sent::All | Sent::Quiet => Poll::Pending,
        }
    }
}
