//! One request on its stream of an HTTP/2 connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::{Request, Response};
use http_body::Body as _;
use tokio::task::JoinHandle;

use super::connection::StreamPermit;
use super::send_body::{self, SendBody};
use crate::message::hop_by_hop::informational_to_client;
use crate::message::request_body::RequestBody;
use crate::upstream::response_body::BackendBody;

/// Why a request got no response.
pub(super) enum NoResponse {
    ByClient(send_body::Failure),
    ByBackend(Failure),
}

/// How a backend failed a request.
pub(super) struct Failure {
    pub(super) error: h2::Error,
    /// Whether an informational response arrived.
    pub(super) has_begun: bool,
    /// Whether other requests on the same connection got a response.
    pub(super) is_used: bool,
}

impl Failure {
    /// Whether the backend says that it did not process the request (RFC 9113, 8.7).
    pub(super) fn is_unprocessed(&self) -> bool {
        let error = &self.error;
        error.is_remote()
            && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    }
}

pub(super) async fn exchange(
    permit: StreamPermit,
    head: &Parts,
    body: RequestBody,
) -> Result<(Response<BackendBody>, Stream), NoResponse> {
    let request = Request::from_parts(head.clone(), ());
    let sent = permit
        .requests()
        .send_request(request, body.is_end_stream());
    let (mut response, sender) = match sent {
        Ok(sent) => sent,
        Err(error) => {
            return Err(NoResponse::ByBackend(Failure {
                error,
                has_begun: false,
                is_used: permit.is_used(),
            }));
        }
    };
    let mut has_begun = false;
    let interim = body.interim().cloned();
    let mut upload = SendBody::new(body, sender);
    let exchanged = poll_fn(|cx| {
        let uploaded = upload.poll(cx);
        if let Poll::Ready(Err(failure)) = uploaded {
            return Poll::Ready(Err(Ok(failure)));
        }
        if let Some(interim) = &interim {
            while let Poll::Ready(Some(Ok(early))) = response.poll_informational(cx) {
                has_begun = true;
                let (early, ()) = early.into_parts();
                let mut headers = early.headers;
                informational_to_client(&mut headers);
                interim.on_arrival(early.status, headers);
            }
        }
        Pin::new(&mut response).poll(cx).map_err(Err)
    });
    match exchanged.await {
        Ok(response) => {
            permit.on_response();
            let upload = (!upload.is_over()).then(|| upload.spawn());
            let stream = Stream {
                upload,
                _permit: permit,
            };
            Ok((BackendBody::http2(response), stream))
        }
        Err(Ok(failure)) => Err(NoResponse::ByClient(failure)),
        Err(Err(error)) => Err(NoResponse::ByBackend(Failure {
            error,
            has_begun,
            is_used: permit.is_used(),
        })),
    }
}

/// A request's stream. Dropping it early resets the stream.
pub(crate) struct Stream {
    /// The rest of the request body, sent while the response arrives.
    upload: Option<JoinHandle<()>>,
    _permit: StreamPermit,
}

impl Stream {
    /// Whether the rest of the request is still being sent.
    pub(in super::super) fn is_uploading(&self) -> bool {
        let upload = self.upload.as_ref();
        upload.is_some_and(|upload| !upload.is_finished())
    }

    /// Ready when the rest of the request was sent, or cannot be sent.
    pub(in super::super) fn poll_uploaded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(upload) = &mut self.upload {
            let _ = ready!(Pin::new(upload).poll(cx));
            self.upload = None;
        }
        Poll::Ready(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.abort();
        }
    }
}
