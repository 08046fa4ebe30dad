//! The pure core as reference: its output for a recorded history.

use reporter_core::{Accounting, Batch, Cause, Report, Reporter, ReqEvent, RevisionKey, Stat};
use reporter_runtime::{HistoryOp, HistoryRecord};

/// What a history replays to.
#[derive(Default)]
pub(crate) struct Replayed {
    /// In order; those of ticks may be empty.
    pub(crate) batches: Vec<Batch>,
    /// Of each tick.
    pub(crate) gauges: Vec<Gauges>,
}

/// The gauges of a tick.
pub(crate) type Gauges = Vec<(RevisionKey, f64)>;

/// The gauges of a report, to be kept.
pub(crate) fn gauges(report: &Report) -> Gauges {
    let gauges = report.gauges();
    gauges
        .map(|gauge| (gauge.key.clone(), gauge.concurrency))
        .collect()
}

/// Drives the pure core with a history.
pub(crate) fn replay(accounting: Accounting, records: &[HistoryRecord]) -> Replayed {
    let mut reporter = Reporter::new(accounting);
    let mut replayed = Replayed::default();
    for HistoryRecord { at, op } in records {
        let event = match op {
            HistoryOp::In { key, .. } => ReqEvent::req_in(key.clone()),
            HistoryOp::Out { key, .. } => ReqEvent::req_out(key.clone()),
            HistoryOp::Tick => {
                let mut report = Report::default();
                reporter.on_tick(*at, &mut report);
                replayed.gauges.push(gauges(&report));
                let batch = Batch::tick(report.messages, report.forgotten);
                replayed.batches.push(batch);
                continue;
            }
        };
        let message = reporter.on_event(&event, *at).unwrap();
        replayed.batches.extend(message.map(Batch::first_request));
    }
    replayed
}

/// What was said of a key, in order; none where it was forgotten.
pub(crate) type Story = Vec<(Cause, Option<Stat>)>;

/// The story of `key` in `batches`.
pub(crate) fn story<'a>(key: &RevisionKey, batches: impl IntoIterator<Item = &'a Batch>) -> Story {
    let mut story = Story::new();
    for batch in batches {
        let messages = batch.messages.iter().filter(|message| message.key == *key);
        story.extend(messages.map(|message| (batch.cause, Some(message.stat))));
        let forgotten = batch.forgotten.iter().filter(|forgotten| *forgotten == key);
        story.extend(forgotten.map(|_| (batch.cause, None)));
    }
    story
}
