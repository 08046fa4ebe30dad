//! The reporters that count: a key belongs to one of them, each is behind a short lock of its own.

use std::hash::BuildHasher;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use foldhash::fast::FixedState;
use parking_lot::Mutex;
use reporter_core::{
    Accounting, Refused, Report, Reporter, ReqEvent, ReqKind, RevisionKey, StatMessage, Timestamp,
};
use tokio::sync::mpsc;

use crate::Clock;
use crate::history::Recorder;

/// A first request's message on its way to the task that dispatches it.
pub(crate) struct FirstRequest {
    pub(crate) at: Timestamp,
    pub(crate) message: StatMessage,
    /// How many ticks its shard had seen: tells whether it goes before or behind a tick's batch.
    pub(crate) ticks: u64,
}

/// All shards, and what they share. No method holds two locks at once.
pub(crate) struct Shards {
    shards: Box<[Mutex<Shard>]>,
    /// Not the state that the tables within use, or one shard's keys would all fall on a few of its slots.
    hasher: FixedState,
    clock: Box<dyn Clock>,
    recorder: Option<Recorder>,
    limit: KeyLimit,
    untracked_requests: AtomicU64,
}

// Aligned so that two cores on neighbouring shards do not share a cache line.
#[repr(align(128))]
struct Shard {
    reporter: Reporter,
    ticks: u64,
    /// Sent on under the lock, so that the channel's order is the shard's.
    first_requests: mpsc::UnboundedSender<FirstRequest>,
}

/// The room for keys that no shard has taken yet. A shard takes it key by key and gives it back at a tick.
struct KeyLimit {
    limit: usize,
    free: AtomicUsize,
    /// Set while the limit has been reached and logged, until half of the keys are gone.
    logged: AtomicBool,
}

/// What became of an event.
pub(crate) enum Applied {
    /// It was counted; with the number that a recording gave it, 0 without a recording.
    Counted(u64),
    /// It was refused.
    Refused,
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
                first_requests: first_requests.clone(),
            })
        };
        Self {
            shards: (0..count.max(1)).map(|_| shard()).collect(),
            hasher: FixedState::with_seed(0x5eed),
            clock,
            recorder,
            limit: KeyLimit {
                limit: max_tracked_keys,
                free: AtomicUsize::new(max_tracked_keys),
                logged: AtomicBool::new(false),
            },
            untracked_requests: AtomicU64::new(0),
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Applies `event` now; `id` is what a recording called the request when it came.
    pub(crate) fn apply(&self, event: &ReqEvent, id: Option<u64>) -> Applied {
        let index = self.hasher.hash_one(&event.key) as usize % self.shards.len();
        let mut shard = self.shards[index].lock();
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
            Ok(message) => {
                let id = self.record(&shard, event, now, id);
                if let Some(message) = message {
                    let ticks = shard.ticks;
                    // Nobody listens any more once the reporter has stopped.
                    let _ = shard.first_requests.send(FirstRequest {
                        at: now,
                        message,
                        ticks,
                    });
                }
                Applied::Counted(id)
            }
            Err(Refused::KeyLimitReached(_)) => {
                drop(shard);
                self.untracked_requests.fetch_add(1, Ordering::Relaxed);
                self.limit.log_once(&event.key);
                Applied::Refused
            }
            Err(Refused::UnmatchedOut(error)) => {
                drop(shard);
                tracing::debug!(key = %event.key, %error);
                Applied::Refused
            }
        }
    }

    fn record(&self, shard: &Shard, event: &ReqEvent, now: Timestamp, id: Option<u64>) -> u64 {
        match (&self.recorder, event.kind) {
            (None, _) => 0,
            (Some(recorder), ReqKind::ReqIn) => recorder.on_in(shard.ticks, now, &event.key),
            (Some(recorder), ReqKind::ReqOut) => {
                recorder.on_out(shard.ticks, now, id, &event.key);
                0
            }
        }
    }

    /// Ends the period in shard after shard; answers which tick this is, and when it was.
    ///
    /// To be called by one task only.
    pub(crate) fn on_tick(&self, report: &mut Report) -> (u64, Timestamp) {
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
            drop(shard);
            self.limit.give_back(room - kept);
        }
        if let Some(recorder) = &self.recorder {
            recorder.on_tick(ticks, now);
        }
        (ticks, now)
    }

    pub(crate) fn tracked_keys(&self) -> usize {
        self.limit.taken()
    }

    pub(crate) fn untracked_requests(&self) -> u64 {
        self.untracked_requests.load(Ordering::Relaxed)
    }

    pub(crate) fn unmatched_outs(&self) -> u64 {
        let counts = self.shards.iter();
        counts
            .map(|shard| shard.lock().reporter.unmatched_outs())
            .sum()
    }

    pub(crate) fn in_flight(&self, key: &RevisionKey) -> Option<u64> {
        let index = self.hasher.hash_one(key) as usize % self.shards.len();
        self.shards[index].lock().reporter.in_flight(key)
    }
}

impl KeyLimit {
    fn take(&self) -> bool {
        let one_less = |free: usize| free.checked_sub(1);
        self.free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_ok()
    }

    fn give_back(&self, keys: usize) {
        self.free.fetch_add(keys, Ordering::Relaxed);
        if self.taken() <= self.limit / 2 {
            self.logged.store(false, Ordering::Relaxed);
        }
    }

    fn taken(&self) -> usize {
        self.limit - self.free.load(Ordering::Relaxed)
    }

    fn log_once(&self, key: &RevisionKey) {
        if !self.logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %key,
                limit = self.limit,
                "as many revisions are tracked as may be: requests for further ones are served but not counted; raise max_tracked_keys"
            );
        }
    }
}
