//! The reporters that count: a key belongs to one of them, each is behind a short lock of its own.

use std::sync::Arc;

use reporter_core::{
    Accounting, HashedKey, KeyLimitReached, Report, Reporter, ReqEvent, ReqKind, RevisionKey,
    StatMessage, Ticket, Timestamp,
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
    /// Counts a request in. Answers its ticket, and the number that a recording gives the request (0 without
    /// one); or none when it is not counted, because too many keys are tracked.
    #[inline]
    pub(crate) fn on_in(&self, key: HashedKey<'_>) -> Option<(Ticket, u64)> {
        let mut books = self.books.lock();
        // Read under the lock: within a shard time then runs in the order of the events.
        let at = self.shared.clock.now();
        let counted = match books.reporter.on_in(key, at) {
            Ok((ticket, message)) => Some((ticket, self.tell(&books, at, key, message))),
            Err(full) => self.on_new_key(&mut books, at, full, key),
        };
        drop(books);
        if counted.is_none() {
            self.shared.limit.on_refused(key.key());
        }
        counted
    }

    #[cold]
    fn on_new_key(
        &self,
        books: &mut Books,
        at: Timestamp,
        full: KeyLimitReached,
        key: HashedKey<'_>,
    ) -> Option<(Ticket, u64)> {
        if !self.shared.limit.take() {
            return None;
        }
        books.reporter.set_key_limit(full.limit + 1);
        let (ticket, message) = books.reporter.on_in(key, at).ok()?;
        Some((ticket, self.tell(books, at, key, message)))
    }

    /// Tells of a request that came; answers what a recording calls it.
    #[inline]
    fn tell(
        &self,
        books: &Books,
        at: Timestamp,
        key: HashedKey<'_>,
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
        match &self.shared.recorder {
            None => 0,
            Some(recorder) => recorder.on_in(ticks, at, key.key()),
        }
    }

    /// Counts a request out that a recording calls `id`.
    #[inline]
    pub(crate) fn on_out(&self, ticket: Ticket, id: u64) {
        let mut books = self.books.lock();
        let books = &mut *books;
        let at = self.shared.clock.now();
        match books.reporter.on_out(ticket, at) {
            Ok(key) => {
                if let Some(recorder) = &self.shared.recorder
                    && books.first_requests.is_some()
                {
                    recorder.on_out(books.ticks, at, Some(id), key);
                }
            }
            Err(error) => tracing::debug!(%error),
        }
    }

    /// Counts a request that is told by its key, without a ticket.
    pub(crate) fn on_event(&self, event: &ReqEvent) {
        if event.kind == ReqKind::ReqIn {
            // Whoever tells of requests this way tells of their ends this way.
            let _ = self.on_in(event.key.hashed());
            return;
        }
        let mut books = self.books.lock();
        let at = self.shared.clock.now();
        match books.reporter.on_event(event, at) {
            Ok(_) => {
                if let Some(recorder) = &self.shared.recorder
                    && books.first_requests.is_some()
                {
                    recorder.on_out(books.ticks, at, None, &event.key);
                }
            }
            Err(error) => tracing::debug!(key = %event.key, %error),
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
        let shard = self.shard(key.hashed());
        shard.books.lock().reporter.in_flight(key)
    }

    /// The shard that counts for `key`.
    pub(crate) fn shard(&self, key: HashedKey<'_>) -> &Arc<Shard> {
        &self.shards[key.shard(self.shards.len())]
    }
}
