//! The messages of all shards, in an order that keeps each key's.

use std::sync::Arc;

use reporter_core::{Batch, Report};
use tokio::sync::mpsc;

use crate::Dispatch;
use crate::shards::{FirstRequest, Shards};

/// The one reader of the shards' messages.
pub(crate) struct Outgoing {
    shards: Arc<Shards>,
    first_requests: mpsc::UnboundedReceiver<FirstRequest>,
    /// What the last tick dispatched: the next one takes its keys, once every sink is done with it.
    reported: Option<Arc<Dispatch>>,
}

impl Outgoing {
    pub(crate) fn new(
        shards: Arc<Shards>,
        first_requests: mpsc::UnboundedReceiver<FirstRequest>,
    ) -> Self {
        Self {
            shards,
            first_requests,
            reported: None,
        }
    }

    /// The next first request; `None` after the last tick.
    ///
    /// Cancel-safe: no message is taken from the channel without being returned.
    pub(crate) async fn first_request(&mut self) -> Option<Arc<Dispatch>> {
        let first = self.first_requests.recv().await?;
        Some(self.dispatch(first))
    }

    /// Ends the period and shows `metrics` the report; returns what is to be dispatched, in order.
    pub(crate) fn tick(&mut self, last: bool, metrics: impl FnOnce(&Report)) -> Vec<Arc<Dispatch>> {
        let reported = self.reported.take().and_then(Arc::into_inner);
        let messages = reported.map_or_else(Vec::new, |dispatch| dispatch.batch.messages);
        // Large enough beforehand, so that it hardly ever grows while a shard's lock is held.
        let mut report = Report::recycling(messages, self.shards.tracked_keys());
        let (ticks, at) = self.shards.on_tick(last, &mut report);
        // A first request that came to its shard before the tick goes before the tick's batch, a later
        // one after it.
        let mut dispatches = Vec::new();
        let mut after = Vec::new();
        while let Ok(first) = self.first_requests.try_recv() {
            if first.ticks < ticks {
                dispatches.push(self.dispatch(first));
            } else {
                after.push(self.dispatch(first));
            }
        }
        metrics(&report);
        let batch = Batch::tick(report.messages, report.forgotten);
        if !batch.is_empty() {
            let time = self.shards.clock().time_of_day();
            let dispatch = Arc::new(Dispatch { at, time, batch });
            self.reported = Some(Arc::clone(&dispatch));
            dispatches.push(dispatch);
        }
        dispatches.append(&mut after);
        dispatches
    }

    fn dispatch(&self, first: FirstRequest) -> Arc<Dispatch> {
        Arc::new(Dispatch {
            at: first.at,
            time: self.shards.clock().time_of_day(),
            batch: Batch::first_request(first.message),
        })
    }
}
