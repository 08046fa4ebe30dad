//! The limit on waiting requests over all revisions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many requests may wait in all. Shared by the throttles of all revisions.
#[derive(Debug)]
pub struct QueueBudget {
    limit: usize,
    taken: AtomicUsize,
}

/// The right of one request to wait, given back when dropped.
#[derive(Debug)]
pub(crate) struct QueuePermit {
    budget: Arc<QueueBudget>,
}

impl QueueBudget {
    /// Allows `max_queued_requests` to wait.
    #[must_use]
    pub fn new(max_queued_requests: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: max_queued_requests,
            taken: AtomicUsize::new(0),
        })
    }

    /// The number of waiting requests, over all revisions.
    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// A permit for a new request. `None` if the limit is reached.
    pub(crate) fn permit(self: &Arc<Self>) -> Option<QueuePermit> {
        let one_more = |taken| (taken < self.limit).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(QueuePermit {
            budget: Arc::clone(self),
        })
    }

    /// A permit regardless of the limit, for a retry of an admitted request.
    pub(super) fn permit_beyond_limit(self: &Arc<Self>) -> QueuePermit {
        self.taken.fetch_add(1, Ordering::Relaxed);
        QueuePermit {
            budget: Arc::clone(self),
        }
    }
}

impl Drop for QueuePermit {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_limited_and_come_back() {
        let budget = QueueBudget::new(2);
        let permits = [budget.permit(), budget.permit(), budget.permit()];
        assert_eq!(
            permits.each_ref().map(Option::is_some),
            [true, true, false],
            "the third is one too many"
        );
        drop(permits);
        assert_eq!(budget.queued(), 0);
        assert!(budget.permit().is_some());
    }

    #[test]
    fn an_admitted_request_waits_beyond_the_limit() {
        let budget = QueueBudget::new(0);
        let again = budget.permit_beyond_limit();
        assert_eq!(budget.queued(), 1);
        drop(again);
        assert_eq!(budget.queued(), 0);
    }
}
