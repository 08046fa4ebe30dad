//! The task with the ticks: it hands out reports, and no request waits for it.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::{MetricsBackend, ReqEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, timeout_at};

use crate::fan_out::FanOut;
use crate::outgoing::Outgoing;
use crate::shards::Shards;
use crate::sink::Undelivered;

/// Events that are applied at a time before anything else gets a turn.
const EVENTS_AT_ONCE: usize = 256;

/// The running reporter. Dropping it stops the task without a last report; the sinks then flush in their own time.
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

    /// Cuts a last report, lets the sinks flush for at most the flush timeout, and ends.
    ///
    /// Guards that are still alive keep counting, but nothing is reported any more.
    ///
    /// Cancelled before its first poll, it stops the task without a last report, as dropping the
    /// handle does; cancelled later, the stop goes on but its outcome is lost.
    ///
    /// # Panics
    /// If the task has panicked, as a metrics backend could make it.
    pub async fn stop(self) -> Stopped {
        // This fails if the task has panicked, which the next line finds.
        let _ = self.stop.send(Instant::now() + self.flush_timeout);
        match self
            .task
            .await
            .map_err(tokio::task::JoinError::try_into_panic)
        {
            Ok(stopped) => stopped,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The runtime that it ran on was shut down before.
            Err(Err(_)) => Stopped { sinks: Vec::new() },
        }
    }
}

/// What the task owns.
pub(crate) struct Loop {
    pub(crate) shards: Arc<Shards>,
    pub(crate) interval: Interval,
    pub(crate) outgoing: Outgoing,
    pub(crate) events: mpsc::Receiver<ReqEvent>,
    pub(crate) metrics: Option<Box<dyn MetricsBackend>>,
    pub(crate) sinks: FanOut,
}

impl Loop {
    /// Not cancel-safe: what the sinks have not taken yet is lost.
    async fn run(mut self, mut stop: oneshot::Receiver<Instant>) -> Stopped {
        let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
        let flush_by = loop {
            tokio::select! {
                biased;
                stopped = &mut stop => match stopped {
                    Ok(flush_by) => break flush_by,
                    // The handle was dropped.
                    Err(_) => return Stopped { sinks: Vec::new() },
                },
                _ = self.interval.tick() => self.tick(false),
                Some(first) = self.outgoing.first_request() => self.sinks.dispatch(&first),
                () = self.sinks.catch_up() => {}
                Some(()) = recv_some(&mut self.events, &mut events) => apply(&self.shards, &mut events),
            }
        };
        // Senders that have a permit and have not used it yet are waited for, but they may never be
        // polled: the sinks keep half of the time.
        self.events.close();
        let half_way = Instant::now() + flush_by.saturating_duration_since(Instant::now()) / 2;
        let rest = async {
            while recv_some(&mut self.events, &mut events).await.is_some() {
                apply(&self.shards, &mut events);
            }
        };
        let _ = timeout_at(half_way, rest).await;
        self.tick(true);
        Stopped {
            sinks: self.sinks.close(flush_by).await,
        }
    }

    fn tick(&mut self, last: bool) {
        let dispatches = self.outgoing.tick(last, |report| {
            if let Some(metrics) = &mut self.metrics {
                metrics.on_tick(report);
            }
        });
        for dispatch in &dispatches {
            self.sinks.dispatch(dispatch);
        }
    }
}

fn apply(shards: &Shards, events: &mut Vec<ReqEvent>) {
    for event in events.drain(..) {
        shards.shard(event.key.hashed()).on_event(&event);
    }
}

/// Takes what waits in the channel; `None` once it is closed, so that the caller's `select` skips it.
///
/// Cancel-safe: what is taken is in `buffer`.
async fn recv_some(
    events: &mut mpsc::Receiver<ReqEvent>,
    buffer: &mut Vec<ReqEvent>,
) -> Option<()> {
    match events.recv_many(buffer, EVENTS_AT_ONCE).await {
        0 => None,
        _ => Some(()),
    }
}
