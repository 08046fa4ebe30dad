//! Simulated sinks, and what each delivers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use reporter_core::StatMessage;
use reporter_runtime::sink::json_lines::JsonLines;
use reporter_runtime::{StatSink, Undelivered};
use tokio::time::Instant;

use crate::link::Link;
use crate::plan::{End, SinkKind, SinkPlan};
use crate::sink::{Mailbox, sink};
use crate::writer::Writer;

/// A sink, and what may be expected of it.
pub(crate) struct Simulated {
    pub(crate) name: &'static str,
    pub(crate) sink: Box<dyn StatSink>,
    pub(crate) far_end: FarEnd,
    pub(crate) promise: Promise,
}

/// How often each count arrives at a sink that ends without a complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    ExactlyOnce,
    AtLeastOnce,
    /// It ends on its own: nothing is promised of it.
    None,
}

/// What has arrived at the far end, and when, in milliseconds.
#[derive(Clone)]
pub(crate) struct FarEnd {
    start: Instant,
    arrived: Arc<Mutex<Vec<(u128, StatMessage)>>>,
}

impl FarEnd {
    pub(crate) fn push(&self, messages: &[StatMessage]) {
        let now = self.start.elapsed().as_millis();
        let arrived = messages.iter().map(|message| (now, message.clone()));
        self.arrived.lock().unwrap().extend(arrived);
    }

    pub(crate) fn arrived(&self) -> Vec<(u128, StatMessage)> {
        self.arrived.lock().unwrap().clone()
    }
}

/// The sink that was planned. Its faults end when it is `quiet_from`, and it gives up `give_up_after`
/// the stop at the latest if it is one that knows when.
pub(crate) fn simulated(
    plan: &SinkPlan,
    start: Instant,
    quiet_from: Duration,
    give_up_after: Duration,
) -> Simulated {
    let far_end = FarEnd {
        start,
        arrived: Arc::default(),
    };
    let rng = SmallRng::seed_from_u64(plan.seed);
    let quiet_from = start + quiet_from;
    let arrivals = far_end.clone();
    let (name, sink, promise) = match plan.kind.clone() {
        SinkKind::Slow { stall } => {
            let run = move |mailbox| slow(mailbox, stall, rng, quiet_from, arrivals);
            ("slow", sink("slow", run), Promise::ExactlyOnce)
        }
        SinkKind::Ends { after, how } => {
            let run = move |mailbox| ends(mailbox, after, how, arrivals);
            ("ends", sink("ends", run), Promise::None)
        }
        SinkKind::Lines { stall } => {
            let writer = Writer::new(stall, rng, quiet_from, arrivals);
            let lines = Box::new(JsonLines::new("lines", "pod", writer));
            ("lines", lines as _, Promise::ExactlyOnce)
        }
        SinkKind::Link { latency, down } => {
            let promise = if down.is_empty() {
                Promise::ExactlyOnce
            } else {
                Promise::AtLeastOnce
            };
            let link = Link::new(start, latency, &down, rng, arrivals);
            let run = move |mailbox| link.run(mailbox, give_up_after);
            ("link", sink("link", run), promise)
        }
    };
    Simulated {
        name,
        sink,
        far_end,
        promise,
    }
}

async fn slow(
    mut mailbox: Mailbox,
    stall: Duration,
    mut rng: SmallRng,
    quiet_from: Instant,
    far_end: FarEnd,
) -> Result<(), Undelivered> {
    while let Some(dispatch) = mailbox.recv().await {
        if Instant::now() < quiet_from && rng.random_ratio(1, 4) {
            tokio::time::sleep_until((Instant::now() + stall).min(quiet_from)).await;
        }
        far_end.push(&dispatch.batch.messages);
    }
    Ok(())
}

async fn ends(
    mut mailbox: Mailbox,
    after: usize,
    how: End,
    far_end: FarEnd,
) -> Result<(), Undelivered> {
    for _ in 0..after {
        if let Some(dispatch) = mailbox.recv().await {
            far_end.push(&dispatch.batch.messages);
        }
    }
    match how {
        End::Returns => Ok(()),
        End::GivesUp => Err(Undelivered { requests: 0 }),
        End::Panics => panic!("a simulated bug"),
    }
}
