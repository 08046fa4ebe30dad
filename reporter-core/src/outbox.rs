//! What is still to be delivered: batches go in, frames come out, confirmations let go of them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use indexmap::IndexMap;

use crate::{Batch, RevisionKey, Stat, StatMessage};

/// Holds what a receiver has not confirmed, at most one entry per key waiting, for however long it is away.
///
/// The link that drains it calls [`next_frame`](Self::next_frame) while it is up, [`confirmed`](Self::confirmed)
/// when the receiver has taken a frame in, and [`link_lost`](Self::link_lost) when it breaks: what was
/// sent and not confirmed then waits again. So every count is delivered at least once, and exactly once
/// when no link breaks.
///
/// What waits for the same key is merged: counts add up, the average is the newest. A key that is
/// no longer tracked waits with average 0, so that an old burst never wakes a service later.
///
/// ```
/// use reporter_core::{Batch, Outbox, Stat, StatMessage};
///
/// let mut outbox = Outbox::new();
/// let stat = Stat { average_concurrent_requests: 1.0, request_count: 1 };
/// outbox.push(&Batch::first_request(StatMessage { key: "default/hello".parse()?, stat }));
///
/// let sent = outbox.next_frame(1_000).expect("one message waits");
/// outbox.link_lost();
/// let again = outbox.next_frame(1_000).expect("it waits again");
/// assert_eq!(sent.messages, again.messages);
/// outbox.confirmed(again.sequence);
/// assert!(outbox.is_empty());
/// # Ok::<(), reporter_core::KeyError>(())
/// ```
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Entries,
    /// Sent and not confirmed, oldest first.
    unconfirmed: VecDeque<Unconfirmed>,
    /// Frames cut so far. Never reset, so that a late pong of an old link confirms nothing new.
    frames: u64,
}

/// Oldest first, so that first-request messages leave in the order in which they came.
type Entries = IndexMap<RevisionKey, Stat, FixedState>;

#[derive(Debug)]
struct Unconfirmed {
    sequence: u64,
    entries: Entries,
}

/// What the link sends as one message.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Rises with each frame, from 1, over all links.
    pub sequence: u64,
    /// At most one message per key.
    pub messages: Vec<StatMessage>,
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what the reporter said, in the reporter's order.
    pub fn push(&mut self, batch: &Batch) {
        for message in &batch.messages {
            merge_newer(&mut self.waiting, message.key.clone(), message.stat);
        }
        for key in &batch.forgotten {
            if let Some(stat) = self.waiting.get_mut(key) {
                stat.average_concurrent_requests = 0.0;
            }
            // It has left already; but if the link breaks, it must not come back as a burst.
            for frame in &mut self.unconfirmed {
                if let Some(stat) = frame.entries.get_mut(key) {
                    stat.average_concurrent_requests = 0.0;
                }
            }
        }
    }

    /// Cuts a frame of at most `limit` (at least one) of the oldest waiting messages, or none when nothing waits.
    ///
    /// The frame counts as sent, and its messages are kept until it is confirmed or the link is lost.
    pub fn next_frame(&mut self, limit: usize) -> Option<Frame> {
        if self.waiting.is_empty() {
            return None;
        }
        let limit = limit.clamp(1, self.waiting.len());
        let rest = self.waiting.split_off(limit);
        let entries = core::mem::replace(&mut self.waiting, rest);
        self.frames += 1;
        let frame = Frame {
            sequence: self.frames,
            messages: entries
                .iter()
                .map(|(key, &stat)| StatMessage {
                    key: key.clone(),
                    stat,
                })
                .collect(),
        };
        self.unconfirmed.push_back(Unconfirmed {
            sequence: self.frames,
            entries,
        });
        Some(frame)
    }

    /// Lets go of the frame with that number and of all before it; answers how many frames those were.
    ///
    /// A number that was confirmed before, or never sent on this link, lets go of nothing new.
    pub fn confirmed(&mut self, sequence: u64) -> usize {
        let done = match sequence <= self.frames {
            true => self
                .unconfirmed
                .partition_point(|frame| frame.sequence <= sequence),
            false => 0,
        };
        self.unconfirmed.drain(..done);
        done
    }

    /// Puts what was sent and not confirmed back in front of what waits; answers how many frames that were.
    pub fn link_lost(&mut self) -> usize {
        let frames = self.unconfirmed.len();
        let mut oldest_first = Entries::default();
        let sent = self.unconfirmed.drain(..).map(|frame| frame.entries);
        for entries in sent.chain([core::mem::take(&mut self.waiting)]) {
            for (key, stat) in entries {
                merge_newer(&mut oldest_first, key, stat);
            }
        }
        self.waiting = oldest_first;
        frames
    }

    /// The number of keys that wait to be sent.
    #[must_use]
    pub fn waiting_keys(&self) -> usize {
        self.waiting.len()
    }

    /// The number of frames that are sent and not confirmed.
    #[must_use]
    pub fn unconfirmed_frames(&self) -> usize {
        self.unconfirmed.len()
    }

    /// Requests whose counts are not confirmed: waiting, or sent and not confirmed.
    #[must_use]
    pub fn unconfirmed_requests(&self) -> u64 {
        let sent = self.unconfirmed.iter().map(|frame| &frame.entries);
        sent.chain([&self.waiting])
            .flat_map(Entries::values)
            .map(|stat| stat.request_count)
            .sum()
    }

    /// Whether everything that was pushed is confirmed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.unconfirmed.is_empty()
    }
}

fn merge_newer(entries: &mut Entries, key: RevisionKey, newer: Stat) {
    entries
        .entry(key)
        .and_modify(|stat| {
            stat.average_concurrent_requests = newer.average_concurrent_requests;
            stat.request_count += newer.request_count;
        })
        .or_insert(newer);
}
