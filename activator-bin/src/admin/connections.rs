//! The connections of the admin port: few, and an inactive one makes room for a new one.
//!
//! What must not live here: the handling of requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::text::Text;
use crate::os::open_files;

/// How long a peer may stall in a text before it is disconnected to make room for another text.
const PATIENCE: Duration = Duration::from_secs(1);

/// The age of a text after which even peers that make progress are disconnected for another one: as long as a scraper
/// waits by default.
const OLD: Duration = Duration::from_secs(10);

/// How often to check for a connection that can be closed.
const LOOK: Duration = Duration::from_millis(100);

/// All connections.
pub(super) struct Connections {
    all: Mutex<Vec<Arc<Connection>>>,
    /// The most at once.
    max: usize,
    /// How many of them wait for us.
    served: AtomicUsize,
    /// Notified when one has closed.
    left: Notify,
}

/// One connection.
pub(super) struct Connection {
    state: Mutex<State>,
    task: OnceLock<AbortHandle>,
}

struct State {
    /// When its peer last made progress.
    progress: Instant,
    /// Whether it waits for us, not for its peer.
    is_served: bool,
    /// The texts that it was sent and that are still in memory.
    texts: Vec<Weak<Text>>,
}

/// A connection's permit, released on drop.
pub(super) struct Permit {
    all: Arc<Connections>,
    pub(super) connection: Arc<Connection>,
}

/// While it lives, the connection waits for us.
pub(super) struct Serving<'a> {
    all: &'a Connections,
    connection: &'a Connection,
}

impl Connections {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            all: Mutex::default(),
            max: open_files::reserved_for_admin(),
            served: AtomicUsize::new(0),
            left: Notify::new(),
        })
    }

    /// Admits one more connection. At the limit the one that has been inactive longest is closed; those that wait
    /// for us are not, but they do not wait long.
    ///
    /// Cancel-safe.
    pub(super) async fn enter(self: &Arc<Self>) -> Permit {
        loop {
            let left = self.left.notified();
            {
                let mut all = self.all.lock();
                if all.len() < self.max {
                    let connection = Arc::new(Connection::new());
                    all.push(Arc::clone(&connection));
                    return Permit {
                        all: Arc::clone(self),
                        connection,
                    };
                }
                let waiting = all.iter().filter_map(|it| Some((it.silent_since()?, it)));
                if let Some((_, longest)) = waiting.min_by_key(|(since, _)| *since) {
                    longest.end();
                }
            }
            // With a timeout: a connection that was being served may be inactive by now.
            let _ = timeout(LOOK, left).await;
        }
    }

    /// From now on `connection` waits for us. `None` if too many do: enough must remain that can be closed.
    pub(super) fn serving<'a>(&'a self, connection: &'a Connection) -> Option<Serving<'a>> {
        let serving = Serving {
            all: self,
            connection,
        };
        connection.state.lock().is_served = true;
        let others = self.served.fetch_add(1, Ordering::Relaxed);
        (others < self.max * 2 / 3).then_some(serving)
    }

    /// Closes connections whose peers stall in `text` or take too long for it, so that its memory is freed.
    pub(super) fn end_readers(&self, text: &Arc<Text>) {
        let is_old = text.made.elapsed() >= OLD;
        let is_slow = |since: Instant| is_old || since.elapsed() >= PATIENCE;
        for connection in &*self.all.lock() {
            if connection.has(text) && connection.silent_since().is_some_and(is_slow) {
                connection.end();
            }
        }
    }
}

impl Connection {
    fn new() -> Self {
        Self {
            state: Mutex::new(State {
                progress: Instant::now(),
                is_served: false,
                texts: Vec::new(),
            }),
            task: OnceLock::new(),
        }
    }

    /// Sets the task that serves it.
    pub(super) fn is_task(&self, task: AbortHandle) {
        self.task.get_or_init(|| task);
    }

    /// Its peer has made progress.
    pub(super) fn on_progress(&self) {
        self.state.lock().progress = Instant::now();
    }

    /// `text` is being sent on it.
    pub(super) fn on_text(&self, text: &Arc<Text>) {
        let texts = &mut self.state.lock().texts;
        texts.retain(|text| text.strong_count() > 0);
        texts.push(Arc::downgrade(text));
    }

    /// Since when its peer makes no progress; `None` while it waits for us.
    fn silent_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        (!state.is_served).then_some(state.progress)
    }

    fn has(&self, text: &Arc<Text>) -> bool {
        let texts = &self.state.lock().texts;
        texts.iter().any(|it| it.as_ptr() == Arc::as_ptr(text))
    }

    fn end(&self) {
        // A connection without a task is about to get one.
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut all = self.all.all.lock();
        all.retain(|it| !Arc::ptr_eq(it, &self.connection));
        drop(all);
        self.all.left.notify_one();
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.all.served.fetch_sub(1, Ordering::Relaxed);
        let mut state = self.connection.state.lock();
        state.is_served = false;
        state.progress = Instant::now();
    }
}
