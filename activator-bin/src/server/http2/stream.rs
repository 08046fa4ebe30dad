//! One HTTP/2 request and its response.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use reporter_metrics::ErrorReason;

use super::Http2;
use super::sending::Sending;
use crate::client::Client;
use crate::message::h2_body::H2Body;
use crate::message::interim::Interim;
use crate::message::request_body::RequestBody;
use crate::proxy::Proxy;
use crate::proxy::ResponseBody;

/// Serves a request.
pub(super) struct Stream {
    pub(super) http: Rc<Http2>,
    pub(super) proxy: Rc<Proxy>,
    pub(super) client: Rc<Client>,
}

impl Stream {
    /// Serves a request until its response has ended, or the stream or connection is closed.
    ///
    /// Dropping this resets the stream.
    pub(super) async fn serve(self, request: Request<RecvStream>, mut to: SendResponse<Bytes>) {
        let is_head = request.method() == Method::HEAD;
        let (head, body) = request.into_parts();
        let mut body = H2Body::new(&head.headers, body);
        if poll_fn(|cx| Poll::Ready(to.poll_reset(cx).is_ready())).await {
            let reason = poll_fn(|cx| Poll::Ready(end(&mut body, cx))).await;
            let request = Request::from_parts(head, ());
            self.proxy.count_unserved(&request, &self.client, reason);
            return;
        }
        let interim = Arc::new(Interim::default());
        let upload = RequestBody::http2(body, Arc::clone(&interim));
        let request = Box::new(Request::from_parts(head, upload));
        let response = {
            let mut serving = pin!(self.proxy.serve(request, &self.client));
            poll_fn(|cx| {
                // First, so that a cancelled request does not count as one with a malformed body.
                if let Poll::Ready(reset) = to.poll_reset(cx) {
                    // h2 has reset it for a malformed body: the reader of the body gets that error.
                    if matches!(reset, Ok(Reason::PROTOCOL_ERROR)) {
                        let _ = serving.as_mut().poll(cx);
                    }
                    return Poll::Ready(None);
                }
                let response = serving.as_mut().poll(cx);
                self.inform(&mut to, &interim, cx);
                response.map(Some)
            })
            .await
        };
        interim.end();
        let Some(response) = response else {
            return;
        };
        if let Some(mut sending) = self.begin(&mut to, response, is_head) {
            poll_fn(|cx| sending.poll(cx)).await;
            sending.end();
        }
    }

    /// Sends informational responses. They are dropped while the client reads so slowly that nothing can be written:
    /// buffering them would have no bound, and they are only hints.
    fn inform(&self, to: &mut SendResponse<Bytes>, interim: &Interim, cx: &mut Context<'_>) {
        while let Poll::Ready(all) = interim.poll_next(cx) {
            for early in all {
                if !self.client.output.is_blocked() {
                    // An error means that the stream is closed.
                    let _ = to.send_informational(early);
                }
            }
        }
    }

    /// Sends the head of `response`. Returns `None` if that is all of it, or the stream is closed.
    fn begin(
        &self,
        to: &mut SendResponse<Bytes>,
        response: Response<ResponseBody>,
        is_head: bool,
    ) -> Option<Sending> {
        let (head, body) = response.into_parts();
        let mut head = Response::from_parts(head, ());
        let may_have_body = !is_head && may_have_body(head.status());
        let is_end = body.is_end_stream() || (!may_have_body && body.is_whole());
        let headers = head.headers_mut();
        // Refusals have it, for HTTP/1 clients.
        headers.remove(CONNECTION);
        if !headers.contains_key(DATE) {
            headers.insert(DATE, self.http.date.at(SystemTime::now()));
        }
        if !is_end
            && let Some(length) = body.size_hint().exact()
            && !headers.contains_key(CONTENT_LENGTH)
        {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        match to.send_response(head, is_end) {
            Ok(to) if !is_end => {
                let http = Rc::clone(&self.http);
                Some(Sending::new(body, to, may_have_body, http))
            }
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, "the head of a response cannot be sent");
                to.send_reset(Reason::INTERNAL_ERROR);
                None
            }
        }
    }
}

/// Whether a response with this status may have a body (RFC 9110, 6.4.1).
fn may_have_body(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Why the request with this body was reset: by its client, or because it is malformed.
fn end(body: &mut H2Body, cx: &mut Context<'_>) -> ErrorReason {
    loop {
        match body.poll_frame(cx) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) if error.is_reset() && error.is_library() => {
                return ErrorReason::BadRequest;
            }
            _ => return ErrorReason::ClientGone,
        }
    }
}
