//! A running reporter in virtual time with one healthy sink, and that sink's dispatches as text.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::{Accounting, Cause, RevisionKey};
use reporter_runtime::{Builder, ConcurrencyReporter, Dispatch, InFlight, ReporterTask, Stopped};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::clock::TestClock;
use super::sink::healthy;

pub(crate) struct Scene {
    pub(crate) reporter: ConcurrencyReporter,
    pub(crate) task: ReporterTask,
    pub(crate) clock: TestClock,
    start: Instant,
    pub(crate) seen: mpsc::UnboundedReceiver<Arc<Dispatch>>,
}

impl Scene {
    /// With the builder's defaults.
    pub(crate) fn start(accounting: Accounting) -> Self {
        Self::with(accounting, |builder| builder)
    }

    pub(crate) fn with(accounting: Accounting, build: impl FnOnce(Builder) -> Builder) -> Self {
        let start = Instant::now();
        let clock = TestClock::new();
        let (sink, seen) = healthy();
        let builder = ConcurrencyReporter::builder(accounting)
            .shards(4)
            .clock(clock.clone());
        let (reporter, task) = build(builder).sink(sink).spawn();
        Self {
            reporter,
            task,
            clock,
            start,
            seen,
        }
    }

    pub(crate) fn track(&self, name: &str) -> InFlight {
        self.reporter.track(&key(name))
    }

    /// Lets everything happen that is due before that many milliseconds from the start.
    pub(crate) async fn reach(&self, millis: u64) {
        tokio::time::sleep_until(self.start + Duration::from_millis(millis)).await;
    }

    /// Milliseconds from the start, in tokio's time.
    pub(crate) fn elapsed(&self) -> u128 {
        self.start.elapsed().as_millis()
    }

    /// What the healthy sink has seen since it was last asked.
    pub(crate) fn seen_so_far(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        while let Ok(dispatch) = self.seen.try_recv() {
            seen.push(text(&dispatch));
        }
        seen
    }

    /// The next that the healthy sink sees; within a minute, as ticks go on for ever.
    pub(crate) async fn next(&mut self) -> String {
        let next = tokio::time::timeout(Duration::from_secs(60), self.seen.recv());
        text(&next.await.unwrap().unwrap())
    }

    /// Stops; answers what the healthy sink had not been asked for, and how the sinks ended.
    pub(crate) async fn stop(mut self) -> (Vec<String>, Stopped) {
        let stopped = self.task.stop().await;
        let mut seen = Vec::new();
        while let Ok(dispatch) = self.seen.try_recv() {
            seen.push(text(&dispatch));
        }
        (seen, stopped)
    }
}

pub(crate) fn key(name: &str) -> RevisionKey {
    RevisionKey::try_new("default", name).unwrap()
}

/// `<ms> tick a 1/2 b 0/1 forgot c`: average/count per key, sorted by key.
pub(crate) fn text(dispatch: &Dispatch) -> String {
    let cause = match dispatch.batch.cause {
        Cause::FirstRequest => "first",
        Cause::Tick => "tick",
    };
    let mut parts = Vec::new();
    for message in &dispatch.batch.messages {
        let stat = message.stat;
        parts.push(format!(
            " {} {}/{}",
            message.key.name(),
            stat.average_concurrent_requests,
            stat.request_count
        ));
    }
    let forgotten = dispatch.batch.forgotten.iter();
    parts.extend(forgotten.map(|key| format!(" forgot {}", key.name())));
    parts.sort();
    let millis = dispatch.at.as_nanos() / 1_000_000;
    format!("{millis} {cause}{}", parts.concat())
}
