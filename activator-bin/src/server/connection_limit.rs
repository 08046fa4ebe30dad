//! How many connections of clients may be open, over all workers and ports.

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
use crate::os::listen::ACCEPT_PAUSE;

/// How often a client that waits for a permit has an idle one asked to leave: there may be none at first, since one
/// counts as idle only some 20 ms after its response.
const ASK: Duration = Duration::from_millis(25);

/// How long it is not said again that there are no descriptors.
const SAID: Duration = Duration::from_secs(10);

/// The connection_limit of all connections.
pub(crate) struct ConnectionLimit {
    free: Arc<Semaphore>,
    most: usize,
    is_full: AtomicBool,
    scarcity_said: Mutex<Option<Instant>>,
    open: ConnectionMetrics,
    crowd: Crowd,
    /// HealthLog when a connection has left.
    left: Notify,
}

/// A connection's permit, until it is dropped.
pub(crate) struct Permit {
    all: Arc<ConnectionLimit>,
    /// None of one beyond the limit.
    permit: Option<OwnedSemaphorePermit>,
    /// Of the connection, from now to its end.
    pub(super) idleness: Arc<Idleness>,
    key: usize,
}

impl ConnectionLimit {
    pub(crate) fn new(most: usize, open: ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(most)),
            most,
            is_full: AtomicBool::new(false),
            scarcity_said: Mutex::default(),
            open,
            crowd: Crowd::default(),
            left: Notify::new(),
        })
    }

    /// Waits for a permit; an idle connection is asked to leave for it.
    ///
    /// Cancelling it loses the turn.
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
                        break permit.expect("nobody closes it");
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

    /// Asks the connection that has been idle for longest to leave.
    pub(super) fn make_room(&self) {
        self.crowd.ask_longest();
    }

    /// Asks those that have been idle for longer than `timeout` to leave. To be called now and then.
    pub(super) fn sweep(&self, timeout: Duration) {
        self.crowd.sweep(timeout);
    }

    /// The operating system has nothing left for one more client: an idle one is asked to leave, and it is
    /// waited for that, but not for long.
    pub(super) async fn on_scarcity(&self, port: &str, error: &io::Error) {
        let left = self.left.notified();
        self.make_room();
        self.say_scarcity(port, error);
        let _ = timeout(ACCEPT_PAUSE, left).await;
    }

    fn say_scarcity(&self, port: &str, error: &io::Error) {
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
                "{most} clients are connected, as many as limits.max_connections allows: further ones take the connection_limit of idle ones, or wait"
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

impl Drop for Permit {
    fn drop(&mut self) {
        self.all.crowd.leave(self.key);
        self.permit = None;
        self.all.open.closed();
        self.all.left.notify_waiters();
        self.all.on_leave();
    }
}
