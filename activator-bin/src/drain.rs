//! The end of service: who tells, and who hears of it. What each part then does is its own.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// The telling end. Dropping it without [`begin`](Self::begin) means: end at once.
pub(crate) struct Drain {
    stage: watch::Sender<Stage>,
}

/// The hearing end.
#[derive(Clone)]
pub(crate) struct Draining {
    stage: watch::Receiver<Stage>,
}

#[derive(Clone, Copy)]
enum Stage {
    Serving,
    /// Others are to send no more, and have until then to hear of it; whoever comes is served.
    Announced(Instant),
    /// What is in flight may take until then.
    Begun(Instant),
}

impl Drain {
    pub(crate) fn new() -> (Self, Draining) {
        let (sender, receiver) = watch::channel(Stage::Serving);
        (Self { stage: sender }, Draining { stage: receiver })
    }

    /// Not ready from now on; it begins so much later.
    pub(crate) fn announce(&self, delay: Duration) {
        self.stage
            .send_replace(Stage::Announced(Instant::now() + delay));
    }

    /// No new connections from now on; what is in flight may take until `timeout` from now.
    pub(crate) fn begin(&self, timeout: Duration) {
        self.stage
            .send_replace(Stage::Begun(Instant::now() + timeout));
    }
}

impl Draining {
    /// Whether it will begin, or has.
    pub(crate) fn is_announced(&self) -> bool {
        !matches!(*self.stage.borrow(), Stage::Serving)
    }

    /// Whether what is in flight is being ended, its time being over.
    pub(crate) fn is_over(&self) -> bool {
        let over = matches!(*self.stage.borrow(), Stage::Begun(until) if until <= Instant::now());
        over || self.stage.has_changed().is_err()
    }

    /// Whether anything may have been told since this was cloned. Costs no lock, as the others do that all
    /// workers share.
    pub(crate) fn is_stale(&self) -> bool {
        self.stage.has_changed().unwrap_or(true)
    }

    /// Waits for a moment between the announcement, or now, and the beginning that each caller has for
    /// itself. There is none when nothing is left of that time.
    ///
    /// Cancel-safe, but the moment is another one then.
    pub(crate) async fn moment(&mut self) {
        self.announced().await;
        match self.left() {
            // On the heap, so that whoever waits for the announcement needs no room for it.
            Some(left) => Box::pin(sleep(left.mul_f64(rand::random()))).await,
            None => pending().await,
        }
    }

    /// Waits for such a moment, or for the beginning.
    ///
    /// Cancel-safe, likewise.
    pub(crate) async fn moment_or_begun(&mut self) {
        self.announced().await;
        let mut begun = self.clone();
        // On the heap, likewise.
        Box::pin(async move {
            tokio::select! {
                () = self.moment() => {}
                _ = begun.begun() => {}
            }
        })
        .await;
    }

    /// What is left from the announcement to the beginning.
    fn left(&self) -> Option<Duration> {
        match *self.stage.borrow() {
            Stage::Announced(until) => {
                let left = until.saturating_duration_since(Instant::now());
                (!left.is_zero()).then_some(left)
            }
            _ => None,
        }
    }

    /// Waits until it is announced, has begun, or the teller is gone.
    ///
    /// Cancel-safe.
    pub(crate) async fn announced(&mut self) {
        // An error means that nobody is left to tell.
        let _ = self
            .stage
            .wait_for(|stage| !matches!(stage, Stage::Serving))
            .await;
    }

    /// Waits for the beginning; answers when what is in flight must have ended, now at the latest
    /// when the teller is gone.
    ///
    /// Cancel-safe.
    pub(crate) async fn begun(&mut self) -> Instant {
        let begun = |stage: &Stage| matches!(stage, Stage::Begun(_));
        match self.stage.wait_for(begun).await.as_deref() {
            Ok(Stage::Begun(until)) => *until,
            _ => Instant::now(),
        }
    }

    /// Waits until there is nobody left who could tell anything.
    ///
    /// Cancel-safe.
    pub(crate) async fn abandoned(&mut self) {
        while self.stage.changed().await.is_ok() {}
    }
}
