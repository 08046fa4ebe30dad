//! The end of service: who tells, and who hears of it. What each part then does is its own.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The telling end. Dropping it without [`begin`](Self::begin) means: end at once.
pub(crate) struct Drain {
    until: watch::Sender<Option<Instant>>,
}

/// The hearing end.
#[derive(Clone)]
pub(crate) struct Draining {
    until: watch::Receiver<Option<Instant>>,
}

impl Drain {
    pub(crate) fn new() -> (Self, Draining) {
        let (sender, receiver) = watch::channel(None);
        (Self { until: sender }, Draining { until: receiver })
    }

    /// No new connections from now on; what is in flight may take until `timeout` from now.
    pub(crate) fn begin(&self, timeout: Duration) {
        self.until.send_replace(Some(Instant::now() + timeout));
    }
}

impl Draining {
    /// Whether it has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.until.borrow().is_some()
    }

    /// Whether what is in flight is being ended, its time being over.
    pub(crate) fn is_over(&self) -> bool {
        let until = *self.until.borrow();
        until.is_some_and(|until| until <= Instant::now()) || self.until.has_changed().is_err()
    }

    /// Waits for the beginning; answers when what is in flight must have ended, now at the latest
    /// when the teller is gone.
    ///
    /// Cancel-safe.
    pub(crate) async fn begun(&mut self) -> Instant {
        match self.until.wait_for(Option::is_some).await {
            Ok(until) => until.unwrap_or_else(Instant::now),
            Err(_) => Instant::now(),
        }
    }

    /// Waits until there is nobody left who could tell anything.
    ///
    /// Cancel-safe.
    pub(crate) async fn abandoned(&mut self) {
        while self.until.changed().await.is_ok() {}
    }
}
