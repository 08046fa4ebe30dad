//! What the shards say, put in an order that tells each key's story as it happened.

use std::sync::Arc;

use reporter_core::{Batch, Gauge, Report};
use tokio::sync::mpsc;

use crate::Dispatch;
use crate::shards::{FirstRequest, Shards};

/// The one reader of what the shards say.
pub(crate) struct Outgoing {
    shards: Arc<Shards>,
    first_requests: mpsc::UnboundedReceiver<FirstRequest>,
}

/// What a tick has to say.
pub(crate) struct Cut {
    /// In the order in which they are to be dispatched.
    pub(crate) dispatches: Vec<Dispatch>,
    pub(crate) gauges: Vec<Gauge>,
}

impl Outgoing {
    pub(crate) fn new(
        shards: Arc<Shards>,
        first_requests: mpsc::UnboundedReceiver<FirstRequest>,
    ) -> Self {
        Self {
            shards,
            first_requests,
        }
    }

    /// The next first request; none after the last tick.
    ///
    /// Cancel-safe: no message is taken from the channel without being answered.
    pub(crate) async fn first_request(&mut self) -> Option<Dispatch> {
        let first = self.first_requests.recv().await?;
        Some(self.dispatch(first))
    }

    /// Ends the period.
    pub(crate) fn tick(&mut self, last: bool) -> Cut {
        // Made large enough beforehand, so that hardly ever a shard's lock is held while they grow.
        let keys = self.shards.tracked_keys();
        let mut report = Report {
            messages: Vec::with_capacity(keys),
            gauges: Vec::with_capacity(keys),
            forgotten: Vec::new(),
        };
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
        let batch = Batch::tick(report.messages, report.forgotten);
        if !batch.is_empty() {
            let time = self.shards.clock().time_of_day();
            dispatches.push(Dispatch { at, time, batch });
        }
        dispatches.append(&mut behind);
        Cut {
            dispatches,
            gauges: report.gauges,
        }
    }

    fn dispatch(&self, first: FirstRequest) -> Dispatch {
        Dispatch {
            at: first.at,
            time: self.shards.clock().time_of_day(),
            batch: Batch::first_request(first.message),
        }
    }
}
