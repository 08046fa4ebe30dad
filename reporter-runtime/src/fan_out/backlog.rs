//! Several dispatches merged into one, for a sink that has fallen behind.

use std::collections::HashSet;
use std::time::SystemTime;

use foldhash::fast::FixedState;
use reporter_core::{Batch, Cause, Outbox, RevisionKey, Timestamp};

use crate::Dispatch;

/// What a sink has not taken yet: at most one message per key.
#[derive(Default)]
pub(super) struct Backlog {
    merged: Outbox,
    /// Hashed the same way in each run, so that the same history is told in the same order.
    forgotten: HashSet<RevisionKey, FixedState>,
    span: Option<Span>,
}

/// What the merged dispatches have in common.
struct Span {
    /// A tick if one of them is.
    cause: Cause,
    /// Of the oldest.
    at: Timestamp,
    /// Of the newest.
    time: SystemTime,
}

impl Backlog {
    pub(super) fn push(&mut self, dispatch: &Dispatch) {
        let Dispatch { at, time, batch } = dispatch;
        for message in &batch.messages {
            self.forgotten.remove(&message.key);
        }
        self.forgotten.extend(batch.forgotten.iter().cloned());
        self.merged.push(batch);
        let span = self.span.get_or_insert(Span {
            cause: batch.cause,
            at: *at,
            time: *time,
        });
        if batch.cause == Cause::Tick {
            span.cause = Cause::Tick;
        }
        span.time = *time;
    }

    /// Everything as one dispatch, or none when nothing waited.
    pub(super) fn take(&mut self) -> Option<Dispatch> {
        let Self {
            mut merged,
            forgotten,
            span,
        } = std::mem::take(self);
        let Span { cause, at, time } = span?;
        let batch = Batch {
            cause,
            messages: merged
                .next_frame(usize::MAX)
                .map_or_else(Vec::new, |frame| frame.messages),
            forgotten: forgotten.into_iter().collect(),
        };
        Some(Dispatch { at, time, batch })
    }

    /// The requests whose counts wait.
    pub(super) fn requests(&self) -> u64 {
        self.merged.unconfirmed_requests()
    }
}
