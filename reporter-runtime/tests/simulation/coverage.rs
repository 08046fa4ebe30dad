//! Proof that the seeds reach the situations of the rules.

use std::sync::atomic::{AtomicU64, Ordering};

use reporter_runtime::HistoryOp;

use crate::plan::Action;
use crate::run::{Outcome, SinkOutcome};
use crate::sinks::Promise;

type Situation = (&'static str, fn(&Outcome) -> bool);

const SITUATIONS: [Situation; 10] = [
    ("a sink fell behind and saw reports merged", |outcome| {
        let told = outcome.told.iter().map(|told| told.batch.messages.len());
        let told: usize = told.sum();
        outcome.sinks.iter().any(|sink| {
            let exact = sink.promise == Promise::ExactlyOnce && sink.end == Ok(());
            exact && sink.arrived.len() < told
        })
    }),
    ("a link that broke delivered twice", |outcome| {
        let told: u64 = outcome.told.iter().map(|told| told.requests()).sum();
        outcome.sinks.iter().any(|sink| requests(sink) > told)
    }),
    ("a sink knew what it could not deliver", |outcome| {
        let knew = |sink: &SinkOutcome| sink.promise != Promise::None && sink.end.is_err();
        outcome.sinks.iter().any(knew) && !logged(outcome, "not flushed in time")
    }),
    ("a sink did not flush in time", |outcome| {
        logged(outcome, "not flushed in time")
    }),
    ("a sink ended early", |outcome| {
        logged(outcome, "nothing reaches it any more")
    }),
    ("keys were beyond the limit", |outcome| {
        outcome.untracked_requests > 0
    }),
    ("an end had no request", |outcome| {
        outcome.unmatched_outs > 0
    }),
    ("the clock jumped back", |outcome| {
        !outcome.records.is_sorted_by_key(|record| record.at)
    }),
    ("a send was given up", |outcome| {
        let sent: u64 = outcome.ledger.events_in.iter().sum();
        let actions = outcome.plan.actions.iter();
        let planned = actions.map(|(_, action)| match action {
            Action::Events { times, .. } => *times as u64,
            _ => 0,
        });
        outcome.plan.stop_at.is_none() && sent < planned.sum()
    }),
    ("a request came after the last tick", |outcome| {
        let records = outcome.records.iter();
        let heard_of = records.filter(|record| matches!(record.op, HistoryOp::In { .. }));
        let ledger = &outcome.ledger;
        let counted: u64 = ledger.guards.iter().chain(&ledger.events_in).sum();
        outcome.untracked_requests == 0 && heard_of.count() < counted as usize
    }),
];

fn requests(sink: &SinkOutcome) -> u64 {
    let arrived = sink.arrived.iter().map(|(_, message)| message);
    arrived.map(|message| message.stat.request_count).sum()
}

fn logged(outcome: &Outcome, text: &str) -> bool {
    outcome.log.iter().any(|(_, line)| line.contains(text))
}

/// In how many runs each situation came up.
#[derive(Default)]
pub(crate) struct Coverage([AtomicU64; SITUATIONS.len()]);

impl Coverage {
    pub(crate) fn add(&self, outcome: &Outcome) {
        for ((_, came_up), runs) in SITUATIONS.iter().zip(&self.0) {
            runs.fetch_add(u64::from(came_up(outcome)), Ordering::Relaxed);
        }
    }

    /// # Panics
    /// When a situation has hardly come up.
    pub(crate) fn check(&self) {
        for ((name, _), runs) in SITUATIONS.iter().zip(&self.0) {
            let runs = runs.load(Ordering::Relaxed);
            println!("{runs:5} runs: {name}");
            assert!(runs >= 20, "{name}: in {runs} runs only");
        }
    }
}
