//! Where probes wait for their turn: the [schedule](super::schedule) behind a short lock, and a signal per probe.

use std::iter;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::schedule::{Class, Owner, Schedule, Step, Ticket};

/// The room for the probes of all revisions.
pub(super) struct Lanes {
    schedule: Mutex<Schedule<Arc<Signal>>>,
}

/// The signals to one probe.
#[derive(Debug, Default)]
struct Signal {
    start: Notify,
    cut: Notify,
}

/// One probe's place, or its wait for one, until it is dropped.
#[must_use = "the room is free again as soon as this is dropped"]
pub(super) struct Lane<'a> {
    lanes: &'a Lanes,
    ticket: Ticket,
    signal: Arc<Signal>,
}

impl Lanes {
    /// Room for `room` probes, at least 2.
    pub(super) fn new(room: usize) -> Self {
        Self {
            schedule: Mutex::new(Schedule::new(room)),
        }
    }

    /// Waits until it is this probe's turn.
    ///
    /// Cancel-safe: dropping the future ends the wait.
    pub(super) async fn enter(&self, owner: Owner, class: Class) -> Lane<'_> {
        let signal = Arc::new(Signal::default());
        let own = Arc::clone(&signal);
        let ticket = self.change(|schedule| schedule.enqueue(owner, class, own));
        let lane = Lane {
            lanes: self,
            ticket,
            signal,
        };
        lane.signal.start.notified().await;
        lane
    }

    fn change<T>(&self, change: impl FnOnce(&mut Schedule<Arc<Signal>>) -> T) -> T {
        let (changed, steps) = {
            let mut schedule = self.schedule.lock();
            let changed = change(&mut schedule);
            let steps: Vec<_> = iter::from_fn(|| schedule.next()).collect();
            (changed, steps)
        };
        for step in steps {
            match step {
                Step::Start(signal) => signal.start.notify_one(),
                Step::Cut(signal) => signal.cut.notify_one(),
            }
        }
        changed
    }
}

impl Lane<'_> {
    /// The probe has had its fair share of time. Waits until its place is needed for another one.
    pub(super) async fn needed(&self) {
        self.lanes.change(|schedule| schedule.ripen(self.ticket));
        self.signal.cut.notified().await;
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.lanes.change(|schedule| schedule.leave(self.ticket));
    }
}
