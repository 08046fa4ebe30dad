//! A record of all events and ticks, in an order that replays to the same results.

use std::collections::VecDeque;

use reporter_core::{RevisionKey, Timestamp};
use tokio::sync::mpsc;

use crate::sync::Mutex;

/// An event or tick, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRecord {
    /// Its time on the reporter's clock.
    pub at: Timestamp,
    /// What happened.
    pub op: HistoryOp,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryOp {
    /// A request started.
    In {
        /// Its number, unique in the history.
        id: u64,
        /// The revision that it is for.
        key: RevisionKey,
    },
    /// A request ended.
    Out {
        /// The number that it started with; `None` when it was not counted by a guard.
        id: Option<u64>,
        /// The revision that it was for.
        key: RevisionKey,
    },
    /// A period ended.
    Tick,
}

/// The reading end of a recording.
///
/// ```
/// use reporter_core::{Accounting, RevisionKey};
/// use reporter_runtime::{ConcurrencyReporter, HistoryOp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = ConcurrencyReporter::builder(Accounting::Average);
/// let (builder, mut history) = builder.record(1_000);
/// let (reporter, task) = builder.spawn();
///
/// let key: RevisionKey = "default/hello".parse()?;
/// drop(reporter.track(&key));
/// task.stop().await;
///
/// let mut ops = Vec::new();
/// while let Some(record) = history.recv().await {
///     ops.push(record.op);
/// }
/// let request = [
///     HistoryOp::In { id: 1, key: key.clone() },
///     HistoryOp::Out { id: Some(1), key },
/// ];
/// assert!(ops.starts_with(&request));
/// assert_eq!(ops.last(), Some(&HistoryOp::Tick));
/// # Ok(())
/// # }
/// ```
pub struct History {
    receiver: mpsc::Receiver<Recorded>,
    ready: VecDeque<HistoryRecord>,
    /// Of shards that the tick under way had already reached: these come after it.
    held_back: Vec<HistoryRecord>,
    ticks: u64,
}

/// A record and how many ticks its shard had seen before it.
struct Recorded {
    ticks: u64,
    record: HistoryRecord,
}

/// The writing end. While nothing is recorded it does not exist.
pub(crate) struct Recorder(Mutex<Option<Open>>);

struct Open {
    sender: mpsc::Sender<Recorded>,
    ids: u64,
}

/// A recording that holds `capacity` records at most.
pub(crate) fn recording(capacity: usize) -> (Recorder, History) {
    let (sender, receiver) = mpsc::channel(capacity);
    let history = History {
        receiver,
        ready: VecDeque::new(),
        held_back: Vec::new(),
        ticks: 0,
    };
    (Recorder(Mutex::new(Some(Open { sender, ids: 0 }))), history)
}

impl History {
    /// The next record; `None` after the last tick.
    ///
    /// A reader that falls further behind than the recording's capacity ends it: it then holds the
    /// exact beginning of the history, and no request has waited for the reader. A reporter that was
    /// dropped without a stop is recorded for as long as anything counts for it.
    ///
    /// Cancel-safe: no record is taken from the channel without being kept.
    pub async fn recv(&mut self) -> Option<HistoryRecord> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Some(record);
            }
            // At the end nothing is held back, unless the recording broke off in the middle of a
            // tick: then what comes behind that tick is not part of the beginning.
            let recorded = self.receiver.recv().await?;
            self.sort_in(recorded);
        }
    }

    fn sort_in(&mut self, Recorded { ticks, record }: Recorded) {
        if record.op == HistoryOp::Tick {
            self.ticks = ticks;
            self.ready.push_back(record);
            self.ready.extend(self.held_back.drain(..));
        } else if ticks > self.ticks {
            self.held_back.push(record);
        } else {
            self.ready.push_back(record);
        }
    }
}

impl Recorder {
    /// Records a start and returns its number. To be called under the shard's lock.
    pub(crate) fn on_in(&self, ticks: u64, at: Timestamp, key: &RevisionKey) -> u64 {
        let mut open = self.0.lock();
        let id = open.as_mut().map_or(0, |open| {
            open.ids += 1;
            open.ids
        });
        let key = key.clone();
        push(&mut open, ticks, at, HistoryOp::In { id, key });
        id
    }

    /// Records an end. To be called under the shard's lock.
    pub(crate) fn on_out(&self, ticks: u64, at: Timestamp, id: Option<u64>, key: &RevisionKey) {
        let key = key.clone();
        push(&mut self.0.lock(), ticks, at, HistoryOp::Out { id, key });
    }

    /// Records a tick that every shard has seen; it is the `ticks`-th. The last one ends the recording.
    pub(crate) fn on_tick(&self, last: bool, ticks: u64, at: Timestamp) {
        let mut open = self.0.lock();
        push(&mut open, ticks, at, HistoryOp::Tick);
        if last {
            *open = None;
        }
    }
}

fn push(open: &mut Option<Open>, ticks: u64, at: Timestamp, op: HistoryOp) {
    let Some(Open { sender, .. }) = open else {
        return;
    };
    let record = HistoryRecord { at, op };
    if let Err(error) = sender.try_send(Recorded { ticks, record }) {
        if matches!(error, mpsc::error::TrySendError::Full(_)) {
            tracing::error!("the recording of the history ended early: its reader is too slow");
        }
        // A history with a hole would replay to something that never was.
        *open = None;
    }
}
