//! Whether a revision that is awake is in use. Costs one read of a flag per request.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// A revision falls asleep after this many looks in a row without a request: five to six minutes after the last one.
/// The state of its backends is forgotten, so the next request waits for a probe again.
pub(crate) const LOOKS: u8 = 6;

/// Whether a revision is in use.
pub(super) struct Usage {
    /// Whether it had a request since the last look.
    had_request: AtomicBool,
    /// The number of looks in a row without a request.
    quiet: AtomicU8,
}

impl Usage {
    /// For a revision that a request wakes.
    pub(super) fn new() -> Self {
        Self {
            had_request: AtomicBool::new(true),
            quiet: AtomicU8::new(0),
        }
    }

    pub(super) fn on_request(&self) {
        // Usually set: then nothing is written that other cores read.
        if !self.had_request.load(Ordering::Relaxed) {
            self.had_request.store(true, Ordering::Relaxed);
        }
    }

    /// One look: whether it is to fall asleep. Must not be called concurrently.
    pub(super) fn is_over(&self, is_busy: bool) -> bool {
        let quiet = if self.had_request.swap(false, Ordering::Relaxed) || is_busy {
            0
        } else {
            self.quiet.load(Ordering::Relaxed).saturating_add(1)
        };
        self.quiet.store(quiet, Ordering::Relaxed);
        quiet >= LOOKS
    }
}
