//! One run: a reporter, its sinks and its traffic on a runtime of their own, in virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reporter_core::{MetricsBackend, Report, RevisionKey, StatMessage};
use reporter_runtime::{ConcurrencyReporter, Dispatch, HistoryRecord, Undelivered};
use tokio::time::Instant;
use tracing::Level;

use crate::clock::TestClock;
use crate::ending::{dispatches, records};
use crate::log::{Line, Log};
use crate::plan::{Plan, SinkKind};
use crate::replay;
use crate::sink::healthy;
use crate::sinks::{FarEnd, Promise, Simulated, simulated};
use crate::traffic::{Ledger, Traffic};

/// What came of a run. Its debug text is the run's trace.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) plan: Plan,
    pub(crate) keys: Arc<[RevisionKey]>,
    pub(crate) ledger: Ledger,
    pub(crate) records: Vec<HistoryRecord>,
    pub(crate) gauges: Vec<replay::Gauges>,
    /// What the healthy sink has seen.
    pub(crate) told: Vec<Arc<Dispatch>>,
    /// How the healthy sink ended.
    pub(crate) end: Result<(), Undelivered>,
    pub(crate) sinks: Vec<SinkOutcome>,
    pub(crate) unmatched_outs: u64,
    pub(crate) untracked_requests: u64,
    /// What was still tracked before the stop.
    pub(crate) tracked_keys: usize,
    pub(crate) stop_took: Duration,
    pub(crate) log: Vec<Line>,
}

/// What came of a simulated sink.
#[derive(Debug)]
pub(crate) struct SinkOutcome {
    pub(crate) name: &'static str,
    pub(crate) promise: Promise,
    pub(crate) end: Result<(), Undelivered>,
    /// With the milliseconds at which it did.
    pub(crate) arrived: Vec<(u128, StatMessage)>,
    /// How much of it arrived before the stop.
    pub(crate) before_stop: usize,
}

#[derive(Clone, Default)]
struct Gauges(Arc<Mutex<Vec<replay::Gauges>>>);

impl MetricsBackend for Gauges {
    fn on_tick(&mut self, report: &Report) {
        self.0.lock().unwrap().push(replay::gauges(report));
    }
}

/// The run of that seed.
pub(crate) fn run(seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let log = Log::collect(Level::WARN);
    let mut outcome = runtime.block_on(carry_out(Plan::new(seed)));
    let lines = log.take().into_iter();
    // Of a panic tokio tells the number of the task, which is not the same in each run.
    let stable = |line: String| line.split("task ").next().unwrap().to_owned();
    outcome.log = lines.map(|(level, line)| (level, stable(line))).collect();
    outcome
}

async fn carry_out(plan: Plan) -> Outcome {
    let start = Instant::now();
    let clock = TestClock::new();
    // Far enough from its origin to jump back.
    clock.jump(i64::MAX / 8);
    let gauges = Gauges::default();
    let (sink, seen) = healthy();
    let builder = ConcurrencyReporter::builder(plan.accounting)
        .interval(plan.interval)
        .flush_timeout(plan.flush_timeout)
        .shards(plan.shards)
        .max_tracked_keys(plan.max_tracked_keys)
        .clock(clock.clone())
        .metrics(gauges.clone())
        .sink(sink);
    let (mut builder, history) = builder.record(1 << 14);
    let mut far_ends: Vec<(&'static str, FarEnd, Promise)> = Vec::new();
    for planned in &plan.sinks {
        let give_up_after = plan.flush_timeout / 2;
        let Simulated {
            name,
            sink,
            far_end,
            promise,
        } = simulated(planned, start, plan.quiet_from, give_up_after);
        builder = builder.sink(sink);
        far_ends.push((name, far_end, promise));
    }
    let (reporter, task) = builder.spawn();

    let keys = (0..plan.keys).map(|n| RevisionKey::try_new("default", &format!("key-{n}")));
    let traffic = Traffic {
        start,
        reporter: reporter.clone(),
        clock,
        keys: keys.map(Result::unwrap).collect(),
        ledger: Arc::new(Mutex::new(Ledger {
            guards: vec![0; plan.keys],
            events_in: vec![0; plan.keys],
            ..Ledger::default()
        })),
    };
    let traffic_ends = tokio::spawn(traffic.clone().run(plan.actions.clone()));
    match plan.stop_at {
        Some(stop_at) => tokio::time::sleep_until(start + stop_at).await,
        None => {
            tokio::time::sleep_until(start + plan.quiet_from).await;
            while !traffic_ends.is_finished() {
                tokio::time::sleep(plan.interval).await;
            }
            tokio::time::sleep(catching_up(&plan)).await;
        }
    }
    let tracked_keys = reporter.tracked_keys();
    let before_stop: Vec<_> = far_ends
        .iter()
        .map(|(_, far_end, _)| far_end.arrived().len())
        .collect();
    let stop_begins = Instant::now();
    let stopped = task.stop().await;
    let stop_took = stop_begins.elapsed();
    // Guards that are still alive go on, and nothing hears of it.
    traffic_ends.await.unwrap();

    let mut ends = stopped.sinks.into_iter();
    let (_, end) = ends.next().unwrap();
    let ledger = traffic.ledger.lock().unwrap().clone();
    let gauges = gauges.0.lock().unwrap().clone();
    Outcome {
        keys: traffic.keys,
        ledger,
        records: records(history).await,
        gauges,
        told: dispatches(seen).await,
        end,
        sinks: far_ends
            .into_iter()
            .zip(ends)
            .zip(before_stop)
            .map(
                |(((name, far_end, promise), (_, end)), before_stop)| SinkOutcome {
                    name,
                    promise,
                    end,
                    arrived: far_end.arrived(),
                    before_stop,
                },
            )
            .collect(),
        unmatched_outs: reporter.unmatched_outs(),
        untracked_requests: reporter.untracked_requests(),
        tracked_keys,
        stop_took,
        log: Vec::new(),
        plan,
    }
}

/// How long it takes until all is told and has arrived when there is no traffic and no fault.
fn catching_up(plan: &Plan) -> Duration {
    // What had requests in this period is forgotten by the end of the next.
    let forgetting = plan.interval * 3;
    let arriving = plan.sinks.iter().map(|sink| match &sink.kind {
        // A line is tried again every second.
        SinkKind::Lines { .. } => Duration::from_millis(1_001),
        // There and back for what is on the way, for what waits behind it, and for the last tick.
        SinkKind::Link { latency, .. } => Duration::from_millis(latency.end) * 6,
        SinkKind::Slow { .. } | SinkKind::Ends { .. } => Duration::ZERO,
    });
    forgetting + arriving.max().unwrap_or_default()
}
