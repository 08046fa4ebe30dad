//! The state machine: which revisions are tracked, and what an event or a tick does to them.

use crate::accounting::average::Average;
use crate::accounting::snapshot::Snapshot;
use crate::accounting::{Accounting, Ledger};
use crate::table::{self, Entry, Table};
use crate::{
    HashedKey, KeyLimitReached, Refused, Report, ReqEvent, ReqKind, RevisionKey, Stat, StatMessage,
    Ticket, Timestamp, UnmatchedOut,
};

/// Counts the requests in flight per revision.
///
/// Calls are legal in any order, and the same calls give the same results, order included.
///
/// Where a driver keeps something for each request anyway, a [`Ticket`] counts it out without another
/// look-up, and cannot be handed in twice:
///
/// ```
/// use reporter_core::{Accounting, Report, Reporter, RevisionKey, Timestamp};
///
/// let hello: RevisionKey = "default/hello".parse()?;
/// let at = |millis: u64| Timestamp::from_nanos(millis * 1_000_000);
/// let mut reporter = Reporter::new(Accounting::Average);
///
/// let (ticket, first) = reporter.on_in(hello.hashed(), at(0))?;
/// assert!(first.is_some(), "it is to be sent at once");
/// assert_eq!(reporter.in_flight(&hello), Some(1));
///
/// assert_eq!(reporter.on_out(ticket, at(250))?, &hello);
/// assert_eq!(reporter.in_flight(&hello), Some(0));
///
/// let mut report = Report::default();
/// reporter.on_tick(at(1_000), &mut report);
/// assert!(report.gauges().map(|gauge| gauge.concurrency).eq([0.25]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reporter {
    tables: Tables,
    key_limit: usize,
    unmatched_outs: u64,
}

/// One table per kind of ledger, so that an entry is no larger than its ledger needs.
enum Tables {
    Snapshot(Table<Snapshot>),
    Average(Table<Average>),
}

macro_rules! with_table {
    ($tables:expr, $table:ident => $body:expr) => {
        match $tables {
            Tables::Snapshot($table) => $body,
            Tables::Average($table) => $body,
        }
    };
}

impl Reporter {
    /// A reporter that tracks nothing yet, with no limit on the number of keys.
    #[must_use]
    pub fn new(accounting: Accounting) -> Self {
        Self {
            tables: match accounting {
                Accounting::Snapshot => Tables::Snapshot(Table::new()),
                Accounting::Average => Tables::Average(Table::new()),
            },
            key_limit: table::MAX_ENTRIES,
            unmatched_outs: 0,
        }
    }

    /// Applies one event that happened at `now`.
    ///
    /// Returns the message of a first request, which is to be sent at once. A `now` before that of
    /// an earlier event counts as no time passed. For a tracked key nothing is allocated.
    ///
    /// # Errors
    /// A `ReqOut` for a key with nothing in flight (counted in
    /// [`unmatched_outs`](Self::unmatched_outs)), or a `ReqIn` beyond the key limit. State is unchanged.
    pub fn on_event(
        &mut self,
        event: &ReqEvent,
        now: Timestamp,
    ) -> Result<Option<StatMessage>, Refused> {
        let key = event.key.hashed();
        match event.kind {
            ReqKind::ReqIn => match self.on_in(key, now) {
                Ok((_, message)) => Ok(message),
                Err(error) => Err(Refused::KeyLimitReached(error)),
            },
            ReqKind::ReqOut => {
                let out = with_table!(&mut self.tables, table => on_out(table.get_mut(key), now).map(drop));
                out.map(|()| None).map_err(|error| {
                    self.unmatched_outs += 1;
                    Refused::UnmatchedOut(error)
                })
            }
        }
    }

    /// Counts a request in, as [`on_event`](Self::on_event) does, and returns the ticket to count it out with.
    ///
    /// # Errors
    /// The key limit is reached. State is unchanged.
    #[inline]
    pub fn on_in(
        &mut self,
        key: HashedKey<'_>,
        now: Timestamp,
    ) -> Result<(Ticket, Option<StatMessage>), KeyLimitReached> {
        with_table!(&mut self.tables, table => on_in(table, self.key_limit, key, now))
    }

    /// Counts a request out and returns its key.
    ///
    /// # Errors
    /// It is no longer in flight: a [`ReqKind::ReqOut`] for its key came first.
    #[inline]
    pub fn on_out(&mut self, ticket: Ticket, now: Timestamp) -> Result<&RevisionKey, UnmatchedOut> {
        let key = with_table!(&mut self.tables, table => on_out(table.by_ticket(&ticket), now));
        if key.is_err() {
            self.unmatched_outs += 1;
        }
        key
    }

    /// Ends the period at `now` and appends the results to `report`.
    ///
    /// Costs time in proportion to the number of tracked keys.
    pub fn on_tick(&mut self, now: Timestamp, report: &mut Report) {
        with_table!(&mut self.tables, table => table.on_tick(now, report));
    }

    /// Limits the keys that are tracked at once; requests for further keys are refused.
    /// Keys that are tracked already stay.
    ///
    /// ```
    /// use reporter_core::{Accounting, Reporter, ReqEvent, Timestamp};
    ///
    /// let mut reporter = Reporter::new(Accounting::Snapshot);
    /// reporter.set_key_limit(1);
    /// let request = |key: &str| Ok::<_, reporter_core::KeyError>(ReqEvent::req_in(key.parse()?));
    ///
    /// let now = Timestamp::default();
    /// assert!(reporter.on_event(&request("default/hello")?, now).is_ok());
    /// assert!(reporter.on_event(&request("default/hello")?, now).is_ok());
    /// let refused = reporter.on_event(&request("default/world")?, now).unwrap_err();
    /// assert_eq!(refused.to_string(), "the limit of 1 tracked keys is reached");
    /// # Ok::<(), reporter_core::KeyError>(())
    /// ```
    pub fn set_key_limit(&mut self, limit: usize) {
        self.key_limit = limit.min(table::MAX_ENTRIES);
    }

    /// The number of tracked keys.
    #[must_use]
    pub fn tracked_keys(&self) -> usize {
        with_table!(&self.tables, table => table.len())
    }

    /// Requests in flight for `key`; `None` when the key is not tracked.
    #[must_use]
    pub fn in_flight(&self, key: &RevisionKey) -> Option<u64> {
        let key = key.hashed();
        with_table!(&self.tables, table => table.get(key).map(|entry| entry.ledger.in_flight()))
    }

    /// The number of `ReqOut` events that were refused because nothing was in flight.
    #[must_use]
    pub fn unmatched_outs(&self) -> u64 {
        self.unmatched_outs
    }
}

#[inline]
fn on_in<L: Ledger>(
    table: &mut Table<L>,
    limit: usize,
    key: HashedKey<'_>,
    now: Timestamp,
) -> Result<(Ticket, Option<StatMessage>), KeyLimitReached> {
    if let Some(entry) = table.get_mut(key) {
        entry.ledger.on_in(now);
        return Ok((entry.ticket(key.hash), None));
    }
    if table.len() >= limit {
        return Err(KeyLimitReached { limit });
    }
    let (ticket, message) = on_first_request(table, key, now);
    Ok((ticket, Some(message)))
}

#[cold]
fn on_first_request<L: Ledger>(
    table: &mut Table<L>,
    key: HashedKey<'_>,
    now: Timestamp,
) -> (Ticket, StatMessage) {
    let entry = table.insert(key, L::open(now));
    entry.ledger.on_in(now);
    let message = StatMessage {
        key: key.key.clone(),
        // The request that starts an entry is the only one in it, in either accounting.
        stat: Stat {
            average_concurrent_requests: 1.0,
            request_count: 1,
        },
    };
    (entry.ticket(key.hash), message)
}

#[inline]
fn on_out<L: Ledger>(
    entry: Option<&mut Entry<L>>,
    now: Timestamp,
) -> Result<&RevisionKey, UnmatchedOut> {
    match entry {
        Some(entry) if entry.ledger.in_flight() > 0 => {
            entry.ledger.on_out(now);
            Ok(entry.key())
        }
        _ => Err(UnmatchedOut),
    }
}
