//! The end of a connection when that of the service comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::Reason;
use h2::server::Connection;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::drain::Draining;
use crate::server::end::LAST_HEAD;
use crate::server::timer::Timer;

/// What a connection has heard of a drain, and done about it.
pub(super) struct Leaving {
    /// Notices that there may be something to hear, at no cost.
    told: Draining,
    announced: Pin<Box<dyn Future<Output = ()>>>,
    begun: Pin<Box<dyn Future<Output = ()>>>,
    is_watching: bool,
    stage: Stage,
    /// Since there has been no request, once the drain has begun.
    idle: Timer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    /// The client was told to send no more.
    Announced,
    /// Nothing more comes of it.
    Begun,
    /// It ends, as fast as the client takes that.
    Ending,
}

impl Leaving {
    pub(super) fn new(draining: Draining) -> Self {
        let (mut announced, mut begun) = (draining.clone(), draining.clone());
        Self {
            told: draining,
            announced: Box::pin(async move { announced.announced().await }),
            begun: Box::pin(async move { _ = begun.begun().await }),
            is_watching: false,
            stage: Stage::Serving,
            idle: Timer::default(),
        }
    }

    /// Says goodbye when the drain is announced. What the client has sent before it can know that is served.
    pub(super) fn poll<I>(&mut self, cx: &mut Context<'_>, connection: &mut Connection<I, Bytes>)
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        // Once is enough to be woken.
        if std::mem::replace(&mut self.is_watching, true) && !self.told.is_stale() {
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

    /// Has a connection end that has no request and whose client does not confirm the goodbye. Answers whether it
    /// has to be polled again.
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
