//! The report of a tick: what it says, and how the next one is made of the same memory.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::accounting::Closed;
use crate::{RevisionKey, StatMessage};

/// The buffer that [`Reporter::on_tick`](crate::Reporter::on_tick) appends to.
///
/// Several reporters (shards) may append to one; [`clear`](Self::clear) it to use it again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What goes to the autoscaler.
    pub messages: Vec<StatMessage>,
    /// Keys that were tracked until this tick and are no longer.
    pub forgotten: Vec<RevisionKey>,
    /// Keys without a message. Their gauge is 0.
    silent: Vec<RevisionKey>,
    /// The gauges that are not their message's average, and the places of those messages.
    unlike: Vec<(usize, f64)>,
    /// Messages of an earlier report, in its order, that lend the next one their keys: a clone would have to
    /// fetch each key's count of references, which lies anywhere in memory.
    earlier: VecDeque<StatMessage>,
}

/// The value of a revision's gauge at a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauge<'a> {
    /// The revision.
    pub key: &'a RevisionKey,
    /// Its concurrency, in requests.
    pub concurrency: f64,
}

impl Report {
    /// An empty report with room for the messages of as many keys.
    ///
    /// `earlier` is what the same reporters said at their last tick, or nothing: a tick makes its messages of
    /// those then, at a fraction of the cost.
    #[must_use]
    pub fn following(earlier: Vec<StatMessage>, keys: usize) -> Self {
        Self {
            messages: Vec::with_capacity(keys),
            earlier: earlier.into(),
            ..Self::default()
        }
    }

    /// Empties it for the same reporters' next tick, which uses its memory again.
    pub fn clear(&mut self) {
        let mut used = Vec::from(core::mem::take(&mut self.earlier));
        used.clear();
        self.earlier = core::mem::replace(&mut self.messages, used).into();
        self.forgotten.clear();
        self.silent.clear();
        self.unlike.clear();
    }

    /// What goes to the metrics backend: one gauge for every key that was tracked, those at 0 included.
    ///
    /// To be asked for while `messages` is as the ticks have left it.
    pub fn gauges(&self) -> impl Iterator<Item = Gauge<'_>> {
        let mut unlike = self.unlike.iter().peekable();
        let told = self.messages.iter().enumerate().map(move |(place, told)| {
            let own = unlike.next_if(|(of, _)| *of == place);
            Gauge {
                key: &told.key,
                concurrency: own.map_or(told.stat.average_concurrent_requests, |own| own.1),
            }
        });
        told.chain(self.silent.iter().map(|key| Gauge {
            key,
            concurrency: 0.0,
        }))
    }

    /// Adds what a key's ledger said. In its first period a key was in no earlier report.
    #[inline]
    pub(crate) fn tell(&mut self, key: &RevisionKey, first_period: bool, closed: &Closed) {
        match closed.stat {
            Some(stat) => {
                if stat.average_concurrent_requests != closed.gauge {
                    self.unlike.push((self.messages.len(), closed.gauge));
                }
                let reused = match first_period {
                    true => None,
                    false => self.reuse(key),
                };
                let key = reused.unwrap_or_else(|| key.clone());
                self.messages.push(StatMessage { key, stat });
            }
            None => self.silent.push(key.clone()),
        }
        if closed.forget {
            self.forgotten.push(key.clone());
        }
    }

    /// The key's clone in the earlier report. Both are in the same order, so what stands before it is of keys
    /// that have left.
    #[inline]
    fn reuse(&mut self, key: &RevisionKey) -> Option<RevisionKey> {
        while let Some(earlier) = self.earlier.pop_front() {
            if earlier.key.identity() == key.identity() {
                return Some(earlier.key);
            }
        }
        None
    }
}
