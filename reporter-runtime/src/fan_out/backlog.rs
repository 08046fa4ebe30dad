//! Several dispatches merged into one, for a sink that has fallen behind.

use std::collections::BTreeSet;
use std::time::SystemTime;

use reporter_core::{Batch, Cause, Outbox, RevisionKey, Timestamp};

use crate::Dispatch;

/// What a sink has not taken yet: at most one message per key.
#[derive(Default)]
pub(super) struct Backlog {
    merged: Outbox,
    /// Sorted, so that the same history gives the same order.
    forgotten: BTreeSet<RevisionKey>,
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

    /// Everything as one dispatch; `None` when nothing waited.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reporter_core::{Stat, StatMessage};

    use super::*;

    fn key(name: &str) -> RevisionKey {
        RevisionKey::try_new("default", name).unwrap()
    }

    /// `(name, average, count)` per message, and the names that are forgotten.
    type Told<'a> = (&'a [(&'a str, f64, u64)], &'a [&'a str]);

    fn dispatch(second: u64, cause: Cause, (messages, forgotten): Told<'_>) -> Dispatch {
        let message = |&(name, average, request_count): &(&str, f64, u64)| StatMessage {
            key: key(name),
            stat: Stat {
                average_concurrent_requests: average,
                request_count,
            },
        };
        Dispatch {
            at: Timestamp::from_nanos(second),
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
            batch: Batch {
                cause,
                messages: messages.iter().map(message).collect(),
                forgotten: forgotten.iter().copied().map(key).collect(),
            },
        }
    }

    fn check(dispatches: &[(Cause, Told<'_>)], cause: Cause, merged: Told<'_>) {
        let mut backlog = Backlog::default();
        for (second, &(cause, told)) in (0..).zip(dispatches) {
            backlog.push(&dispatch(second, cause, told));
        }
        let expected = dispatch(0, cause, merged);
        assert_eq!(backlog.requests(), expected.requests());
        let taken = backlog.take().unwrap();
        assert_eq!(taken.batch, expected.batch);
        let newest = dispatches.len() as u64 - 1;
        assert_eq!(taken.at, Timestamp::from_nanos(0));
        assert_eq!(
            taken.time,
            SystemTime::UNIX_EPOCH + Duration::from_secs(newest)
        );
        assert!(backlog.take().is_none(), "it was taken");
        assert_eq!(backlog.requests(), 0);
    }

    #[test]
    fn dispatches_merge_per_key() {
        use Cause::{FirstRequest, Tick};
        // First requests keep their order.
        check(
            &[
                (FirstRequest, (&[("c", 1.0, 1)], &[])),
                (FirstRequest, (&[("a", 1.0, 1)], &[])),
                (FirstRequest, (&[("b", 1.0, 1)], &[])),
            ],
            FirstRequest,
            (&[("c", 1.0, 1), ("a", 1.0, 1), ("b", 1.0, 1)], &[]),
        );
        // Counts add up, the average is the newest, and a tick makes it a tick.
        check(
            &[
                (FirstRequest, (&[("a", 1.0, 1)], &[])),
                (Tick, (&[("b", 4.0, 2), ("a", 3.0, 5)], &[])),
                (FirstRequest, (&[("c", 1.0, 1)], &[])),
            ],
            Tick,
            (&[("a", 3.0, 6), ("b", 4.0, 2), ("c", 1.0, 1)], &[]),
        );
        // What is forgotten waits with an average of 0, until it comes again.
        check(
            &[
                (Tick, (&[("a", 3.0, 5), ("b", 2.0, 2)], &[])),
                (Tick, (&[], &["a", "b", "c"])),
                (FirstRequest, (&[("b", 1.0, 1)], &[])),
            ],
            Tick,
            (&[("a", 0.0, 5), ("b", 1.0, 3)], &["a", "c"]),
        );
        check(&[(Tick, (&[], &["a"]))], Tick, (&[], &["a"]));
    }
}
