//! Sends spans to a collector by OTLP, over HTTP or gRPC.
//!
//! Whoever has spans puts them into a queue, which never blocks; one task sends them in batches. All is bounded: what is
//! in the queue, how long the collector may take, how long a batch is kept. What does not fit is dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use reporter_metrics::{SpanDrop, SpanMetrics};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

mod call;
mod connection;
mod encode;
mod queue;
mod retry_info;
mod task;
#[cfg(test)]
mod tests;
mod trust;
mod verdict;

use super::config::{Endpoint, ExportProtocol};
use super::span::Trace;
use call::Caller;
use encode::Encoder;
use queue::Queue;
use task::Task;
pub(crate) use trust::NoAuthorities;

/// Where spans go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collector {
    pub(crate) protocol: ExportProtocol,
    pub(crate) endpoint: Endpoint,
}

/// The task that sends spans.
pub(crate) struct Export {
    queue: Arc<Queue>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    metrics: SpanMetrics,
}

impl Export {
    /// Starts it, on the current tokio runtime. `resource` describes this process.
    ///
    /// # Errors
    /// The collector is reached over TLS, and there is nothing to verify it with.
    pub(crate) fn start(
        collector: &Collector,
        resource: &[(&'static str, String)],
        metrics: SpanMetrics,
    ) -> Result<Self, NoAuthorities> {
        let tls = match collector.endpoint.is_tls() {
            true => Some(trust::system()?),
            false => None,
        };
        let caller = Caller::new(collector.clone(), tls);
        Ok(Self::with(caller, Encoder::new(resource), metrics))
    }

    fn with(caller: Caller, encoder: Encoder, metrics: SpanMetrics) -> Self {
        let (queue, received) = Queue::new(metrics.clone());
        let queue = Arc::new(queue);
        let (stop, stopping) = watch::channel(false);
        let task = Task::new(caller, encoder, received, &queue, stopping);
        Self {
            task: tokio::spawn(task.run()),
            queue,
            stop,
            metrics,
        }
    }

    /// What takes the spans of a request.
    pub(crate) fn sender(&self) -> impl Fn(Trace) + Send + Sync + 'static {
        let queue = Arc::clone(&self.queue);
        move |trace| queue.push(trace)
    }

    /// Takes no more spans, and sends those that it has, for at most as long as `limit`.
    ///
    /// Cancellation ends it at once.
    pub(crate) async fn stop(mut self, limit: Duration) {
        self.stop.send_replace(true);
        if timeout(limit, &mut self.task).await.is_err() {
            let left = self.queue.len();
            self.task.abort();
            // Its spans and its connection are gone then.
            let _ = (&mut self.task).await;
            self.metrics.dropped(SpanDrop::Stopped, left);
            tracing::error!("{left} spans were not sent: the collector took longer than {limit:?}");
        }
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.task.abort();
    }
}
