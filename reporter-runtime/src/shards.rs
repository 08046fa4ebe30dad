//! The reporters that count: a key belongs to one of them, each is behind a short lock of its own.

use std::hash::BuildHasher;
use std::sync::Arc;

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

/// All shards. No method holds two at once.
pub(crate) struct Shards {
    /// A power of two of them.
    shards: Box<[Arc<Shard>]>,
    /// Not the state that the tables within use, or one shard's keys would all fall on a few of its slots.
    hasher: FixedState,
    shared: Arc<Shared>,
}

/// What all shards share.
struct Shared {
    clock: Box<dyn Clock>,
    recorder: Option<Recorder>,
    limit: KeyLimit,
}

/// A shard and the way to what it shares. A request in flight holds on to its shard alone: a count of
/// references to all of them would be one cache line that every core writes on each request.
pub(crate) struct Shard {
    books: Mutex<Books>,
    shared: Arc<Shared>,
    /// So that two cores on neighbouring shards do not share a cache line. An alignment would do that too,
    /// but part the lock from the count of references, which is written along with it.
    _apart: [u64; 7],
}

struct Books {
    /// Its key limit is always the number of its keys, so that a new one has to ask for room.
    reporter: Reporter,
    ticks: u64,
    /// Sent on under the lock, so that the channel's order is the shard's; at most one message per key
    /// and tick waits in there. None after the last tick: what comes then is counted but told to nobody.
    first_requests: Option<mpsc::UnboundedSender<FirstRequest>>,
}

impl Shard {
    /// Applies `event` now; `id` is what a recording called the request when it came.
    ///
    /// Answers none when the event was refused, else the number that a recording gives the request
    /// (0 without one).
    pub(crate) fn apply(&self, event: &ReqEvent, id: Option<u64>) -> Option<u64> {
        let shared = &*self.shared;
        let mut books = self.books.lock();
        // Read under the lock: within a shard time then runs in the order of the events.
        let now = shared.clock.now();
        let mut outcome = books.reporter.on_event(event, now);
        if let Err(Refused::KeyLimitReached(full)) = outcome
            && shared.limit.take()
        {
            books.reporter.set_key_limit(full.limit + 1);
            outcome = books.reporter.on_event(event, now);
        }
        match outcome {
            Ok(message) => Some(shared.tell(&books, event, now, id, message)),
            Err(Refused::KeyLimitReached(_)) => {
                drop(books);
                shared.limit.on_refused(&event.key);
                None
            }
            Err(Refused::UnmatchedOut(error)) => {
                drop(books);
                tracing::debug!(key = %event.key, %error);
                None
            }
        }
    }
}

impl Shared {
    fn tell(
        &self,
        books: &Books,
        event: &ReqEvent,
        at: Timestamp,
        id: Option<u64>,
        message: Option<StatMessage>,
    ) -> u64 {
        let Some(first_requests) = &books.first_requests else {
            return 0;
        };
        let ticks = books.ticks;
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
}

impl Shards {
    /// Rounds `count` up to a power of two.
    pub(crate) fn new(
        accounting: Accounting,
        count: usize,
        max_tracked_keys: usize,
        clock: Box<dyn Clock>,
        recorder: Option<Recorder>,
        first_requests: mpsc::UnboundedSender<FirstRequest>,
    ) -> Self {
        let shared = Arc::new(Shared {
            clock,
            recorder,
            limit: KeyLimit::new(max_tracked_keys),
        });
        let shard = || {
            let mut reporter = Reporter::new(accounting);
            reporter.set_key_limit(0);
            Arc::new(Shard {
                books: Mutex::new(Books {
                    reporter,
                    ticks: 0,
                    first_requests: Some(first_requests.clone()),
                }),
                shared: Arc::clone(&shared),
                _apart: [0; 7],
            })
        };
        Self {
            shards: (0..count.next_power_of_two()).map(|_| shard()).collect(),
            hasher: FixedState::with_seed(0x5eed),
            shared,
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    /// Ends the period in shard after shard; answers which tick this is, and when it was.
    ///
    /// To be called by one task only. What comes to a shard after its `last` tick is told to nobody.
    pub(crate) fn on_tick(&self, last: bool, report: &mut Report) -> (u64, Timestamp) {
        let now = self.shared.clock.now();
        let mut ticks = 0;
        for shard in &self.shards {
            let mut books = shard.books.lock();
            let room = books.reporter.tracked_keys();
            books.reporter.on_tick(now, report);
            books.ticks += 1;
            ticks = books.ticks;
            let kept = books.reporter.tracked_keys();
            books.reporter.set_key_limit(kept);
            if last {
                books.first_requests = None;
            }
            drop(books);
            self.shared.limit.give_back(room - kept);
        }
        self.shared.limit.on_tick();
        if let Some(recorder) = &self.shared.recorder {
            recorder.on_tick(last, ticks, now);
        }
        (ticks, now)
    }

    pub(crate) fn tracked_keys(&self) -> usize {
        self.shared.limit.taken()
    }

    pub(crate) fn untracked_requests(&self) -> u64 {
        self.shared.limit.untracked_requests()
    }

    pub(crate) fn unmatched_outs(&self) -> u64 {
        let counts = self.shards.iter();
        counts
            .map(|shard| shard.books.lock().reporter.unmatched_outs())
            .sum()
    }

    pub(crate) fn in_flight(&self, key: &RevisionKey) -> Option<u64> {
        self.shard(key).books.lock().reporter.in_flight(key)
    }

    /// The shard that counts for `key`.
    pub(crate) fn shard(&self, key: &RevisionKey) -> &Arc<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize & (self.shards.len() - 1)]
    }
}
