//! Tells a request's trace of the attempts to get a response.

use http::{Request, Response};
use reporter_metrics::Scheme;

use crate::traces::{Destination, RequestTrace};
use crate::upstream::Failed;
use crate::upstream::backend::{Backend, Endpoint};

/// The request is about to be sent to `backend`: sets its trace context.
pub(super) fn on_attempt<B>(
    trace: Option<&RequestTrace>,
    backend: &Backend,
    request: &mut Request<B>,
) {
    let Some(trace) = trace else {
        return;
    };
    let Endpoint { place, tls } = &backend.endpoint;
    let to = Destination {
        address: tls.as_ref().map_or(place.address, |tls| tls.address),
        socket: place.socket.as_deref(),
        scheme: match tls {
            Some(_) => Scheme::Https,
            None => Scheme::Http,
        },
    };
    trace.on_attempt(to, request);
}

/// What came of it.
pub(super) fn on_outcome<B, L>(
    trace: Option<&RequestTrace>,
    outcome: &Result<(Response<B>, L), Failed>,
) {
    match (trace, outcome) {
        (None, _) => {}
        (Some(trace), Ok((response, _))) => trace.on_response(response.status()),
        (Some(trace), Err(failed)) => trace.on_end_of_part(Some(failed.error.reason())),
    }
}
