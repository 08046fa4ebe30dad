//! Sends a response body, as fast as the client reads it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body as _;
use reporter_metrics::ErrorReason;
use tokio::time::sleep;

use super::Http2;
use crate::proxy::{BodyError, ResponseBody};
use crate::server::timer::Timer;
use crate::upstream::ReceiveError;

/// How long a client may stall in a refusal once a drain has begun.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Sends a body.
pub(super) struct Sending {
    body: ResponseBody,
    to: SendStream<Bytes>,
    /// Data for which the client's window has no room yet.
    waiting: Bytes,
    may_have_body: bool,
    /// Runs while the client does not read.
    blocked: Timer,
    is_blocked: bool,
    is_late: bool,
    http: Rc<Http2>,
    /// Set only for a refusal that has to wait.
    drained: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Sending {
    pub(super) fn new(
        body: ResponseBody,
        to: SendStream<Bytes>,
        may_have_body: bool,
        http: Rc<Http2>,
    ) -> Self {
        Self {
            body,
            to,
            waiting: Bytes::new(),
            may_have_body,
            blocked: Timer::default(),
            is_blocked: false,
            is_late: false,
            http,
            drained: None,
        }
    }

    /// Counts the outcome.
    pub(super) fn end(self) {
        if self.is_late {
            self.body.fail(ErrorReason::ClientTimeout);
        }
    }

    /// Ready when everything was sent, or either side has reset the stream.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // Registers the waker also while waiting for something else.
            if self.to.poll_reset(cx).is_ready() {
                return Poll::Ready(());
            }
            let is_over = if self.waiting.is_empty() {
                ready!(self.poll_body(cx))
            } else {
                ready!(self.poll_room(cx))
            };
            if is_over {
                return Poll::Ready(());
            }
        }
    }

    /// Takes the next part of the body. Returns whether sending is over.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                tracing::debug!(%error, "the body of a response failed");
                self.to.send_reset(reason(&error));
                return Poll::Ready(true);
            }
            None => return Poll::Ready(self.send(Bytes::new(), true)),
        };
        let data = match frame.into_data() {
            Ok(data) if self.may_have_body => data,
            Ok(_) => Bytes::new(),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                if trailers.is_empty() {
                    return Poll::Ready(self.send(Bytes::new(), true));
                }
                // An error means that the stream is closed.
                let _ = self.to.send_trailers(trailers);
                return Poll::Ready(true);
            }
        };
        if data.is_empty() {
            let is_over = self.body.is_end_stream();
            return Poll::Ready(is_over && self.send(data, true));
        }
        self.to.reserve_capacity(data.len());
        self.waiting = data;
        Poll::Ready(false)
    }

    /// Sends as much waiting data as the window allows. Returns whether sending is over.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut room = self.to.capacity();
        while room == 0 {
            match self.to.poll_capacity(cx) {
                Poll::Ready(Some(Ok(more))) => room = more,
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(true),
                Poll::Pending => return self.poll_blocked(cx).map(|()| true),
            }
        }
        self.is_blocked = false;
        let part = self.waiting.split_to(room.min(self.waiting.len()));
        let is_last = self.waiting.is_empty() && self.body.is_end_stream();
        Poll::Ready(self.send(part, is_last))
    }

    /// Ready when the client has not read anything for too long, or the request has timed out.
    fn poll_blocked(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.body.poll_met(cx).is_ready() {
            self.to.send_reset(Reason::CANCEL);
            return Poll::Ready(());
        }
        let patience = self.http.limits.body_idle_timeout;
        if !std::mem::replace(&mut self.is_blocked, true) {
            self.blocked.restart(patience);
            if self.body.is_whole() {
                let mut draining = self.http.draining.clone();
                self.drained = Some(Box::pin(async move {
                    draining.begun().await;
                    sleep(LAST_WORDS).await;
                }));
            }
        }
        let drained = self.drained.as_mut();
        if drained.is_none_or(|drained| drained.as_mut().poll(cx).is_pending()) {
            ready!(self.blocked.poll(cx, patience));
        }
        self.is_late = true;
        self.to.send_reset(Reason::CANCEL);
        Poll::Ready(())
    }

    /// Returns whether sending is over.
    fn send(&mut self, part: Bytes, is_last: bool) -> bool {
        self.to.send_data(part, is_last).is_err() || is_last
    }
}

/// The reset's error code for the client.
fn reason(error: &BodyError) -> Reason {
    match error {
        BodyError::Backend(ReceiveError::Http2(error)) => error.reason(),
        BodyError::Backend(_) | BodyError::TimedOut => None,
    }
    .unwrap_or(Reason::INTERNAL_ERROR)
}
