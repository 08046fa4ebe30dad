//! How many connections of clients may be open, over all workers and ports.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use reporter_metrics::ConnectionMetrics;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How long it is not said again that there are no descriptors.
const SAID: Duration = Duration::from_secs(10);

/// The places of all connections.
pub(crate) struct Places {
    free: Arc<Semaphore>,
    most: usize,
    is_full: AtomicBool,
    scarcity_said: Mutex<Option<Instant>>,
    open: ConnectionMetrics,
}

/// A connection's place, until it is dropped.
pub(crate) struct Place {
    all: Arc<Places>,
    /// None of one beyond the limit.
    permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(crate) fn new(most: usize, open: ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(most)),
            most,
            is_full: AtomicBool::new(false),
            scarcity_said: Mutex::default(),
            open,
        })
    }

    /// Waits for a free place.
    ///
    /// Cancelling it loses the turn.
    pub(super) async fn wait(self: &Arc<Self>) -> Place {
        let free = || Arc::clone(&self.free);
        let permit = match free().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.on_full();
                free().acquire_owned().await.expect("nobody closes it")
            }
        };
        self.place(Some(permit))
    }

    /// A place for a client that cannot wait.
    pub(super) fn beyond(self: &Arc<Self>) -> Place {
        self.place(None)
    }

    fn place(self: &Arc<Self>, permit: Option<OwnedSemaphorePermit>) -> Place {
        self.open.opened();
        Place {
            all: Arc::clone(self),
            permit,
        }
    }

    /// The operating system has nothing left for one more client.
    pub(super) fn on_scarcity(&self, port: &str, error: &io::Error) {
        let mut said = self.scarcity_said.lock();
        if said.is_none_or(|said| said.elapsed() >= SAID) {
            *said = Some(Instant::now());
            tracing::error!(port, %error, "cannot accept connections, trying again");
        }
    }

    fn on_full(&self) {
        if !self.is_full.swap(true, Ordering::Relaxed) {
            let most = self.most;
            tracing::warn!(
                "{most} clients are connected, as many as limits.max_connections allows: more have to wait"
            );
        }
    }

    /// Said only when there is some room to fill before that is said again.
    fn on_leave(&self) {
        if self.is_full.load(Ordering::Relaxed)
            && self.free.available_permits() > self.most / 10
            && self.is_full.swap(false, Ordering::Relaxed)
        {
            tracing::info!("there is room for further clients again");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.permit = None;
        self.all.open.closed();
        self.all.on_leave();
    }
}
