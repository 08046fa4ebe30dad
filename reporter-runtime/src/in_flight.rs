//! The guard: while it lives, its request is in flight.

use std::sync::Arc;

use reporter_core::{ReqEvent, RevisionKey};

use crate::shards::{Shard, Shards};

/// A request in flight. It is out when this is dropped, wherever that happens.
///
/// Move it into whatever lives as long as the request: the response body, the upgraded connection.
#[must_use = "the request is out as soon as this is dropped"]
pub struct InFlight {
    shard: Arc<Shard>,
    out: ReqEvent,
    /// None when the request is not counted, because too many keys are tracked.
    id: Option<u64>,
}

impl InFlight {
    pub(crate) fn start(shards: &Shards, key: &RevisionKey) -> Self {
        let event = ReqEvent::req_in(key.clone());
        let shard = Arc::clone(shards.shard(key));
        let id = shard.apply(&event, None);
        Self {
            shard,
            out: ReqEvent::req_out(event.key),
            id,
        }
    }

    /// The revision that the request is for.
    #[must_use]
    pub fn key(&self) -> &RevisionKey {
        &self.out.key
    }

    /// Whether the request is counted: false while too many keys are tracked.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.id.is_some()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.id.is_some() {
            self.shard.apply(&self.out, self.id);
        }
    }
}

impl std::fmt::Debug for InFlight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InFlight")
            .field("key", self.key())
            .field("counted", &self.is_counted())
            .finish()
    }
}
