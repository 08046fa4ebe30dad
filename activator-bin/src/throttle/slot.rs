//! The guard of one slot on one backend.

use std::net::SocketAddr;
use std::sync::Arc;

use super::breaker::Grant;
use super::complaint::Complaint;
use super::shared::{Shared, Waiter};

/// The right to send one request to one backend. Dropping it passes the slot to the next waiter.
///
/// Move it into whatever lives as long as the request: the response body or the upgraded connection.
#[must_use = "the slot is free again as soon as this is dropped"]
pub struct Slot {
    pub(super) shared: Arc<Shared>,
    /// `None` once it was given back.
    grant: Option<Grant>,
}

impl Slot {
    pub(super) fn new(shared: &Arc<Shared>, grant: Grant) -> Self {
        Self {
            shared: Arc::clone(shared),
            grant: Some(grant),
        }
    }

    /// The backend that the request goes to.
    #[must_use]
    pub fn backend(&self) -> SocketAddr {
        self.grant().backend()
    }

    /// Sets the backend aside until a probe passes. The request keeps its slot.
    ///
    /// For a request that must not be sent again. Does nothing if the backend became ready again since this slot was
    /// granted.
    pub fn set_aside(&self, complaint: Complaint) {
        let (is_aside, dismissed, is_reached) = {
            let mut breaker = self.shared.breaker.lock();
            let is_aside = breaker.set_aside(self.grant(), complaint);
            (is_aside, breaker.take_dismissed(), breaker.take_reached())
        };
        dismissed.into_iter().for_each(Waiter::wake);
        self.shared.tell(is_reached);
        if is_aside {
            self.shared.set_aside.notify_one();
        }
    }

    pub(super) fn take(&mut self) -> Grant {
        self.grant
            .take()
            .expect("the grant is taken only when the slot ends")
    }

    fn grant(&self) -> &Grant {
        self.grant
            .as_ref()
            .expect("the grant is taken only when the slot ends")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(grant) = self.grant.take() {
            self.shared.release(grant);
        }
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Slot").field(&self.backend()).finish()
    }
}
