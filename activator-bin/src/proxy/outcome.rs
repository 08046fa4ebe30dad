//! How a request ended, for the metrics: told when its last holder drops it, however that comes about.

use std::rc::Rc;

use http::{Method, Request, StatusCode, Version};
use reporter_core::RevisionKey;
use reporter_metrics::{ErrorMetrics, ErrorReason, HttpVersion, RequestRecorder, Scheme, Served};
use tokio::time::Instant;

use crate::drain::Draining;

/// Where one worker's outcomes are counted.
pub(crate) struct Observer {
    pub(crate) errors: ErrorMetrics,
    pub(crate) requests: RequestRecorder,
    pub(crate) draining: Draining,
}

/// What is known of a request's end so far. One that is dropped before its answer was complete was
/// given up: by the client, or by this process at its end.
pub(crate) struct Outcome {
    observer: Rc<Observer>,
    begin: Instant,
    method: Method,
    scheme: Scheme,
    version: HttpVersion,
    revision: Option<RevisionKey>,
    status: Option<StatusCode>,
    reason: Option<ErrorReason>,
    is_complete: bool,
    is_late: bool,
}

impl Outcome {
    /// Of a request whose head came at `begin`.
    pub(crate) fn new<B>(
        observer: &Rc<Observer>,
        request: &Request<B>,
        scheme: Scheme,
        begin: Instant,
    ) -> Self {
        Self {
            observer: Rc::clone(observer),
            begin,
            method: request.method().clone(),
            scheme,
            version: match request.version() {
                Version::HTTP_2 => HttpVersion::Http2,
                Version::HTTP_11 => HttpVersion::Http11,
                _ => HttpVersion::Http10,
            },
            revision: None,
            status: None,
            reason: None,
            is_complete: false,
            is_late: false,
        }
    }

    /// Whose it is.
    pub(crate) fn belong_to(&mut self, revision: &RevisionKey) {
        self.revision = Some(revision.clone());
    }

    /// The client is sent this status.
    pub(crate) fn answer(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// It did not end as its backend meant.
    pub(crate) fn fail(&mut self, reason: ErrorReason) {
        self.reason = Some(reason);
    }

    /// All of the answer is on its way.
    pub(crate) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// If the client is gone, that is because it was too slow.
    pub(crate) fn late(&mut self) {
        self.is_late = true;
    }

    fn error(&self) -> Option<ErrorReason> {
        match self.reason {
            None if self.is_complete => None,
            None if self.is_late => Some(ErrorReason::ClientTimeout),
            None if self.observer.draining.is_over() => Some(ErrorReason::Stopped),
            None => Some(ErrorReason::ClientGone),
            reason => reason,
        }
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        let error = self.error();
        if let Some(reason) = error {
            self.observer.errors.count(reason);
        }
        let served = Served {
            method: self.method.as_str(),
            scheme: self.scheme,
            version: self.version,
            status: self.status.map(|status| status.as_u16()),
            error,
            revision: self.revision.as_ref(),
        };
        self.observer.requests.served(served, self.begin.elapsed());
    }
}
