//! How a request ended, for the metrics: recorded when the outcome is dropped.

use std::rc::Rc;

use http::{Method, Request, StatusCode, Version};
use reporter_core::RevisionKey;
use reporter_metrics::{ErrorMetrics, ErrorReason, HttpVersion, RequestRecorder, Scheme, Served};
use tokio::time::Instant;

use crate::drain::Draining;

/// Where one worker records outcomes.
pub(crate) struct Observer {
    pub(crate) errors: ErrorMetrics,
    pub(crate) requests: RequestRecorder,
    pub(crate) draining: Draining,
}

/// The outcome of a request so far. If it is dropped before the response was complete, the request was abandoned: by
/// the client, or by this process as it stops.
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
    /// Of a request whose head arrived at `begin`.
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

    /// Sets the revision of the request.
    pub(crate) fn belong_to(&mut self, revision: &RevisionKey) {
        self.revision = Some(revision.clone());
    }

    /// Sets the status sent to the client.
    pub(crate) fn set_status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// The request failed, was refused or was cut short.
    pub(crate) fn fail(&mut self, reason: ErrorReason) {
        self.reason = Some(reason);
    }

    /// The whole response is available.
    pub(crate) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// If the client disconnected, it was because it was too slow.
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
