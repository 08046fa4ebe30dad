//! The state machine: which revisions are tracked, and what an event or a tick does to them.

use indexmap::map::Entry;

use crate::accounting::average::Average;
use crate::accounting::snapshot::Snapshot;
use crate::accounting::{Accounting, Ledger};
use crate::table::{self, Table};
use crate::{
    Gauge, KeyLimitReached, Refused, Report, ReqEvent, ReqKind, RevisionKey, Stat, StatMessage,
    Timestamp, UnmatchedOut,
};

/// Counts the requests in flight per revision.
///
/// Two calls in a row are always legal, and the same calls give the same answers, order included.
pub struct Reporter {
    books: Books,
    key_limit: usize,
    unmatched_outs: u64,
}

/// One table per kind of ledger, so that an entry is no larger than its ledger needs.
enum Books {
    Snapshot(Table<Snapshot>),
    Average(Table<Average>),
}

macro_rules! with_table {
    ($books:expr, $table:ident => $body:expr) => {
        match $books {
            Books::Snapshot($table) => $body,
            Books::Average($table) => $body,
        }
    };
}

impl Reporter {
    /// A reporter that tracks nothing yet, with no limit on the number of keys.
    #[must_use]
    pub fn new(accounting: Accounting) -> Self {
        Self {
            books: match accounting {
                Accounting::Snapshot => Books::Snapshot(Table::default()),
                Accounting::Average => Books::Average(Table::default()),
            },
            key_limit: usize::MAX,
            unmatched_outs: 0,
        }
    }

    /// Takes in one event that happened at `now`.
    ///
    /// Answers the message of a first request, which is to be sent at once. A `now` before that of
    /// an earlier event counts as no time passed. For a tracked key nothing is allocated.
    ///
    /// # Errors
    /// The event changed nothing: it was a `ReqOut` for a key with nothing in flight (counted in
    /// [`unmatched_outs`](Self::unmatched_outs)), or a `ReqIn` for one key too many.
    pub fn on_event(
        &mut self,
        event: &ReqEvent,
        now: Timestamp,
    ) -> Result<Option<StatMessage>, Refused> {
        match event.kind {
            ReqKind::ReqIn => {
                with_table!(&mut self.books, table => on_in(table, self.key_limit, &event.key, now))
                    .map_err(Refused::KeyLimitReached)
            }
            ReqKind::ReqOut => {
                with_table!(&mut self.books, table => on_out(table, &event.key, now))
                    .map(|()| None)
                    .map_err(|error| {
                        self.unmatched_outs += 1;
                        Refused::UnmatchedOut(error)
                    })
            }
        }
    }

    /// Ends the period at `now` and appends what there is to say to `report`.
    ///
    /// Costs time in proportion to the number of tracked keys.
    pub fn on_tick(&mut self, now: Timestamp, report: &mut Report) {
        with_table!(&mut self.books, table => on_tick(table, now, report));
    }

    /// The number of keys that may be tracked at once from now on; further ones are refused.
    /// Those that are tracked already stay.
    pub fn set_key_limit(&mut self, limit: usize) {
        self.key_limit = limit;
    }

    /// The number of tracked keys.
    #[must_use]
    pub fn tracked_keys(&self) -> usize {
        with_table!(&self.books, table => table.len())
    }

    /// Requests in flight for `key`; none when the key is not tracked.
    #[must_use]
    pub fn in_flight(&self, key: &RevisionKey) -> Option<u64> {
        with_table!(&self.books, table => table.get(key).map(Ledger::in_flight))
    }

    /// How many `ReqOut` were refused because nothing was in flight.
    #[must_use]
    pub fn unmatched_outs(&self) -> u64 {
        self.unmatched_outs
    }
}

fn on_in<L: Ledger>(
    table: &mut Table<L>,
    limit: usize,
    key: &RevisionKey,
    now: Timestamp,
) -> Result<Option<StatMessage>, KeyLimitReached> {
    // The usual case first: a look-up without a copy of the key.
    if let Some(ledger) = table.get_mut(key) {
        ledger.on_in(now);
        return Ok(None);
    }
    if table.len() >= limit {
        return Err(KeyLimitReached { limit });
    }
    table::make_room(table);
    if let Entry::Vacant(entry) = table.entry(key.clone()) {
        entry.insert(L::open(now)).on_in(now);
    }
    Ok(Some(StatMessage {
        key: key.clone(),
        // The request that starts an entry is the only one in it, in either accounting.
        stat: Stat {
            average_concurrent_requests: 1.0,
            request_count: 1,
        },
    }))
}

fn on_out<L: Ledger>(
    table: &mut Table<L>,
    key: &RevisionKey,
    now: Timestamp,
) -> Result<(), UnmatchedOut> {
    match table.get_mut(key) {
        Some(ledger) if ledger.in_flight() > 0 => {
            ledger.on_out(now);
            Ok(())
        }
        _ => Err(UnmatchedOut),
    }
}

fn on_tick<L: Ledger>(table: &mut Table<L>, now: Timestamp, report: &mut Report) {
    report.gauges.reserve(table.len());
    table.retain(|key, ledger| {
        let closed = ledger.on_tick(now);
        if let Some(stat) = closed.stat {
            report.messages.push(StatMessage {
                key: key.clone(),
                stat,
            });
        }
        report.gauges.push(Gauge {
            key: key.clone(),
            concurrency: closed.gauge,
        });
        if closed.forget {
            report.forgotten.push(key.clone());
        }
        !closed.forget
    });
    table::give_back(table);
}
