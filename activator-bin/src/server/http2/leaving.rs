//! Closes a connection during a drain.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::Reason;
use h2::server::Connection;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::drain::Draining;
use crate::server::end::LAST_HEAD;
use crate::server::timer::Timer;

/// A connection's progress through a drain.
pub(super) struct Leaving {
    /// Shows at no cost whether the drain has made progress.
    draining: Draining,
    announced: Pin<Box<dyn Future<Output = ()>>>,
    begun: Pin<Box<dyn Future<Output = ()>>>,
    is_watching: bool,
    stage: Stage,
    /// Runs while there are no requests, once the drain has begun.
    idle: Timer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    /// The client was told to send no more requests.
    Announced,
    /// The drain has begun.
    Begun,
    /// The connection is closing.
    Ending,
}

impl Leaving {
    pub(super) fn new(draining: Draining) -> Self {
        let (mut announced, mut begun) = (draining.clone(), draining.clone());
        Self {
            draining,
            announced: Box::pin(async move { announced.announced().await }),
            begun: Box::pin(async move { _ = begun.begun().await }),
            is_watching: false,
            stage: Stage::Serving,
            idle: Timer::default(),
        }
    }

    /// Sends GOAWAY when the drain is announced. Requests that the client sent before it received that are served.
    pub(super) fn poll<I>(&mut self, cx: &mut Context<'_>, connection: &mut Connection<I, Bytes>)
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        // Polling once registers the waker.
        if std::mem::replace(&mut self.is_watching, true) && !self.draining.is_stale() {
            return;
        }
        if self.stage == Stage::Serving && self.announced.as_mut().poll(cx).is_ready() {
            self.stage = Stage::Announced;
            connection.graceful_shutdown();
        }
        if matches!(self.stage, Stage::Serving | Stage::Announced)
            && self.begun.as_mut().poll(cx).is_ready()
        {
            self.stage = Stage::Begun;
        }
    }

    /// Closes a connection that has no requests and whose client does not close it after GOAWAY. Returns whether the
    /// connection must be polled again.
    pub(super) fn poll_idle<I>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection<I, Bytes>,
    ) -> bool
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        if self.stage != Stage::Begun || connection.has_streams() {
            self.idle.disarm();
            return false;
        }
        let is_over = self.idle.poll(cx, LAST_HEAD) == Poll::Ready(());
        if is_over {
            connection.abrupt_shutdown(Reason::NO_ERROR);
            self.stage = Stage::Ending;
        }
        is_over
    }
}
