//! What the reporter sends: stats, and the batches that carry them.

use alloc::vec::Vec;

use crate::RevisionKey;

/// What this pod reports of one revision.
///
/// Sinks add the pod's name, which is the same on every stat. The receiver adds the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stat {
    /// Requests in flight: on average over the period or at its end, depending on the [`Accounting`](crate::Accounting).
    pub average_concurrent_requests: f64,
    /// Requests that started.
    pub request_count: u64,
}

/// A [`Stat`] and its revision.
#[derive(Clone, Debug, PartialEq)]
pub struct StatMessage {
    /// The revision.
    pub key: RevisionKey,
    /// Its stat.
    pub stat: Stat,
}

/// Why a batch was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A request started for a revision that was not tracked.
    FirstRequest,
    /// A reporting period ended.
    Tick,
}

/// Messages that belong together, in the order in which they were made.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Why it was made.
    pub cause: Cause,
    /// At most one message per key. Empty when there is nothing to send.
    pub messages: Vec<StatMessage>,
    /// Keys that are no longer tracked; stats that still wait for them must not wake a service.
    pub forgotten: Vec<RevisionKey>,
}

impl Batch {
    /// The batch of one first-request message.
    #[must_use]
    pub fn first_request(message: StatMessage) -> Self {
        Self {
            cause: Cause::FirstRequest,
            messages: alloc::vec![message],
            forgotten: Vec::new(),
        }
    }

    /// The batch of a tick.
    #[must_use]
    pub fn tick(messages: Vec<StatMessage>, forgotten: Vec<RevisionKey>) -> Self {
        Self {
            cause: Cause::Tick,
            messages,
            forgotten,
        }
    }

    /// Whether it has neither messages nor forgotten keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.forgotten.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_batch_with_only_a_forgotten_key_is_not_empty() {
        let key = RevisionKey::try_new("default", "hello").unwrap();
        let stat = Stat {
            average_concurrent_requests: 0.0,
            request_count: 0,
        };
        let message = StatMessage {
            key: key.clone(),
            stat,
        };
        assert!(Batch::tick(vec![], vec![]).is_empty());
        assert!(!Batch::tick(vec![], vec![key]).is_empty());
        assert!(!Batch::tick(vec![message.clone()], vec![]).is_empty());
        assert!(!Batch::first_request(message).is_empty());
    }
}
