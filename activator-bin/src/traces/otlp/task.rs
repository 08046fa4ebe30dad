//! The task that sends spans: gathers a batch, sends it until it is accepted or given up, and begins again.

use std::sync::Arc;
use std::time::Duration;

use reporter_metrics::{SpanDrop, SpanMetrics};
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::call::Caller;
use super::encode::Encoder;
use super::queue::{Queue, Queued};
use super::verdict::Verdict;
use crate::back_off::BackOff;
use crate::logging::health_log::HealthLog;
use crate::logging::rate_limit::AtMostEvery;

/// A batch is sent when it has so many spans or bytes, or is so old.
const BATCH_SPANS: usize = 512;
const BATCH_BYTES: usize = 1 << 20;
const BATCH_AGE: Duration = Duration::from_secs(1);

/// How long a batch is sent again and again.
const GIVEN_UP: Duration = Duration::from_secs(60);
/// The pauses before that.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The shortest time between two lines about dropped spans.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// Sends spans until it is told to stop.
pub(super) struct Task {
    caller: Caller,
    encoder: Encoder,
    received: Receiver<Queued>,
    queue: Arc<Queue>,
    metrics: SpanMetrics,
    stopping: watch::Receiver<bool>,
    back_off: BackOff,
    health: HealthLog,
    /// For lines about spans that did not fit, and about those that the collector does not want.
    limits: [AtMostEvery; 2],
    /// How many did not fit when that was last logged.
    refused: u64,
}

/// Spans that are sent together.
struct Batch {
    queued: Vec<Queued>,
    spans: usize,
}

/// How sending a batch ended.
enum Sent {
    /// It is done with, one way or another.
    Done,
    /// The collector is away while this process stops.
    Hopeless,
}

impl Task {
    pub(super) fn new(
        caller: Caller,
        encoder: Encoder,
        received: Receiver<Queued>,
        queue: &Arc<Queue>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            caller,
            encoder,
            received,
            metrics: queue.metrics().clone(),
            queue: Arc::clone(queue),
            stopping,
            back_off: BackOff::new(FIRST_PAUSE, LONGEST_PAUSE),
            health: HealthLog::default(),
            limits: [const { AtMostEvery::new(LOG_PAUSE) }; 2],
            refused: 0,
        }
    }

    /// Ends when it is told to stop and all is sent, or cannot be.
    pub(super) async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            let sent = self.deliver(batch).await;
            self.log_refused();
            if let Sent::Hopeless = sent {
                self.drop_rest();
            }
        }
    }

    /// The next batch; `None` when there is none and never will be.
    async fn gather(&mut self) -> Option<Batch> {
        let first = tokio::select! {
            biased;
            first = self.received.recv() => first?,
            () = stopped(&mut self.stopping) => {
                self.received.close();
                self.received.recv().await?
            }
        };
        let until = Instant::now() + BATCH_AGE;
        let (mut spans, mut bytes) = (first.spans(), first.bytes());
        let mut queued = vec![first];
        while spans < BATCH_SPANS && bytes < BATCH_BYTES {
            let next = tokio::select! {
                biased;
                next = timeout_at(until, self.received.recv()) => next.ok().flatten(),
                () = stopped(&mut self.stopping), if !self.received.is_closed() => {
                    self.received.close();
                    continue;
                }
            };
            let Some(next) = next else {
                break;
            };
            spans += next.spans();
            bytes += next.bytes();
            queued.push(next);
        }
        Some(Batch { queued, spans })
    }

    async fn deliver(&mut self, batch: Batch) -> Sent {
        let traces = batch.queued.iter().map(|it| &it.trace);
        let body = self.caller.body(self.encoder.request(traces));
        let given_up = Instant::now() + GIVEN_UP;
        loop {
            let verdict = self.caller.call(&body).await;
            let (after, why) = match verdict {
                Verdict::Accepted { rejected, why } => {
                    self.on_accepted(batch.spans, rejected, &why);
                    return Sent::Done;
                }
                Verdict::Refused { why } => {
                    self.metrics.dropped(SpanDrop::Rejected, batch.spans);
                    self.log_unwanted(batch.spans as u64, &why);
                    return Sent::Done;
                }
                Verdict::Retry { after, why } => (after, why),
            };
            if let Some(failures) = self.health.on_failure(Instant::now()) {
                tracing::warn!(failures, "cannot send spans to the collector: {why}");
            }
            self.log_refused();
            if *self.stopping.borrow() {
                self.metrics.dropped(SpanDrop::Stopped, batch.spans);
                return Sent::Hopeless;
            }
            let pause = self.back_off.on_failure(after, rand::random());
            if Instant::now() + pause >= given_up {
                self.metrics.dropped(SpanDrop::GivenUp, batch.spans);
                return Sent::Done;
            }
            tokio::select! {
                () = sleep(pause) => {}
                // Then there is one more attempt.
                () = stopped(&mut self.stopping) => {}
            }
        }
    }

    fn on_accepted(&mut self, spans: usize, rejected: u64, why: &str) {
        self.back_off.on_success();
        let rejected_spans = usize::try_from(rejected).unwrap_or(spans).min(spans);
        self.metrics.exported(spans - rejected_spans);
        self.metrics.dropped(SpanDrop::Rejected, rejected_spans);
        let was_failing = self.health.is_failing();
        if let Some(failures) = self.health.on_success(Instant::now())
            && was_failing
        {
            tracing::info!(failures, "the collector takes spans again");
        }
        if rejected_spans > 0 || !why.is_empty() {
            self.log_unwanted(rejected_spans as u64, why);
        }
    }

    /// Says that the collector does not want spans.
    fn log_unwanted(&mut self, spans: u64, why: &str) {
        let [_, limit] = &mut self.limits;
        if limit.allows(Instant::now()) {
            tracing::warn!(spans, "the collector does not accept spans: {why}");
        }
    }

    /// Says that spans did not fit into the queue, if some did not.
    fn log_refused(&mut self) {
        let refused = self.queue.refused();
        let [limit, _] = &mut self.limits;
        if refused > self.refused && limit.allows(Instant::now()) {
            let spans = refused - self.refused;
            self.refused = refused;
            tracing::warn!(spans, "spans were dropped: the collector does not keep up");
        }
    }

    fn drop_rest(&mut self) {
        self.received.close();
        while let Ok(queued) = self.received.try_recv() {
            self.metrics.dropped(SpanDrop::Stopped, queued.spans());
        }
    }
}

/// Waits until the process stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that nobody can say so any more.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}
