//! The reporter's stat messages, on their way to the autoscalers in this process.

use std::sync::Arc;

use async_trait::async_trait;
use reporter_runtime::{Dispatch, StatSink, Undelivered};
use tokio::sync::mpsc;

/// How many batches wait at most; what comes later waits, merged, in the sink's backlog.
const AT_ONCE: usize = 16;

/// The sink's name.
pub(crate) const SINK: &str = "the instances of this machine";

/// Where the stat messages come out.
pub(crate) struct Stats(mpsc::Receiver<Arc<Dispatch>>);

/// The sink that they go in through.
struct StatsSink(mpsc::Sender<Arc<Dispatch>>);

/// A sink, and what it takes.
pub(crate) fn channel() -> (Box<dyn StatSink>, Stats) {
    let (sender, receiver) = mpsc::channel(AT_ONCE);
    (Box::new(StatsSink(sender)), Stats(receiver))
}

impl Stats {
    /// The next batch; never again anything once the reporter has stopped.
    ///
    /// Cancel-safe.
    pub(super) async fn next(&mut self) -> Arc<Dispatch> {
        match self.0.recv().await {
            Some(dispatch) => dispatch,
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl StatSink for StatsSink {
    fn name(&self) -> String {
        SINK.to_owned()
    }

    async fn run(
        self: Box<Self>,
        mut mailbox: mpsc::Receiver<Arc<Dispatch>>,
    ) -> Result<(), Undelivered> {
        while let Some(dispatch) = mailbox.recv().await {
            // Nobody is left to take it once all instances have been stopped.
            let _ = self.0.send(dispatch).await;
        }
        Ok(())
    }
}
