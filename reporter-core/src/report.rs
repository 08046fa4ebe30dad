//! The report of a tick, and how the next one uses its memory again.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::accounting::PeriodEnd;
use crate::{RevisionKey, StatMessage};

/// The buffer that [`Reporter::on_tick`](crate::Reporter::on_tick) appends to.
///
/// Several reporters (shards) may append to one; [`clear`](Self::clear) it to use it again:
///
/// ```
/// use reporter_core::{Accounting, Report, Reporter, ReqEvent, RevisionKey, Timestamp};
///
/// let hello: RevisionKey = "default/hello".parse()?;
/// let mut reporter = Reporter::new(Accounting::Snapshot);
/// let mut report = Report::default();
/// reporter.on_event(&ReqEvent::req_in(hello.clone()), Timestamp::default())?;
/// for second in 1..=3 {
///     report.clear();
///     reporter.on_tick(Timestamp::from_nanos(second * 1_000_000_000), &mut report);
///     // To the autoscaler, and to the metrics.
///     assert_eq!(report.messages[0].key, hello);
///     assert!(report.gauges().map(|gauge| gauge.concurrency).eq([1.0]));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What goes to the autoscaler.
    pub messages: Vec<StatMessage>,
    /// Keys that were tracked until this tick and no longer are.
    pub forgotten: Vec<RevisionKey>,
    /// Keys without a message. Their gauge is 0.
    keys_without_message: Vec<RevisionKey>,
    /// Gauges that differ from their message's average, each with the index of its message.
    gauge_overrides: Vec<(usize, f64)>,
    /// The last report's messages, in its order. Their keys move into this one's: to clone a key is to fetch its
    /// reference count, which lies anywhere in memory (`tick/snapshot 1000000 keys` in
    /// BENCHMARKS.md: 12 ns per key, 25 with clones).
    recycled: VecDeque<StatMessage>,
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
    /// An empty report with room for `capacity` messages.
    ///
    /// `messages` are those of the same reporters' last tick, or empty. The next tick takes their keys, which
    /// costs less than cloning them.
    #[must_use]
    pub fn recycling(messages: Vec<StatMessage>, capacity: usize) -> Self {
        Self {
            messages: Vec::with_capacity(capacity),
            recycled: messages.into(),
            ..Self::default()
        }
    }

    /// Empties the report for the same reporters' next tick, which uses its memory again.
    pub fn clear(&mut self) {
        let mut used = Vec::from(core::mem::take(&mut self.recycled));
        used.clear();
        self.recycled = core::mem::replace(&mut self.messages, used).into();
        self.forgotten.clear();
        self.keys_without_message.clear();
        self.gauge_overrides.clear();
    }

    /// What goes to the metrics backend: one gauge for every key that was tracked, those at 0 included.
    ///
    /// Valid as long as `messages` is unchanged since the ticks.
    pub fn gauges(&self) -> impl Iterator<Item = Gauge<'_>> {
        let mut overrides = self.gauge_overrides.iter().peekable();
        let messages = self.messages.iter().enumerate().map(move |(index, it)| {
            let own = overrides.next_if(|(of, _)| *of == index);
            Gauge {
                key: &it.key,
                concurrency: own.map_or(it.stat.average_concurrent_requests, |own| own.1),
            }
        });
        messages.chain(self.keys_without_message.iter().map(|key| Gauge {
            key,
            concurrency: 0.0,
        }))
    }

    /// Adds the end of a key's period. In its first period a key was in no earlier report.
    #[inline]
    pub(crate) fn add(&mut self, key: &RevisionKey, first_period: bool, end: &PeriodEnd) {
        match end.stat {
            Some(stat) => {
                if stat.average_concurrent_requests != end.gauge {
                    self.gauge_overrides.push((self.messages.len(), end.gauge));
                }
                let recycled = if first_period {
                    None
                } else {
                    self.recycled_key(key)
                };
                let key = recycled.unwrap_or_else(|| key.clone());
                self.messages.push(StatMessage { key, stat });
            }
            None => self.keys_without_message.push(key.clone()),
        }
        if end.forget {
            self.forgotten.push(key.clone());
        }
    }

    /// The key's clone in the last report. Both reports have the same order, so messages before it are of keys
    /// that are no longer tracked.
    #[inline]
    fn recycled_key(&mut self, key: &RevisionKey) -> Option<RevisionKey> {
        while let Some(message) = self.recycled.pop_front() {
            if message.key.identity() == key.identity() {
                return Some(message.key);
            }
        }
        None
    }
}
