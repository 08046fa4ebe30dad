//! How a request ended, for the metrics, the access log and its trace: recorded when the outcome is dropped.

use std::rc::Rc;

use http::{Method, Request, StatusCode, Version};
use reporter_core::RevisionKey;
use reporter_metrics::{ErrorMetrics, ErrorReason, HttpVersion, RequestRecorder, Scheme, Served};
use tokio::time::Instant;

use crate::access_log::{AccessLog, Logged, RevisionEntry};
use crate::client::Client;
use crate::drain::Draining;
use crate::revision::ServedRevision;
use crate::traces::{Origin, RequestTrace, Traces};

/// The status in the access log of a request whose client disconnected before the response began. Clients never see
/// it; nginx made it known.
const CLIENT_GONE: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_REQUEST,
};

/// Where one worker records outcomes.
pub(crate) struct Observer {
    pub(crate) errors: ErrorMetrics,
    pub(crate) requests: RequestRecorder,
    pub(crate) draining: Draining,
    pub(crate) access_log: AccessLog,
    pub(crate) traces: Traces,
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
    /// `None` if there is no access log.
    logged: Option<Box<Logged>>,
    /// `None` if the request is not traced.
    trace: Option<Box<RequestTrace>>,
}

impl Outcome {
    /// Of a request whose head arrived at `begin`. `length` is asked for the length of its body, if that is known.
    pub(crate) fn new<B>(
        observer: &Rc<Observer>,
        request: &Request<B>,
        length: impl FnOnce() -> Option<u64>,
        client: &Client,
        begin: Instant,
    ) -> Self {
        let address = || client.remote_address();
        let origin = Origin {
            address: &client.address,
            scheme: client.scheme,
        };
        let mut logged = observer.access_log.begin(request, length, address);
        let trace = observer.traces.begin(request, origin, begin);
        if let (Some(logged), Some(trace)) = (&mut logged, &trace) {
            logged.belong_to_trace(trace.context().trace, trace.context());
        }
        Self {
            observer: Rc::clone(observer),
            begin,
            method: request.method().clone(),
            scheme: client.scheme,
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
            logged,
            trace,
        }
    }

    /// Sets the revision of the request.
    pub(crate) fn belong_to(&mut self, revision: &ServedRevision) {
        self.revision = Some(revision.key.clone());
        if let Some(logged) = &mut self.logged {
            let origin = revision.origin();
            logged.belong_to(RevisionEntry {
                name: revision.key.name().to_owned(),
                namespace: revision.key.namespace().to_owned(),
                service: origin.service.as_ref().to_owned(),
                configuration: origin.configuration.as_ref().to_owned(),
            });
        }
        if let Some(trace) = &mut self.trace {
            trace.belong_to(&revision.key, &revision.origin());
        }
    }

    /// The trace of the request, if it is traced.
    pub(crate) fn trace(&self) -> Option<&RequestTrace> {
        self.trace.as_deref()
    }

    /// The line that is written at the end of the request.
    pub(crate) fn logged(&self) -> Option<&Logged> {
        self.logged.as_deref()
    }

    /// Sets the status sent to the client.
    pub(crate) fn set_status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// More of the response's body was sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        if let Some(logged) = &mut self.logged {
            logged.sent(bytes);
        }
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

    /// The status for the access log.
    fn code(&self, error: Option<ErrorReason>) -> StatusCode {
        self.status.unwrap_or(match error {
            Some(ErrorReason::BadRequest) => StatusCode::BAD_REQUEST,
            Some(ErrorReason::ClientTimeout) => StatusCode::REQUEST_TIMEOUT,
            Some(ErrorReason::Stopped) => StatusCode::SERVICE_UNAVAILABLE,
            _ => CLIENT_GONE,
        })
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
        let latency = self.begin.elapsed();
        self.observer.requests.served(served, latency);
        if let Some(logged) = self.logged.take() {
            let reason = error.map(ErrorReason::as_str);
            logged.end(self.code(error).as_u16(), reason, latency);
        }
        if let Some(trace) = self.trace.take() {
            trace.end(self.status, error);
        }
    }
}
