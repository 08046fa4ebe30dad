//! The reporters that count: a key belongs to one of them, each is behind a short lock of its own.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use reporter_core::{
    Accounting, Refused, Report, Reporter, ReqEvent, ReqKind, RevisionKey, StatMessage, Timestamp,
};
use tokio::sync::mpsc;

use crate::Clock;
use crate::history::Recorder;
use crate::key_limit::KeyLimit;
use crate::sync::Mutex;

/// A first request's message on its way to the task that dispatches it.
pub(crate) struct FirstRequest {
    pub(crate) at: Timestamp,
    pub(crate) message: StatMessage,
    /// How many ticks its shard had seen: tells whether it goes before or behind a tick's batch.
    pub(crate) ticks: u64,
}

/// All shards, and what they share. No method holds two shards at once.
pub(crate) struct Shards {
    shards: Box<[Mutex<Shard>]>,
    /// Not the state that the tables within use, or one shard's keys would all fall on a few of its slots.
    hasher: FixedState,
    clock: Box<dyn Clock>,
    recorder: Option<Recorder>,
    limit: KeyLimit,
}

// Aligned so that two cores on neighbouring shards do not share a cache line.
#[repr(align(128))]
struct Shard {
    /// Its key limit is always the number of its keys, so that a new one has to ask for room.
    reporter: Reporter,
    ticks: u64,
    /// Sent on under the lock, so that the channel's order is the shard's; at most one message per key
    /// and tick waits in there. None after the last tick: what comes then is counted but told to nobody.
    first_requests: Option<mpsc::UnboundedSender<FirstRequest>>,
}

impl Shards {
    pub(crate) fn new(
        accounting: Accounting,
        count: usize,
        max_tracked_keys: usize,
        clock: Box<dyn Clock>,
        recorder: Option<Recorder>,
        first_requests: mpsc::UnboundedSender<FirstRequest>,
    ) -> Self {
        let shard = || {
            let mut reporter = Reporter::new(accounting);
            reporter.set_key_limit(0);
            Mutex::new(Shard {
                reporter,
                ticks: 0,
                first_requests: Some(first_requests.clone()),
            })
        };
        Self {
            shards: (0..count.max(1)).map(|_| shard()).collect(),
            hasher: FixedState::with_seed(0x5eed),
            clock,
            recorder,
            limit: KeyLimit::new(max_tracked_keys),
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Applies `event` now; `id` is what a recording called the request when it came.
    ///
    /// Answers none when the event was refused, else the number that a recording gives the request
    /// (0 without one).
    pub(crate) fn apply(&self, event: &ReqEvent, id: Option<u64>) -> Option<u64> {
        let mut shard = self.shard(&event.key).lock();
        // Read under the lock: within a shard time then runs in the order of the events.
        let now = self.clock.now();
        let mut outcome = shard.reporter.on_event(event, now);
        if let Err(Refused::KeyLimitReached(full)) = outcome
            && self.limit.take()
        {
            shard.reporter.set_key_limit(full.limit + 1);
            outcome = shard.reporter.on_event(event, now);
        }
        match outcome {
            Ok(message) => Some(self.tell(&shard, event, now, id, message)),
            Err(Refused::KeyLimitReached(_)) => {
                drop(shard);
                self.limit.on_refused(&event.key);
                None
            }
            Err(Refused::UnmatchedOut(error)) => {
                drop(shard);
                tracing::debug!(key = %event.key, %error);
                None
            }
        }
    }

    fn tell(
        &self,
        shard: &Shard,
        event: &ReqEvent,
        at: Timestamp,
        id: Option<u64>,
        message: Option<StatMessage>,
    ) -> u64 {
        let Some(first_requests) = &shard.first_requests else {
            return 0;
        };
        let ticks = shard.ticks;
        if let Some(message) = message {
            // Nobody listens when the task's handle was dropped.
            let _ = first_requests.send(FirstRequest { at, message, ticks });
        }
        match (&self.recorder, event.kind) {
            (None, _) => 0,
            (Some(recorder), ReqKind::ReqIn) => recorder.on_in(ticks, at, &event.key),
            (Some(recorder), ReqKind::ReqOut) => {
                recorder.on_out(ticks, at, id, &event.key);
                0
            }
        }
    }

    /// Ends the period in shard after shard; answers which tick this is, and when it was.
    ///
    /// To be called by one task only. What comes to a shard after its `last` tick is told to nobody.
    pub(crate) fn on_tick(&self, last: bool, report: &mut Report) -> (u64, Timestamp) {
        let now = self.clock.now();
        let mut ticks = 0;
        for shard in &self.shards {
            let mut shard = shard.lock();
            let room = shard.reporter.tracked_keys();
            shard.reporter.on_tick(now, report);
            shard.ticks += 1;
            ticks = shard.ticks;
            let kept = shard.reporter.tracked_keys();
            shard.reporter.set_key_limit(kept);
            if last {
                shard.first_requests = None;
            }
            drop(shard);
            self.limit.give_back(room - kept);
        }
        self.limit.on_tick();
        if let Some(recorder) = &self.recorder {
            recorder.on_tick(last, ticks, now);
        }
        (ticks, now)
    }

    pub(crate) fn tracked_keys(&self) -> usize {
        self.limit.taken()
    }

    pub(crate) fn untracked_requests(&self) -> u64 {
        self.limit.untracked_requests()
    }

    pub(crate) fn unmatched_outs(&self) -> u64 {
        let counts = self.shards.iter();
        counts
            .map(|shard| shard.lock().reporter.unmatched_outs())
            .sum()
    }

    pub(crate) fn in_flight(&self, key: &RevisionKey) -> Option<u64> {
        self.shard(key).lock().reporter.in_flight(key)
    }

    fn shard(&self, key: &RevisionKey) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % self.shards.len()]
    }
}
