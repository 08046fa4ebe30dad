//! The last minute of each revision that had requests, from the reports: a pure machine.
//!
//! Time is cut into slots, as long as a report's period and at least a second. The middle of a slot is when a report
//! usually comes, so that none comes into a slot of another. A slot that has ended never changes again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use reporter_core::{Cause, RevisionKey, StatMessage};
use serde_json::{Value as Json, json};

/// How many slots are kept.
pub(super) const SLOTS: usize = 60;

/// These and the one that has not ended.
const RING: usize = SLOTS + 1;

/// Of how many revisions at once, with 560 bytes each: further ones have none until others had no request for a minute.
const MOST: usize = 2_048;

/// What happened in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Requests in flight, on average.
    pub(super) concurrency: f32,
    pub(super) requests_per_second: f32,
}

/// The last slots of one revision, or of all.
#[derive(Clone, Copy, Debug)]
struct Ring {
    /// The last slot with a report.
    newest: u64,
    /// Each at the remainder of its slot.
    samples: [Sample; RING],
}

/// The last slots of all revisions.
pub(super) struct History {
    slot: Duration,
    /// What a report counts for in its slot.
    share: f32,
    /// When the first report of a period came: the middle of slot 0.
    origin: Option<Duration>,
    /// The slot that has not ended.
    open: u64,
    all: Ring,
    revisions: HashMap<RevisionKey, Ring, FixedState>,
    /// The slot in which those without requests were last forgotten.
    forgot_in: u64,
}

/// The slots that had ended at a moment, of one revision. Later it stands for those that had ended then.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    newest: u64,
    samples: Arc<[Sample]>,
}

impl History {
    /// With a report each `interval`, which is positive.
    pub(super) fn new(interval: Duration) -> Self {
        let slot = interval.max(Duration::from_secs(1));
        Self {
            slot,
            share: interval.div_duration_f32(slot),
            origin: None,
            open: 0,
            all: Ring::new(0),
            revisions: HashMap::default(),
            forgot_in: 0,
        }
    }

    pub(super) fn slot(&self) -> Duration {
        self.slot
    }

    /// Ends the slots that are over at `now`. Returns the one that has begun.
    pub(super) fn advance(&mut self, now: Duration) -> u64 {
        if let Some(origin) = self.origin {
            let since = now.saturating_sub(origin) + self.slot / 2;
            let slot = since.as_nanos() / self.slot.as_nanos();
            self.open = self.open.max(u64::try_from(slot).unwrap_or(u64::MAX));
        }
        self.open
    }

    /// Takes the reports of a batch.
    pub(super) fn record(&mut self, cause: Cause, messages: &[StatMessage], now: Duration) {
        if cause == Cause::Tick {
            self.origin.get_or_insert(now);
        }
        self.advance(now);
        for StatMessage { key, stat } in messages {
            let sample = Sample {
                // That of a first request says nothing of the period.
                concurrency: match cause {
                    Cause::FirstRequest => 0.0,
                    Cause::Tick => stat.average_concurrent_requests as f32 * self.share,
                },
                requests_per_second: stat.request_count as f32 / self.slot.as_secs_f32(),
            };
            if sample == Sample::default() {
                continue;
            }
            self.all.add(self.open, sample);
            if let Some(ring) = self.revisions.get_mut(key) {
                ring.add(self.open, sample);
            } else if self.has_room() {
                let mut ring = Ring::new(self.open);
                ring.add(self.open, sample);
                self.revisions.insert(key.clone(), ring);
            }
        }
    }

    fn has_room(&mut self) -> bool {
        // Once per slot, as it looks at all of them.
        if self.revisions.len() >= MOST && self.forgot_in != self.open {
            self.forgot_in = self.open;
            let open = self.open;
            self.revisions.retain(|_, ring| ring.is_recent(open));
        }
        self.revisions.len() < MOST
    }

    /// The slots of a revision that have ended; `None` if it had no request in them. `before` is what this returned
    /// last.
    pub(super) fn recent(&self, key: &RevisionKey, before: Option<&Recent>) -> Option<Recent> {
        self.revisions.get(key)?.recent(self.open, before)
    }

    /// The same of all revisions together.
    pub(super) fn recent_of_all(&self, before: Option<&Recent>) -> Option<Recent> {
        self.all.recent(self.open, before)
    }
}

impl Ring {
    fn new(slot: u64) -> Self {
        Self {
            newest: slot,
            samples: [Sample::default(); RING],
        }
    }

    fn add(&mut self, slot: u64, sample: Sample) {
        for skipped in (self.newest + 1..=slot).take(RING) {
            self.samples[place(skipped)] = Sample::default();
        }
        self.newest = slot;
        let sum = &mut self.samples[place(slot)];
        sum.concurrency += sample.concurrency;
        sum.requests_per_second += sample.requests_per_second;
    }

    fn is_recent(&self, open: u64) -> bool {
        self.newest + SLOTS as u64 >= open
    }

    fn recent(&self, open: u64, before: Option<&Recent>) -> Option<Recent> {
        // The newest one may not have ended.
        let newest = self.newest.min(open.checked_sub(1)?);
        if newest + (SLOTS as u64) < open {
            return None;
        }
        match before {
            Some(before) if before.newest == newest => Some(before.clone()),
            _ => {
                let first = (newest + 1).saturating_sub(SLOTS as u64);
                let samples = (first..=newest).map(|slot| self.samples[place(slot)]);
                Some(Recent {
                    newest,
                    samples: samples.collect(),
                })
            }
        }
    }
}

impl Recent {
    /// The slots from `from` on that had ended before `open` began, the last `SLOTS` of them at most. Those from the
    /// first one with requests if `from` is before it.
    pub(super) fn since(&self, from: u64, open: u64) -> impl Iterator<Item = Sample> + '_ {
        let first = (self.newest + 1).saturating_sub(self.samples.len() as u64);
        let from = from.max(first).max(open.saturating_sub(SLOTS as u64));
        (from..open).map(move |slot| {
            let at = usize::try_from(slot - first).ok();
            let sample = at.and_then(|at| self.samples.get(at));
            sample.copied().unwrap_or_default()
        })
    }

    /// Whether there were requests in the slots from `from` on.
    pub(super) fn has_since(&self, from: u64) -> bool {
        self.newest >= from
    }
}

impl PartialEq for Recent {
    fn eq(&self, other: &Self) -> bool {
        // Slots that have ended do not change.
        self.newest == other.newest
    }
}

impl Sample {
    /// Both numbers, rounded.
    pub(super) fn to_json(self) -> Json {
        json!([number(self.concurrency), number(self.requests_per_second)])
    }
}

/// To two decimals, and as a whole number where it is one.
fn number(value: f32) -> Json {
    let value = (f64::from(value) * 100.0).round() / 100.0;
    match value.fract() == 0.0 {
        true => json!(value as u64),
        false => json!(value),
    }
}

fn place(slot: u64) -> usize {
    (slot % RING as u64) as usize
}

#[cfg(test)]
mod tests;
