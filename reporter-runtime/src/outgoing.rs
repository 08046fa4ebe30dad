//! What the shards say, put in an order that tells each key's story as it happened.

use std::sync::Arc;

use reporter_core::{Batch, Report};
use tokio::sync::mpsc;

use crate::Dispatch;
use crate::shards::{FirstRequest, Shards};

/// The one reader of what the shards say.
pub(crate) struct Outgoing {
    shards: Arc<Shards>,
    first_requests: mpsc::UnboundedReceiver<FirstRequest>,
    /// What the last tick dispatched: the next one is made of it, once every sink is done with it.
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

    /// The next first request; none after the last tick.
    ///
    /// Cancel-safe: no message is taken from the channel without being answered.
    pub(crate) async fn first_request(&mut self) -> Option<Arc<Dispatch>> {
        let first = self.first_requests.recv().await?;
        Some(self.dispatch(first))
    }

    /// Ends the period and shows `metrics` the report; answers what is to be dispatched, in order.
    pub(crate) fn tick(&mut self, last: bool, metrics: impl FnOnce(&Report)) -> Vec<Arc<Dispatch>> {
        let reported = self.reported.take().and_then(Arc::into_inner);
        let earlier = reported.map_or_else(Vec::new, |dispatch| dispatch.batch.messages);
        // Made large enough beforehand, so that hardly ever a shard's lock is held while it grows.
        let mut report = Report::following(earlier, self.shards.tracked_keys());
        let (ticks, at) = self.shards.on_tick(last, &mut report);
        // A first request that its shard saw before its cut goes ahead of the tick's batch; one that
        // came to a shard already cut goes behind.
        let mut dispatches = Vec::new();
        let mut behind = Vec::new();
        while let Ok(first) = self.first_requests.try_recv() {
            match first.ticks < ticks {
                true => dispatches.push(self.dispatch(first)),
                false => behind.push(self.dispatch(first)),
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
        dispatches.append(&mut behind);
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
