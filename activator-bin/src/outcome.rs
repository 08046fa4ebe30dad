//! How a request ended, for the metrics: told when its last holder drops it, however that comes about.

use std::rc::Rc;

use reporter_metrics::{ErrorMetrics, ErrorReason};

use crate::drain::Draining;

/// Where one worker's outcomes are counted.
pub(crate) struct Observer {
    pub(crate) errors: ErrorMetrics,
    pub(crate) draining: Draining,
}

/// What is known of a request's end so far. One that is dropped before its answer was complete was
/// given up: by the client, or by this process at its end.
pub(crate) struct Outcome {
    observer: Rc<Observer>,
    reason: Option<ErrorReason>,
    is_complete: bool,
}

impl Outcome {
    pub(crate) fn new(observer: &Rc<Observer>) -> Self {
        Self {
            observer: Rc::clone(observer),
            reason: None,
            is_complete: false,
        }
    }

    /// It did not end as its backend meant.
    pub(crate) fn fail(&mut self, reason: ErrorReason) {
        self.reason = Some(reason);
    }

    /// All of the answer is on its way.
    pub(crate) fn complete(&mut self) {
        self.is_complete = true;
    }

    fn error(&self) -> Option<ErrorReason> {
        match self.reason {
            None if self.is_complete => None,
            None if self.observer.draining.is_over() => Some(ErrorReason::Stopped),
            None => Some(ErrorReason::ClientGone),
            reason => reason,
        }
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        if let Some(reason) = self.error() {
            self.observer.errors.count(reason);
        }
    }
}
