//! Clients of HTTP/1 that have closed their side: whether they wait for a response, or have disconnected.
//!
//! Both look the same (FIN). One that has disconnected resets the connection when it is sent something.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::timer::Timer;
use crate::client::{Client, Sent};
use crate::limits::HalfClose;

/// How long nothing is sent to such a client before it is asked by 100 (Continue), which every client of HTTP/1.1
/// skips (RFC 9110, 15.2; there are some that skip no other). Nearly all responses are there by then, and no queue
/// or count is much affected by who has disconnected.
const ASK: Duration = Duration::from_secs(1);

/// How long nothing is sent of a response that has begun before the client is taken for disconnected: there is
/// nothing to ask with in the middle of one.
const SILENCE: Duration = Duration::from_secs(5);

/// What a connection needs from then on.
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
            // What is left of a body is read, or meets a time-out.
            Sent::Nothing | Sent::NothingOld | Sent::All | Sent::Quiet => Poll::Pending,
        }
    }
}
