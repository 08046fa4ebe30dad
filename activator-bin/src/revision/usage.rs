//! Whether a revision that is awake is in use, at the cost of one look at a flag per request.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// In how many looks in a row one has to be found without: it falls asleep five to six minutes after its last request.
/// What it takes with it is what its backends have shown, so that the next request waits for a probe again.
pub(crate) const LOOKS: u8 = 6;

/// Whether a revision is in use.
pub(super) struct Usage {
    /// Since the last look.
    had_request: AtomicBool,
    /// Looks in a row that found none.
    quiet: AtomicU8,
}

impl Usage {
    /// There is a request, which wakes it.
    pub(super) fn new() -> Self {
        Self {
            had_request: AtomicBool::new(true),
            quiet: AtomicU8::new(0),
        }
    }

    pub(super) fn on_request(&self) {
        // Most find it set, and so write nothing that other cores read.
        if !self.had_request.load(Ordering::Relaxed) {
            self.had_request.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it is to fall asleep. For one look at a time.
    pub(super) fn is_over(&self, is_busy: bool) -> bool {
        let quiet = match self.had_request.swap(false, Ordering::Relaxed) || is_busy {
            true => 0,
            false => self.quiet.load(Ordering::Relaxed).saturating_add(1),
        };
        self.quiet.store(quiet, Ordering::Relaxed);
        quiet >= LOOKS
    }
}
