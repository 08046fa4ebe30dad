//! Calls on all workers to close idle backend connections.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::logging::rate_limit::AtMostEvery;

/// Reaches all workers. Clones reach the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Recall(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    calls: watch::Sender<Calls>,
    workers: usize,
    scarcity_log: Mutex<AtMostEvery>,
}

/// The shortest interval between log lines about missing descriptors.
const SCARCITY_LOG: Duration = Duration::from_secs(10);

/// How often each call was made.
#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    scarcity: u64,
    unkept: u64,
}

/// The receiver of one worker.
pub(crate) struct Recalled {
    calls: watch::Receiver<Calls>,
    heeded: Calls,
}

/// The calls since the last one received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The process is out of file descriptors.
    pub(crate) scarcity: bool,
    /// There are backends whose connections must not be kept.
    pub(crate) unkept: bool,
}

impl Recall {
    pub(crate) fn new(workers: usize) -> Self {
        Self(Arc::new(Shared {
            calls: watch::Sender::default(),
            workers: workers.max(1),
            scarcity_log: Mutex::new(AtMostEvery::new(SCARCITY_LOG)),
        }))
    }

    /// One worker's share of a limit for all workers: at least one, unless the limit is 0.
    pub(super) fn share(&self, most: usize) -> usize {
        (most / self.0.workers).max(most.min(1))
    }

    pub(crate) fn on_scarcity(&self) {
        self.0.calls.send_modify(|calls| calls.scarcity += 1);
        if self.0.scarcity_log.lock().allows(Instant::now()) {
            tracing::error!("too many open files: closing idle connections to backends");
        }
    }

    pub(crate) fn on_unkept(&self) {
        self.0.calls.send_modify(|calls| calls.unkept += 1);
    }

    pub(crate) fn listen(&self) -> Recalled {
        let calls = self.0.calls.subscribe();
        let heeded = *calls.borrow();
        Recalled { calls, heeded }
    }
}

impl Recalled {
    /// Waits for the next call.
    ///
    /// Cancel-safe.
    pub(crate) async fn next(&mut self) -> Call {
        if self.calls.changed().await.is_err() {
            // All senders are gone.
            std::future::pending::<()>().await;
        }
        let now = *self.calls.borrow_and_update();
        let before = std::mem::replace(&mut self.heeded, now);
        Call {
            scarcity: now.scarcity != before.scarcity,
            unkept: now.unkept != before.unkept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_worker_receives_each_call_once() {
        let recall = Recall::new(2);
        let mut workers = [recall.listen(), recall.listen()];
        recall.on_scarcity();
        recall.on_scarcity();
        for worker in &mut workers {
            let call = worker.next().await;
            assert_eq!((call.scarcity, call.unkept), (true, false));
        }
        recall.on_unkept();
        for worker in &mut workers {
            let call = worker.next().await;
            assert_eq!((call.scarcity, call.unkept), (false, true));
        }
    }

    #[test]
    fn the_workers_shares_add_up_to_the_limit() {
        for (workers, most, share) in [(2, 10, 5), (3, 10, 3), (4, 2, 1), (4, 0, 0)] {
            assert_eq!(Recall::new(workers).share(most), share, "{workers} {most}");
        }
    }
}
