//! The stages of shutting down: who announces them, and who waits for them. Each part reacts on its own.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Announces the stages. Dropping it without [`begin`](Self::begin) means: end at once.
pub(crate) struct Drain {
    stage: watch::Sender<Stage>,
}

/// Observes the stages.
#[derive(Clone)]
pub(crate) struct Draining {
    stage: watch::Receiver<Stage>,
}

#[derive(Clone, Copy)]
enum Stage {
    Serving,
    /// Clients should stop sending requests, and have until then to notice. Requests are still served.
    Announced(Instant),
    /// Requests in flight may take until then.
    Begun(Instant),
}

impl Drain {
    pub(crate) fn new() -> (Self, Draining) {
        let (sender, receiver) = watch::channel(Stage::Serving);
        (Self { stage: sender }, Draining { stage: receiver })
    }

    /// Reports this process as not ready. The drain begins after `delay`.
    pub(crate) fn announce(&self, delay: Duration) {
        self.stage
            .send_replace(Stage::Announced(Instant::now() + delay));
    }

    /// Accepts no new connections. Requests in flight may take until `timeout` from now.
    pub(crate) fn begin(&self, timeout: Duration) {
        self.stage
            .send_replace(Stage::Begun(Instant::now() + timeout));
    }
}

impl Draining {
    /// Whether a drain is announced or has begun.
    pub(crate) fn is_announced(&self) -> bool {
        !matches!(*self.stage.borrow(), Stage::Serving)
    }

    /// Whether a drain has begun.
    pub(crate) fn has_begun(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Begun(_))
    }

    /// Whether the time for requests in flight is over.
    pub(crate) fn is_over(&self) -> bool {
        let over = matches!(*self.stage.borrow(), Stage::Begun(until) if until <= Instant::now());
        over || self.stage.has_changed().is_err()
    }

    /// Whether anything was announced since this was cloned. Unlike the others it takes no lock shared by all
    /// workers.
    pub(crate) fn is_stale(&self) -> bool {
        self.stage.has_changed().unwrap_or(true)
    }

    /// Waits until a random moment between the announcement, or now, and the beginning. Never ready if none of that
    /// time is left.
    ///
    /// Cancel-safe, but the next call picks another moment.
    pub(crate) async fn moment(&mut self) {
        self.announced().await;
        match self.left() {
            Some(left) => Box::pin(sleep(left.mul_f64(rand::random()))).await,
            None => pending().await,
        }
    }

    /// Waits for such a moment or for the beginning.
    ///
    /// Cancel-safe in the same way.
    pub(crate) async fn moment_or_begun(&mut self) {
        self.announced().await;
        let mut begun = self.clone();
        Box::pin(async move {
            tokio::select! {
                () = self.moment() => {}
                _ = begun.begun() => {}
            }
        })
        .await;
    }

    /// The time left until the beginning, once announced.
    fn left(&self) -> Option<Duration> {
        match *self.stage.borrow() {
            Stage::Announced(until) => {
                let left = until.saturating_duration_since(Instant::now());
                (!left.is_zero()).then_some(left)
            }
            _ => None,
        }
    }

    /// Waits until a drain is announced, has begun, or the [`Drain`] is dropped.
    ///
    /// Cancel-safe.
    pub(crate) async fn announced(&mut self) {
        // An error means that the `Drain` was dropped.
        let _ = self
            .stage
            .wait_for(|stage| !matches!(stage, Stage::Serving))
            .await;
    }

    /// Waits for the beginning. Returns when requests in flight must have ended: now, if the [`Drain`] is dropped.
    ///
    /// Cancel-safe.
    pub(crate) async fn begun(&mut self) -> Instant {
        let begun = |stage: &Stage| matches!(stage, Stage::Begun(_));
        match self.stage.wait_for(begun).await.as_deref() {
            Ok(Stage::Begun(until)) => *until,
            _ => Instant::now(),
        }
    }

    /// Waits until the [`Drain`] is dropped.
    ///
    /// Cancel-safe.
    pub(crate) async fn abandoned(&mut self) {
        while self.stage.changed().await.is_ok() {}
    }
}
