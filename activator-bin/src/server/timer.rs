//! A timer that is created on first use.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// A timer that costs nothing until it is polled: nearly all heads arrive in one piece.
#[derive(Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready `timeout` after the first call since it was disarmed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, timeout: Duration) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep(timeout)));
        timer.as_mut().poll(cx)
    }

    /// If it is running, restarts it with `timeout` from now. Cheaper than disarming it.
    pub(super) fn restart(&mut self, timeout: Duration) {
        if let Some(timer) = &mut self.0 {
            timer.as_mut().reset(Instant::now() + timeout);
        }
    }

    pub(super) fn disarm(&mut self) {
        self.0 = None;
    }
}
