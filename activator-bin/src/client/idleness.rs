//! Since when a connection is idle, and whether it is asked to close: visible to all workers.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How much longer a connection must be idle before its first request than after it.
pub(crate) const FIRST: Duration = Duration::from_secs(1);

/// The idleness of one connection.
#[derive(Debug)]
pub(crate) struct Idleness {
    /// Since when it is idle, as returned by [`now`]; 0 while it is not.
    since: AtomicU64,
    is_asked: AtomicBool,
    /// Of the task that waits to be asked.
    waker: Mutex<Option<Waker>>,
}

impl Idleness {
    /// For a connection that was just accepted.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            since: AtomicU64::new(now().saturating_add(nanos(FIRST))),
            is_asked: AtomicBool::new(false),
            waker: Mutex::default(),
        })
    }

    /// The connection is idle from now on.
    pub(crate) fn begin(&self) {
        self.since.store(now(), Ordering::Relaxed);
    }

    /// The connection is in use from now on.
    pub(crate) fn end(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    pub(crate) fn since(&self) -> Option<u64> {
        match self.since.load(Ordering::Relaxed) {
            0 => None,
            since => Some(since),
        }
    }

    pub(crate) fn ask(&self) {
        self.is_asked.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether it has been asked to close and has not noticed that yet.
    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    /// Waits until it is asked to close.
    ///
    /// Cancel-safe.
    pub(crate) async fn asked(&self) {
        poll_fn(|cx| {
            // Under the lock, so that `ask` either finds the waker or has set the flag.
            let mut waker = self.waker.lock();
            if self.is_asked.swap(false, Ordering::Relaxed) {
                return Poll::Ready(());
            }
            match &mut *waker {
                Some(waker) => waker.clone_from(cx.waker()),
                empty => *empty = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .await;
    }
}

/// The time in nanoseconds, for comparisons; never 0.
pub(crate) fn now() -> u64 {
    /// A test's paused clock may lie before the first call.
    const AHEAD: Duration = Duration::from_secs(3_600);
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    let start = *START.get_or_init(std::time::Instant::now);
    let now = Instant::now().into_std() + AHEAD;
    nanos(now.saturating_duration_since(start)).max(1)
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
