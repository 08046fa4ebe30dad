//! One HTTP/1 request on its connection, and what is kept to send it again.

use http::{Request, Response};
use http_body::Body as _;

use super::Lease;
use super::error::{Failed, UpstreamError};
use super::pool::Checkout;
use super::response_body::BackendBody;
use crate::message::request_body::RequestBody;
use crate::throttle::Complaint;

/// Restores the extensions of a request that is sent again.
pub(super) type Renew<'a> = dyn Fn(&mut Request<RequestBody>) + 'a;

/// Sends `request` on one connection and waits for the head of the response. A reused connection may be closed at any
/// time, so the request must be cheap to restore; `renew` restores its extensions.
pub(super) async fn exchange(
    lease: Checkout,
    request: Box<Request<RequestBody>>,
    renew: Option<&Renew<'_>>,
) -> Result<(Response<BackendBody>, Lease), Failed> {
    let spare = if !request.method().is_idempotent() {
        Spare::None
    } else if renew.is_some() && request.body().is_end_stream() {
        request.body().again().map_or(Spare::None, Spare::Recorded)
    } else {
        copy(&request).map_or(Spare::None, Spare::Whole)
    };
    let is_recorded = matches!(spare, Spare::Recorded(_));
    let fault = match lease.send(*request, is_recorded).await {
        Ok((response, names)) => {
            drop(spare);
            if lease.upload_rest() {
                // If the rest is not read, hyper notices now, and says so in the head of the response.
                tokio::task::yield_now().await;
            }
            let lease = Lease::Http1 { lease, names };
            return Ok((response.map(BackendBody::Http1), lease));
        }
        Err(fault) => fault,
    };
    let error = UpstreamError::http1(lease.place(), fault);
    let is_silent = matches!(error, UpstreamError::Lost { .. }) && !lease.has_response();
    let mut failed = Failed::from(error);
    if is_silent {
        failed.complaint.get_or_insert(Complaint::Closed);
        failed.again = match spare {
            Spare::None => None,
            Spare::Recorded(body) => lease.read_back(body).map(|mut request| {
                renew.inspect(|renew| renew(&mut request));
                Box::new(request)
            }),
            Spare::Whole(request) => Some(request).filter(|spare| spare.body().is_whole()),
        };
    }
    Err(failed)
}

/// What is kept of an idempotent request (RFC 9110, 9.2.2), to send it again.
enum Spare {
    None,
    /// The connection records the head: a copy would be a considerable part of a request's cost.
    Recorded(RequestBody),
    Whole(Box<Request<RequestBody>>),
}

fn copy(request: &Request<RequestBody>) -> Option<Box<Request<RequestBody>>> {
    let body = request.body().again()?;
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(Box::new(copy))
}
