//! The limit on client connections, over all workers and ports.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use reporter_metrics::ConnectionMetrics;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::crowd::Crowd;
use crate::client::idleness::Idleness;
use crate::logging::rate_limit::AtMostEvery;
use crate::os::listen::ACCEPT_PAUSE;

/// How often a waiting client asks an idle connection to close: there may be none at first, since a connection counts
/// as idle only about 20 ms after its response.
const ASK: Duration = Duration::from_millis(25);

/// How often failures to accept are logged.
const ACCEPT_LOG: Duration = Duration::from_secs(10);

/// The limit on connections.
pub(crate) struct ConnectionLimit {
    free: Arc<Semaphore>,
    max: usize,
    is_full: AtomicBool,
    accept_log: Mutex<AtMostEvery>,
    open: ConnectionMetrics,
    crowd: Crowd,
    /// Notified when a connection has closed.
    left: Notify,
}

/// A connection's permit, released on drop.
pub(crate) struct Permit {
    all: Arc<ConnectionLimit>,
    /// `None` for a connection beyond the limit.
    permit: Option<OwnedSemaphorePermit>,
    /// Whether the connection is idle.
    pub(super) idleness: Arc<Idleness>,
    key: usize,
}

impl ConnectionLimit {
    pub(crate) fn new(max: usize, open: ConnectionMetrics) -> Arc<Self> {
        open.limit(max);
        Arc::new(Self {
            free: Arc::new(Semaphore::new(max)),
            max,
            is_full: AtomicBool::new(false),
            accept_log: Mutex::new(AtMostEvery::new(ACCEPT_LOG)),
            open,
            crowd: Crowd::default(),
            left: Notify::new(),
        })
    }

    /// Waits for a permit, and asks an idle connection to close for it.
    ///
    /// Cancelling loses the place in the queue.
    pub(super) async fn wait(self: &Arc<Self>) -> Permit {
        let free = || Arc::clone(&self.free);
        let permit = match free().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.on_full();
                let mut turn = std::pin::pin!(free().acquire_owned());
                loop {
                    self.make_room();
                    if let Ok(permit) = timeout(ASK, turn.as_mut()).await {
                        break permit.expect("the semaphore is never closed");
                    }
                }
            }
        };
        self.permit(Some(permit))
    }

    /// A permit for a client that cannot wait.
    pub(super) fn beyond(self: &Arc<Self>) -> Permit {
        self.permit(None)
    }

    fn permit(self: &Arc<Self>, permit: Option<OwnedSemaphorePermit>) -> Permit {
        self.open.opened();
        let (idleness, key) = self.crowd.enter();
        Permit {
            all: Arc::clone(self),
            permit,
            idleness,
            key,
        }
    }

    /// Asks the connection that has been idle longest to close.
    pub(super) fn make_room(&self) {
        self.crowd.ask_longest();
    }

    /// Asks connections that have been idle for longer than `timeout` to close. To be called periodically.
    pub(super) fn sweep(&self, timeout: Duration) {
        self.crowd.sweep(timeout);
    }

    /// Handles a failure to accept for lack of resources: asks an idle connection to close, and waits briefly.
    pub(super) async fn on_scarcity(&self, port: &str, error: &io::Error) {
        let left = self.left.notified();
        self.make_room();
        if self.accept_log.lock().allows(Instant::now()) {
            tracing::error!(port, %error, "cannot accept connections, trying again");
        }
        let _ = timeout(ACCEPT_PAUSE, left).await;
    }

    fn on_full(&self) {
        if !self.is_full.swap(true, Ordering::Relaxed) {
            let max = self.max;
            tracing::warn!(
                "limits.max_connections ({max}) reached: new clients replace idle ones, or wait"
            );
        }
    }

    /// Logs only once a tenth is free, so that the two messages do not alternate at the limit.
    fn on_leave(&self) {
        if self.is_full.load(Ordering::Relaxed)
            && self.free.available_permits() > self.max / 10
            && self.is_full.swap(false, Ordering::Relaxed)
        {
            tracing::info!("client connections are below limits.max_connections again");
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.all.crowd.leave(self.key);
        self.permit = None;
        self.all.open.closed();
        self.all.left.notify_waiters();
        self.all.on_leave();
    }
}
