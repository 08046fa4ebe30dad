//! What must hold after each run.

use std::time::Duration;

use reporter_core::{Accounting, Batch, RevisionKey, Stat, StatMessage};
use reporter_runtime::HistoryOp;
use tracing::Level;

use crate::merging::{is_complete, is_merged_from, stats};
use crate::replay::{Gauges, Replayed, Story, replay, story};
use crate::run::{Outcome, SinkOutcome};
use crate::sinks::Promise;

/// # Panics
/// When something does not hold.
pub(crate) fn check(outcome: &Outcome) {
    let replayed = replay(outcome.plan.accounting, &outcome.records);
    check_told(outcome, &replayed);
    check_ledger(outcome);
    for sink in &outcome.sinks {
        check_sink(outcome, sink);
    }
    check_log(outcome);
    assert_eq!(outcome.end, Ok(()));
    // Two halves of a timeout may each be rounded up to a whole millisecond.
    let at_most = outcome.plan.flush_timeout + Duration::from_millis(2);
    assert!(outcome.stop_took <= at_most, "the stop took longer");
    if outcome.plan.stop_at.is_none() {
        assert_eq!(outcome.tracked_keys, 0, "tracked with nothing in flight");
    }
}

/// The healthy sink and the metrics backend have seen what the pure core answers to the history.
fn check_told(outcome: &Outcome, replayed: &Replayed) {
    let told: Vec<_> = batches(outcome).cloned().map(sorted).collect();
    let answers = replayed.batches.iter().filter(|batch| !batch.is_empty());
    let answers: Vec<_> = answers.cloned().map(sorted).collect();
    assert_eq!(told, answers);
    let by_key = |gauges: &Gauges| {
        let mut gauges = gauges.clone();
        gauges.sort_by(|a, b| a.0.cmp(&b.0));
        gauges
    };
    let gauges: Vec<_> = outcome.gauges.iter().map(by_key).collect();
    let answers: Vec<_> = replayed.gauges.iter().map(by_key).collect();
    assert_eq!(gauges, answers);
}

/// Only keys of one shard are told in an order.
fn sorted(mut batch: Batch) -> Batch {
    batch.messages.sort_by(|a, b| a.key.cmp(&b.key));
    batch.forgotten.sort();
    batch
}

fn batches(outcome: &Outcome) -> impl Iterator<Item = &Batch> {
    outcome.told.iter().map(|dispatch| &dispatch.batch)
}

/// Those who told the reporter and those who heard of it agree on how much there was.
fn check_ledger(outcome: &Outcome) {
    let ledger = &outcome.ledger;
    let told_of = |index: usize| ledger.guards[index] + ledger.events_in[index];
    let all_told_of = (0..outcome.keys.len()).map(told_of).sum::<u64>() + ledger.uncounted_guards;
    let mut all_counted = 0;
    for (index, key) in outcome.keys.iter().enumerate() {
        let is_in = |op: &HistoryOp| matches!(op, HistoryOp::In { key: of, .. } if of == key);
        let records = outcome.records.iter();
        let counted = records.filter(|record| is_in(&record.op)).count() as u64;
        all_counted += counted;
        assert!(counted <= told_of(index));
        if outcome.plan.accounting == Accounting::Average {
            let heard_of: u64 = stats_of(key, batches(outcome).flat_map(|batch| &batch.messages))
                .map(|stat| stat.request_count)
                .sum();
            assert_eq!(heard_of, counted, "{key}");
        }
        if outcome.plan.stop_at.is_none() && outcome.untracked_requests == 0 {
            assert_eq!(counted, told_of(index), "{key}");
        }
    }
    if outcome.plan.stop_at.is_none() {
        assert_eq!(all_counted + outcome.untracked_requests, all_told_of);
        let outs = ledger.guards.iter().sum::<u64>() + ledger.events_out;
        assert_eq!(all_counted + outcome.unmatched_outs, outs);
    }
}

fn check_sink(outcome: &Outcome, sink: &SinkOutcome) {
    let arrived: Vec<_> = sink.arrived.iter().map(|(_, message)| message).collect();
    for key in &*outcome.keys {
        let told = story(key, batches(outcome));
        let seen: Vec<Stat> = stats_of(key, arrived.iter().copied()).collect();
        if sink.promise != Promise::AtLeastOnce {
            assert!(is_merged_from(&seen, &told), "{} {key}", sink.name);
        }
        if sink.end == Ok(()) {
            check_complete(sink, &seen, &told);
        }
    }
    if sink.promise == Promise::None {
        return;
    }
    let told: u64 = outcome
        .told
        .iter()
        .map(|dispatch| dispatch.requests())
        .sum();
    let seen: u64 = arrived
        .iter()
        .map(|message| message.stat.request_count)
        .sum();
    if let Err(undelivered) = sink.end {
        assert!(
            seen + undelivered.requests >= told,
            "{} lost more than it says",
            sink.name
        );
    }
    // Whatever it missed has reached it by now.
    if outcome.plan.stop_at.is_none() {
        let arrived = &sink.arrived[..sink.before_stop];
        for key in &*outcome.keys {
            let told = story(key, batches(outcome));
            let seen: Vec<Stat> =
                stats_of(key, arrived.iter().map(|(_, message)| message)).collect();
            check_complete(sink, &seen, &told);
        }
        assert_eq!(sink.end, Ok(()), "{}", sink.name);
    }
}

fn check_complete(sink: &SinkOutcome, seen: &[Stat], told: &Story) {
    match sink.promise {
        Promise::ExactlyOnce => assert!(is_complete(seen, told), "{} {seen:?} {told:?}", sink.name),
        Promise::AtLeastOnce => {
            let told: u64 = stats(told).map(|stat| stat.request_count).sum();
            let seen: u64 = seen.iter().map(|stat| stat.request_count).sum();
            assert!(seen >= told, "{}", sink.name);
        }
        Promise::None => {}
    }
}

fn stats_of<'a>(
    key: &RevisionKey,
    messages: impl Iterator<Item = &'a StatMessage>,
) -> impl Iterator<Item = Stat> {
    messages
        .filter(move |message| message.key == *key)
        .map(|message| message.stat)
}

/// An error is only logged of a sink that has trouble; a warning only of keys beyond the limit.
fn check_log(outcome: &Outcome) {
    for (level, line) in &outcome.log {
        let of = |sink: &SinkOutcome| line.contains(&format!("sink={:?}", sink.name));
        let due = match *level {
            Level::ERROR => outcome.sinks.iter().filter(|sink| of(sink)).any(|sink| {
                sink.end.is_err() || sink.promise == Promise::None || sink.name == "lines"
            }),
            _ => outcome.untracked_requests > 0,
        };
        assert!(due, "{level} {line}");
    }
}
