//! A request that is traced, until it ends: its own span, and those of its parts, which follow one another.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Request, StatusCode};
use reporter_core::{Revision, RevisionKey};
use reporter_metrics::ErrorReason;
use tokio::time::Instant;

use super::Traces;
use super::attributes::{self, Destination, Origin};
use super::context::{self, SpanId, TraceContext};
use super::sampling::Sampler;
use super::span::{Attribute, Kind, Span, Trace};

/// The most parts of a request that are kept. Of more the first and the last are.
const MAX_PARTS: usize = 32;
/// The name of the span of a wait in the queue; Knative's.
const QUEUED: &str = "throttler_try";

/// A request whose trace goes on, or begins, here.
pub(crate) struct RequestTrace {
    /// Its own span, as the parent of its parts.
    context: TraceContext,
    /// Whether its client has sent no context.
    is_root: bool,
    /// `None` if the trace is not recorded.
    recording: Option<Box<Recording>>,
}

/// What is recorded of a request.
struct Recording {
    traces: Traces,
    parent: Option<SpanId>,
    state: String,
    clock: Clock,
    attributes: Vec<Attribute>,
    method: &'static str,
    parts: RefCell<Parts>,
}

/// The parts of a request so far.
#[derive(Default)]
struct Parts {
    ended: Vec<Span>,
    open: Option<Open>,
    /// How often the request was sent.
    attempts: u16,
}

/// A part that has not ended.
struct Open {
    id: SpanId,
    name: &'static str,
    kind: Kind,
    start: Instant,
    attributes: Vec<Attribute>,
    status: Option<StatusCode>,
}

/// Times by one clock that never goes back, as times of the day.
#[derive(Clone, Copy)]
struct Clock {
    begin: Instant,
    /// `begin` in nanoseconds since 1970.
    unix: u64,
}

impl Clock {
    fn new(begin: Instant) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let begun = now.unwrap_or_default().saturating_sub(begin.elapsed());
        Self {
            begin,
            unix: u64::try_from(begun.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    fn unix(self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.begin).as_nanos();
        self.unix
            .saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }
}

impl RequestTrace {
    /// Of a request whose head arrived at `begin`. `None` if there is nothing to do: its client has decided that its
    /// trace is not recorded.
    pub(super) fn new<B>(
        traces: &Traces,
        sampler: Sampler,
        request: &Request<B>,
        client: Origin<'_>,
        begin: Instant,
    ) -> Option<Self> {
        let headers = request.headers();
        let parent = TraceContext::of(headers);
        let trace = parent.map_or_else(context::TraceId::random, |parent| parent.trace);
        let is_sampled = parent.map_or_else(|| sampler.records(trace), |parent| parent.is_sampled);
        if parent.is_some() && !is_sampled {
            return None;
        }
        let recording = || {
            let method = attributes::method(request.method());
            Box::new(Recording {
                traces: traces.clone(),
                parent: parent.map(|parent| parent.span),
                state: parent.map_or_else(String::new, |_| context::state(headers)),
                clock: Clock::new(begin),
                attributes: attributes::of_request(request, method, client),
                method,
                parts: RefCell::default(),
            })
        };
        Some(Self {
            context: TraceContext {
                trace,
                span: SpanId::random(),
                is_sampled,
            },
            is_root: parent.is_none(),
            recording: is_sampled.then(recording),
        })
    }

    /// The trace, and the request's own span in it.
    pub(crate) fn context(&self) -> TraceContext {
        self.context
    }

    /// The request is for this revision.
    pub(crate) fn belong_to(&mut self, key: &RevisionKey, revision: &Revision) {
        if let Some(recording) = &mut self.recording {
            attributes::add_revision(&mut recording.attributes, key, revision);
        }
    }

    /// The request waits in the queue.
    pub(crate) fn on_queued(&self) {
        if let Some(recording) = &self.recording {
            recording.open(QUEUED, Kind::Internal, Vec::new());
        }
    }

    /// The request is about to be sent: sets its trace context.
    pub(crate) fn on_attempt(&self, to: Destination<'_>, request: &mut Request<impl Sized>) {
        if self.is_root {
            // Without a valid context it belongs to no trace.
            context::remove_state(request.headers_mut());
        }
        let span = match &self.recording {
            Some(recording) => recording.on_attempt(to, request),
            None => self.context.span,
        };
        let context = TraceContext {
            span,
            ..self.context
        };
        context.set(request.headers_mut());
    }

    /// A response to the current attempt has begun.
    pub(crate) fn on_response(&self, status: StatusCode) {
        if let Some(recording) = &self.recording
            && let Some(open) = &mut recording.parts.borrow_mut().open
        {
            open.status = Some(status);
        }
    }

    /// The current part of the request has ended.
    pub(crate) fn on_end_of_part(&self, error: Option<ErrorReason>) {
        if let Some(recording) = &self.recording {
            recording.close(Instant::now(), error);
        }
    }

    /// The request has ended, and with it the part that has not.
    pub(crate) fn end(self, status: Option<StatusCode>, error: Option<ErrorReason>) {
        if let Some(recording) = self.recording {
            recording.end(self.context, status, error);
        }
    }
}

impl Recording {
    fn open(&self, name: &'static str, kind: Kind, attributes: Vec<Attribute>) -> SpanId {
        let id = SpanId::random();
        self.parts.borrow_mut().open = Some(Open {
            id,
            name,
            kind,
            start: Instant::now(),
            attributes,
            status: None,
        });
        id
    }

    fn on_attempt(&self, to: Destination<'_>, request: &Request<impl Sized>) -> SpanId {
        let attempts = {
            let attempts = &mut self.parts.borrow_mut().attempts;
            *attempts = attempts.saturating_add(1);
            *attempts
        };
        let attributes = attributes::of_attempt(request, self.method, to, attempts - 1);
        self.open(attributes::name(self.method), Kind::Client, attributes)
    }

    fn close(&self, at: Instant, error: Option<ErrorReason>) {
        let mut parts = self.parts.borrow_mut();
        let Some(open) = parts.open.take() else {
            return;
        };
        let mut attributes = open.attributes;
        attributes::add_status(&mut attributes, open.status);
        // To a client any status from 400 is an error.
        let is_bad = open.status.is_some_and(|status| status.as_u16() >= 400);
        let is_error = attributes::add_error(&mut attributes, error, open.status, is_bad);
        if parts.ended.len() == MAX_PARTS {
            parts.ended.pop();
        }
        parts.ended.push(Span {
            id: open.id,
            // Set at the end.
            parent: None,
            name: open.name,
            kind: open.kind,
            start: self.clock.unix(open.start),
            end: self.clock.unix(at),
            attributes,
            is_error,
        });
    }

    fn end(
        self: Box<Self>,
        context: TraceContext,
        status: Option<StatusCode>,
        error: Option<ErrorReason>,
    ) {
        let now = Instant::now();
        self.close(now, error);
        let mut attributes = self.attributes;
        attributes::add_status(&mut attributes, status);
        let is_bad = status.is_some_and(|status| status.is_server_error());
        let is_error = attributes::add_error(&mut attributes, error, status, is_bad)
            // The mistake was the client's.
            && !status.is_some_and(|status| status.is_client_error());
        let own = Span {
            id: context.span,
            parent: self.parent,
            name: attributes::name(self.method),
            kind: Kind::Server,
            start: self.clock.unix,
            end: self.clock.unix(now),
            attributes,
            is_error,
        };
        let parts = self.parts.into_inner().ended.into_iter();
        let parent = Some(context.span);
        let parts = parts.map(|part| Span { parent, ..part });
        self.traces.take(Trace {
            id: context.trace,
            state: self.state,
            spans: std::iter::once(own).chain(parts).collect(),
        });
    }
}
