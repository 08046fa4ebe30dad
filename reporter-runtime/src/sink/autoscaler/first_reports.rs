//! The times of first requests whose messages are not written to a socket yet.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use reporter_core::{Batch, Cause, RevisionKey, StatMessage, Timestamp};

/// The first requests that still wait: one per key, the oldest.
#[derive(Debug, Default)]
pub(super) struct FirstReports {
    waiting: HashMap<RevisionKey, Timestamp, FixedState>,
}

/// First requests whose messages are in one frame.
pub(super) type Cut = Vec<(RevisionKey, Timestamp)>;

impl FirstReports {
    pub(super) fn on_batch(&mut self, batch: &Batch, at: Timestamp) {
        if batch.cause == Cause::FirstRequest {
            let keys = batch.messages.iter().map(|message| message.key.clone());
            self.put(keys.map(|key| (key, at)));
        }
    }

    /// Takes those of these messages.
    pub(super) fn cut(&mut self, messages: &[StatMessage]) -> Cut {
        if self.waiting.is_empty() {
            return Cut::new();
        }
        let keys = messages.iter().map(|message| &message.key);
        keys.filter_map(|key| self.waiting.remove_entry(key))
            .collect()
    }

    /// The link broke before the frame was written.
    pub(super) fn put_back(&mut self, cut: Cut) {
        self.put(cut);
    }

    fn put(&mut self, reports: impl IntoIterator<Item = (RevisionKey, Timestamp)>) {
        for (key, at) in reports {
            let oldest = self.waiting.entry(key).or_insert(at);
            *oldest = at.min(*oldest);
        }
    }
}
