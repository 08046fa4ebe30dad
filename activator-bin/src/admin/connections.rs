//! The connections of the admin port: few, and none that does nothing keeps another out.
//!
//! What must not live here: what is done with a request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::text::Text;
use crate::os::open_files;

/// How long a peer may take nothing of a text before it is disconnected for another text.
const PATIENCE: Duration = Duration::from_secs(1);

/// How old a text is when peers are disconnected for another one although they take some of it: as
/// long as a scraper waits by default.
const OLD: Duration = Duration::from_secs(10);

/// How often it is looked whether somebody has become dispensable.
const LOOK: Duration = Duration::from_millis(100);

/// All connections.
pub(super) struct Connections {
    all: Mutex<Vec<Arc<Connection>>>,
    /// The most at once.
    most: usize,
    /// How many wait for us.
    served: AtomicUsize,
    /// HealthLog when one has left.
    left: Notify,
}

/// One connection, as those see it who need its place.
pub(super) struct Connection {
    state: Mutex<State>,
    task: OnceLock<AbortHandle>,
}

struct State {
    /// When its peer last did something.
    progress: Instant,
    /// It waits for us, not for its peer.
    is_served: bool,
    /// What it was sent, while that is in memory.
    texts: Vec<Weak<Text>>,
}

/// A connection's place, until it is dropped.
pub(super) struct Permit {
    all: Arc<Connections>,
    pub(super) connection: Arc<Connection>,
}

/// While it lives, its connection waits for us.
pub(super) struct Serving<'a> {
    all: &'a Connections,
    connection: &'a Connection,
}

impl Connections {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            all: Mutex::default(),
            most: open_files::reserved_for_admin(),
            served: AtomicUsize::new(0),
            left: Notify::new(),
        })
    }

    /// A place for one more. When there is none, whoever has done nothing for longest is
    /// disconnected; those who wait for us are not, but they don't wait for long.
    ///
    /// Cancel-safe.
    pub(super) async fn enter(self: &Arc<Self>) -> Permit {
        loop {
            let left = self.left.notified();
            {
                let mut all = self.all.lock();
                if all.len() < self.most {
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
            // The time-out: somebody who was being served may be dispensable by now.
            let _ = timeout(LOOK, left).await;
        }
    }

    /// From now on `connection` waits for us; none when so many do that the others would leave nobody to
    /// be disconnected.
    pub(super) fn serving<'a>(&'a self, connection: &'a Connection) -> Option<Serving<'a>> {
        let serving = Serving {
            all: self,
            connection,
        };
        connection.state.lock().is_served = true;
        let others = self.served.fetch_add(1, Ordering::Relaxed);
        (others < self.most * 2 / 3).then_some(serving)
    }

    /// Disconnects those whose peers take nothing of `text`, or too long for it, so that it leaves the memory.
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

    /// It is served by this task.
    pub(super) fn is_task(&self, task: AbortHandle) {
        self.task.get_or_init(|| task);
    }

    /// Its peer has done something.
    pub(super) fn on_progress(&self) {
        self.state.lock().progress = Instant::now();
    }

    /// It is sent `text`.
    pub(super) fn on_text(&self, text: &Arc<Text>) {
        let texts = &mut self.state.lock().texts;
        texts.retain(|text| text.strong_count() > 0);
        texts.push(Arc::downgrade(text));
    }

    /// None while it waits for us.
    fn silent_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        (!state.is_served).then_some(state.progress)
    }

    fn has(&self, text: &Arc<Text>) -> bool {
        let texts = &self.state.lock().texts;
        texts.iter().any(|it| it.as_ptr() == Arc::as_ptr(text))
    }

    fn end(&self) {
        // One without a task is about to get it.
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
