//! The reporters that count: each key belongs to one of them, and each has its own short lock.

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

/// A first request's message for the task that dispatches it.
pub(crate) struct FirstRequest {
    pub(crate) at: Timestamp,
    pub(crate) message: StatMessage,
    /// The ticks that its shard had seen: whether it goes before or after a tick's batch.
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

/// A shard. A request in flight refers to its shard alone: a reference count on all shards would be one cache
/// line that every core writes on each request.
pub(crate) struct Shard {
    state: Mutex<State>,
    shared: Arc<Shared>,
    /// Keeps neighbouring shards on different cache lines. An alignment would do that too, but part the lock from
    /// the reference count, which is written along with it (`two threads to one/snapshot 100 keys` in BENCHMARKS.md).
    _padding: [u64; 7],
}

struct State {
    /// Its key limit is always the number of its keys, so that a new one has to ask for room.
    reporter: Reporter,
    ticks: u64,
    /// Used under the lock, so that the channel has the shard's order; at most one message per key and tick
    /// waits in it. `None` after the last tick: later requests are counted but not reported.
    first_requests: Option<mpsc::UnboundedSender<FirstRequest>>,
}

impl Shard {
    /// Counts a request in. Returns its ticket and its number in a recording (0 without one); `None` when the key
    /// limit is reached and the request is not counted.
    #[inline]
    pub(crate) fn on_in(&self, key: HashedKey<'_>) -> Option<(Ticket, u64)> {
        let mut state = self.state.lock();
        // Read under the lock: within a shard time then runs in the order of the events.
        let at = self.shared.clock.now();
        let counted = match state.reporter.on_in(key, at) {
            Ok((ticket, message)) => Some((ticket, self.announce(&state, at, key, message))),
            Err(full) => self.on_new_key(&mut state, at, full, key),
        };
        drop(state);
        if counted.is_none() {
            self.shared.limit.on_refused(key.key());
        }
        counted
    }

    #[cold]
    fn on_new_key(
        &self,
        state: &mut State,
        at: Timestamp,
        full: KeyLimitReached,
        key: HashedKey<'_>,
    ) -> Option<(Ticket, u64)> {
        if !self.shared.limit.take() {
            return None;
        }
        state.reporter.set_key_limit(full.limit + 1);
        let (ticket, message) = state.reporter.on_in(key, at).ok()?;
        Some((ticket, self.announce(state, at, key, message)))
    }

    /// Passes a counted request on; returns its number in a recording.
    #[inline]
    fn announce(
        &self,
        state: &State,
        at: Timestamp,
        key: HashedKey<'_>,
        message: Option<StatMessage>,
    ) -> u64 {
        let Some(first_requests) = &state.first_requests else {
            return 0;
        };
        let ticks = state.ticks;
        if let Some(message) = message {
            // Fails when the task's handle was dropped.
            let _ = first_requests.send(FirstRequest { at, message, ticks });
        }
        match &self.shared.recorder {
            None => 0,
            Some(recorder) => recorder.on_in(ticks, at, key.key()),
        }
    }

    /// Counts a request out; `id` is its number in a recording.
    #[inline]
    pub(crate) fn on_out(&self, ticket: Ticket, id: u64) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let at = self.shared.clock.now();
        match state.reporter.on_out(ticket, at) {
            Ok(key) => {
                if let Some(recorder) = &self.shared.recorder
                    && state.first_requests.is_some()
                {
                    recorder.on_out(state.ticks, at, Some(id), key);
                }
            }
            Err(error) => tracing::debug!(%error),
        }
    }

    /// Counts a request by its key, without a ticket.
    pub(crate) fn on_event(&self, event: &ReqEvent) {
        if event.kind == ReqKind::ReqIn {
            // Its end comes by its key as well, so the ticket is not needed.
            let _ = self.on_in(event.key.hashed());
            return;
        }
        let mut state = self.state.lock();
        let at = self.shared.clock.now();
        match state.reporter.on_event(event, at) {
            Ok(_) => {
                if let Some(recorder) = &self.shared.recorder
                    && state.first_requests.is_some()
                {
                    recorder.on_out(state.ticks, at, None, &event.key);
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
                state: Mutex::new(State {
                    reporter,
                    ticks: 0,
                    first_requests: Some(first_requests.clone()),
                }),
                shared: Arc::clone(&shared),
                _padding: [0; 7],
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

    /// Ends the period in shard after shard; returns the number of this tick and its time.
    ///
    /// To be called by one task only. Requests after a shard's `last` tick are not reported.
    pub(crate) fn on_tick(&self, last: bool, report: &mut Report) -> (u64, Timestamp) {
        let now = self.shared.clock.now();
        let mut ticks = 0;
        for shard in &self.shards {
            let mut state = shard.state.lock();
            let room = state.reporter.tracked_keys();
            state.reporter.on_tick(now, report);
            state.ticks += 1;
            ticks = state.ticks;
            let kept = state.reporter.tracked_keys();
            state.reporter.set_key_limit(kept);
            if last {
                state.first_requests = None;
            }
            drop(state);
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
            .map(|shard| shard.state.lock().reporter.unmatched_outs())
            .sum()
    }

    pub(crate) fn in_flight(&self, key: &RevisionKey) -> Option<u64> {
        let shard = self.shard(key.hashed());
        shard.state.lock().reporter.in_flight(key)
    }

    /// The shard that counts for `key`.
    pub(crate) fn shard(&self, key: HashedKey<'_>) -> &Arc<Shard> {
        &self.shards[key.shard(self.shards.len())]
    }
}
