//! The task with the ticks: it cuts reports and hands them out, and never stands in a request's way.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::{Batch, MetricsBackend, Report, ReqEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval};

use crate::Dispatch;
use crate::fan_out::FanOut;
use crate::shards::{FirstRequest, Shards};
use crate::sink::Undelivered;

/// Events that are applied in one go before anything else gets a turn.
const EVENTS_AT_ONCE: usize = 256;

/// The running reporter. Dropping it stops the task without a last report.
pub struct ReporterTask {
    stop: oneshot::Sender<Instant>,
    task: JoinHandle<Stopped>,
    flush_timeout: Duration,
}

/// How the reporter ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Each sink by name, with what it could not deliver.
    pub sinks: Vec<(String, Result<(), Undelivered>)>,
}

impl ReporterTask {
    pub(crate) fn spawn(task: Loop, flush_timeout: Duration) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self {
            stop,
            task: tokio::spawn(task.run(stopped)),
            flush_timeout,
        }
    }

    /// Cuts a last report, lets the sinks flush for at most the flush time-out, and ends.
    ///
    /// Guards that are still alive count on, but nobody hears of it any more.
    ///
    /// Not cancel-safe in one respect: a caller that gives up no longer learns how it ended.
    ///
    /// # Panics
    /// If the task has panicked, as a metrics backend could make it.
    pub async fn stop(self) -> Stopped {
        // The task only ever ends after it was told to.
        let _ = self.stop.send(Instant::now() + self.flush_timeout);
        match self.task.await {
            Ok(stopped) => stopped,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// What the task owns.
pub(crate) struct Loop {
    pub(crate) shards: Arc<Shards>,
    pub(crate) interval: Interval,
    pub(crate) first_requests: mpsc::UnboundedReceiver<FirstRequest>,
    pub(crate) events: mpsc::Receiver<ReqEvent>,
    pub(crate) metrics: Option<Box<dyn MetricsBackend>>,
    pub(crate) sinks: FanOut,
}

impl Loop {
    async fn run(mut self, mut stop: oneshot::Receiver<Instant>) -> Stopped {
        let mut report = Report::default();
        let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
        let flush_by = loop {
            tokio::select! {
                biased;
                told = &mut stop => match told {
                    Ok(flush_by) => break flush_by,
                    // The handle is gone: there is nobody to report the end to.
                    Err(_) => return Stopped { sinks: Vec::new() },
                },
                Some(first) = self.first_requests.recv() => self.dispatch_first(first),
                _ = self.interval.tick() => self.tick(&mut report),
                () = self.sinks.catch_up() => {}
                Some(_) = recv_some(&mut self.events, &mut events) => self.apply(&mut events),
            }
        };
        self.events.close();
        while let Ok(event) = self.events.try_recv() {
            events.push(event);
        }
        self.apply(&mut events);
        self.tick(&mut report);
        Stopped {
            sinks: self.sinks.close(flush_by).await,
        }
    }

    fn apply(&self, events: &mut Vec<ReqEvent>) {
        for event in events.drain(..) {
            self.shards.apply(&event, None);
        }
    }

    fn tick(&mut self, report: &mut Report) {
        let (ticks, at) = self.shards.on_tick(report);
        // A first request that its shard saw before its cut goes ahead of the tick's batch; one that
        // came to a shard already cut goes behind, so that each key's story is told in order.
        let mut behind = Vec::new();
        while let Ok(first) = self.first_requests.try_recv() {
            match first.ticks < ticks {
                true => self.dispatch_first(first),
                false => behind.push(first),
            }
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.on_tick(&report.gauges);
        }
        report.gauges.clear();
        let batch = Batch::tick(
            std::mem::take(&mut report.messages),
            std::mem::take(&mut report.forgotten),
        );
        if !batch.is_empty() {
            let time = self.shards.clock().time_of_day();
            self.sinks.dispatch(Dispatch { at, time, batch });
        }
        for first in behind {
            self.dispatch_first(first);
        }
    }

    fn dispatch_first(&mut self, first: FirstRequest) {
        self.sinks.dispatch(Dispatch {
            at: first.at,
            time: self.shards.clock().time_of_day(),
            batch: Batch::first_request(first.message),
        });
    }
}

/// Takes what waits in the channel; none once it is closed, so that the caller's `select` skips it.
async fn recv_some(
    events: &mut mpsc::Receiver<ReqEvent>,
    buffer: &mut Vec<ReqEvent>,
) -> Option<()> {
    match events.recv_many(buffer, EVENTS_AT_ONCE).await {
        0 => None,
        _ => Some(()),
    }
}
