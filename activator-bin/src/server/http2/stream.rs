//! One request of a connection and its response.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::SystemTime;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;

use super::Http2;
use super::sending::Sending;
use crate::body::Body;
use crate::h2_body::H2Body;
use crate::proxy::Proxy;
use crate::server::client::Client;
use crate::upload::Upload;

/// What serves a request.
pub(super) struct Stream {
    pub(super) http: Rc<Http2>,
    pub(super) proxy: Rc<Proxy>,
    pub(super) client: Arc<Client>,
}

impl Stream {
    /// Serves a request until its response has ended, or its client or its connection ends it.
    ///
    /// Dropping this resets the stream.
    pub(super) async fn serve(self, request: Request<RecvStream>, mut to: SendResponse<Bytes>) {
        let is_head = request.method() == Method::HEAD;
        let (head, body) = request.into_parts();
        let upload = Upload::from(H2Body::new(&head.headers, body));
        // On the heap, so that those it is handed to need no room for it.
        let request = Box::new(Request::from_parts(head, upload));
        let response = {
            let mut answer = pin!(self.proxy.answer(request, &self.client));
            poll_fn(|cx| {
                // First, so that a request which was taken back is not taken for one whose body is broken.
                if to.poll_reset(cx).is_ready() {
                    return Poll::Ready(None);
                }
                answer.as_mut().poll(cx).map(Some)
            })
            .await
        };
        let Some(response) = response else {
            return;
        };
        if let Some(mut sending) = self.begin(&mut to, response, is_head) {
            poll_fn(|cx| sending.poll(cx)).await;
            sending.end();
        }
    }

    /// Sends the head of `response`. None when that is all of it, or nobody takes it.
    fn begin(
        &self,
        to: &mut SendResponse<Bytes>,
        response: Response<Body>,
        is_head: bool,
    ) -> Option<Sending> {
        let (head, body) = response.into_parts();
        let mut head = Response::from_parts(head, ());
        let may_have_body = !is_head && may_have_body(head.status());
        let is_end = body.is_end_stream() || (!may_have_body && body.is_whole());
        let headers = head.headers_mut();
        // In refusals, which say it to clients of HTTP/1.
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
                let patience = self.http.limits.body_idle_timeout;
                Some(Sending::new(body, to, may_have_body, patience))
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

/// Whether a response with this status may be more than its head (RFC 9110, 6.4.1).
fn may_have_body(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
