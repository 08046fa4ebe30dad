//! What is still to be delivered: batches go in, frames come out and are kept until confirmed.
//!
//! What must not live here: bytes, sockets and time. When to send and when to give up a link is the link's decision.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use indexmap::IndexSet;

use crate::{Batch, Cause, StatMessage};

mod line;

use line::Line;

/// Holds what a receiver has not confirmed: one waiting entry per key, however long the receiver is unreachable.
///
/// The link that drains it calls [`next_frame`](Self::next_frame) while it is up, [`confirmed`](Self::confirmed)
/// when the receiver has processed a frame, and [`link_lost`](Self::link_lost) when it breaks: what was
/// sent and not confirmed then waits again. So every count is delivered at least once, and exactly once
/// when no link breaks.
///
/// What waits for the same key is merged: counts add up, the average is the newest, and the key keeps
/// its position. A key that is no longer tracked waits with average 0, so that an old burst never
/// wakes a service later.
///
/// Unconfirmed frames are kept as they are. The link bounds them: one that asks for no more frames
/// at some number of [`unconfirmed_frames`](Self::unconfirmed_frames) holds those and one entry per key.
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
    waiting: Line,
    /// Sent and not confirmed, oldest first.
    unconfirmed: VecDeque<Frame>,
    /// Frames made so far. Never reset, so that a late pong of an old link confirms nothing new.
    frames: u64,
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

    /// Adds a batch; batches must come in the reporter's order.
    ///
    /// ```
    /// use reporter_core::{Batch, Outbox, RevisionKey, Stat, StatMessage};
    ///
    /// let hello: RevisionKey = "default/hello".parse()?;
    /// let tick = |average_concurrent_requests, request_count, forgotten| {
    ///     let stat = Stat { average_concurrent_requests, request_count };
    ///     Batch::tick(vec![StatMessage { key: hello.clone(), stat }], forgotten)
    /// };
    /// // The receiver is away: counts add up, and the average is the newest.
    /// let mut outbox = Outbox::new();
    /// outbox.push(&tick(40.0, 100, vec![]));
    /// outbox.push(&tick(7.0, 20, vec![]));
    /// assert_eq!((outbox.waiting_keys(), outbox.unconfirmed_requests()), (1, 120));
    ///
    /// // The revision is idle by now. What happened is told, but wakes nothing.
    /// outbox.push(&tick(0.5, 1, vec![hello.clone()]));
    /// let frame = outbox.next_frame(1_000).expect("one message waits");
    /// let stat = Stat { average_concurrent_requests: 0.0, request_count: 121 };
    /// assert_eq!(frame.messages, [StatMessage { key: hello.clone(), stat }]);
    /// # Ok::<(), reporter_core::KeyError>(())
    /// ```
    pub fn push(&mut self, batch: &Batch) {
        for message in &batch.messages {
            self.waiting.push(message.clone());
        }
        for key in &batch.forgotten {
            self.waiting.zero_average(key);
        }
        if !batch.forgotten.is_empty() {
            // These are sent; but if the link breaks, they must not come back as a burst.
            let forgotten: IndexSet<_, FixedState> = batch.forgotten.iter().collect();
            for message in self.unconfirmed.iter_mut().flat_map(|f| &mut f.messages) {
                if forgotten.contains(&message.key) {
                    message.stat.average_concurrent_requests = 0.0;
                }
            }
        }
        if batch.cause == Cause::Tick {
            self.waiting.shrink();
        }
    }

    /// Makes a frame of at most `limit` (at least one) of the oldest waiting messages; `None` when nothing waits.
    ///
    /// The frame counts as sent, and its messages are kept until it is confirmed or the link is lost.
    pub fn next_frame(&mut self, limit: usize) -> Option<Frame> {
        let messages = self.waiting.take(limit.max(1));
        if messages.is_empty() {
            return None;
        }
        self.frames += 1;
        let frame = Frame {
            sequence: self.frames,
            messages,
        };
        self.unconfirmed.push_back(frame.clone());
        Some(frame)
    }

    /// Drops the frame with that number and all before it; returns how many frames those were.
    ///
    /// A number that was confirmed before, or never sent on this link, drops nothing.
    pub fn confirmed(&mut self, sequence: u64) -> usize {
        if sequence > self.frames {
            return 0;
        }
        let done = self
            .unconfirmed
            .partition_point(|frame| frame.sequence <= sequence);
        self.unconfirmed.drain(..done);
        done
    }

    /// Puts unconfirmed frames back in front of what waits; returns how many those were.
    pub fn link_lost(&mut self) -> usize {
        let mut newer = core::mem::take(&mut self.waiting);
        let unconfirmed = core::mem::take(&mut self.unconfirmed);
        let frames = unconfirmed.len();
        let sent = unconfirmed.into_iter().flat_map(|frame| frame.messages);
        for message in sent.chain(newer.take(usize::MAX)) {
            self.waiting.push(message);
        }
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
    ///
    /// Costs time in proportion to the number of messages held.
    #[must_use]
    pub fn unconfirmed_requests(&self) -> u64 {
        let sent = self.unconfirmed.iter().flat_map(|frame| &frame.messages);
        sent.map(|message| &message.stat)
            .chain(self.waiting.stats())
            .map(|stat| stat.request_count)
            .sum()
    }

    /// Whether everything that was pushed is confirmed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.unconfirmed.is_empty()
    }
}
