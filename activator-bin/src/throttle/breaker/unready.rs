//! What requests meet while no backend is ready: some leave the queue, and once starting has failed all of them do.

use std::sync::Arc;
use std::time::Instant;

use super::{Breaker, NotQueued, Ticket};
use crate::throttle::error::{Failure, Standing};

impl<W> Breaker<W> {
    /// What a request for a ready backend meets.
    pub(in super::super) fn standing(&self, now: impl FnOnce() -> Instant) -> Standing {
        match &self.failure {
            _ if self.backends.ready() > 0 => Standing::Ready,
            Some(failure) if now() < failure.until => Standing::Failed(Arc::clone(failure)),
            _ => Standing::NotReady,
        }
    }

    /// Sets why no backend is expected to become ready. If none is ready now, returns the waiters, which are refused.
    #[must_use = "the waiters do not know yet"]
    pub(in super::super) fn set_failure(
        &mut self,
        failure: Option<Arc<Failure>>,
    ) -> impl Iterator<Item = W> + use<W> {
        self.failure = failure;
        let is_refusing = self.failure.is_some() && self.backends.ready() == 0;
        let refused = is_refusing.then(|| {
            self.refused.clone_from(&self.failure);
            std::mem::take(&mut self.waiting)
        });
        refused.unwrap_or_default().into_values()
    }

    /// Whether a new request may wait that does so only while a backend is ready.
    pub(in super::super) fn may_wait_while_ready(&self) -> Result<(), NotQueued> {
        if self.open && self.backends.ready() == 0 {
            return Err(NotQueued::NotReady);
        }
        // No failure matters while a backend is ready.
        self.may_wait(Instant::now)
    }

    /// As [`enqueue`](Self::enqueue), but the request leaves the queue once no backend is ready.
    pub(in super::super) fn enqueue_while_ready(&mut self, waiter: W) -> Ticket {
        let ticket = self.enqueue(waiter);
        self.only_while_ready.insert(ticket);
        ticket
    }

    /// The waiters that have left the queue because no backend is ready. To be asked after every change that may leave
    /// none ready.
    #[must_use = "the waiters do not know yet"]
    pub(in super::super) fn take_dismissed(&mut self) -> Vec<W> {
        std::mem::take(&mut self.dismissed)
    }

    /// If no backend is ready, those who wait only while one is leave the queue.
    pub(super) fn dismiss(&mut self) {
        if self.backends.ready() == 0 {
            let leaving = std::mem::take(&mut self.only_while_ready);
            let waiters = leaving.iter().filter_map(|it| self.waiting.remove(it));
            self.dismissed.extend(waiters);
        }
    }
}
