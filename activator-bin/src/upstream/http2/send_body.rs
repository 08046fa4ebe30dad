//! Sends a request body to a backend over HTTP/2.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body;
use tokio::task::JoinHandle;

use crate::message::request_body::RequestBody;

/// Why reading from the client failed.
pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// Forwards a body as fast as the backend accepts it.
pub(super) struct SendBody {
    body: RequestBody,
    to: SendStream<Bytes>,
    /// Waits for flow-control capacity.
    waiting: Bytes,
    is_over: bool,
}

impl SendBody {
    pub(super) fn new(body: RequestBody, to: SendStream<Bytes>) -> Self {
        let is_over = body.is_end_stream();
        Self {
            body,
            to,
            waiting: Bytes::new(),
            is_over,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Continues in a task that may be aborted.
    pub(super) fn spawn(mut self) -> JoinHandle<()> {
        let upload = async move {
            let uploading = std::future::poll_fn(|cx| {
                // Otherwise a reset would go unnoticed until the client sends more.
                if self.to.poll_reset(cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                self.poll(cx)
            });
            if let Err(error) = uploading.await {
                tracing::debug!(%error, "request body failed");
            }
        };
        tokio::task::spawn_local(upload)
    }

    /// Ready when there is nothing more to send, possibly because the backend wants no more.
    ///
    /// # Errors
    /// If reading from the client fails. The stream is then reset.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while !self.is_over {
            if !self.waiting.is_empty() {
                match ready!(self.to.poll_capacity(cx)) {
                    Some(Ok(room)) => self.send(room),
                    Some(Err(_)) | None => self.is_over = true,
                }
                continue;
            }
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.take(data),
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            // An error means that the backend ended the exchange.
                            let _ = self.to.send_trailers(trailers);
                            self.is_over = true;
                        }
                    }
                },
                Some(Err(error)) => return self.fail(error),
                // Hyper ends an HTTP/1 body with a length like this when its client disconnects. For a chunked body
                // this cannot be detected, and need not be: the request is dropped with its client.
                None if self.body.size_hint().upper().is_some_and(|rest| rest > 0) => {
                    return self.fail(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                None => {
                    let _ = self.to.send_data(Bytes::new(), true);
                    self.is_over = true;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take(&mut self, data: Bytes) {
        if data.is_empty() && self.body.is_end_stream() {
            let _ = self.to.send_data(data, true);
            self.is_over = true;
            return;
        }
        self.to.reserve_capacity(data.len());
        self.waiting = data;
    }

    fn send(&mut self, room: usize) {
        let part = self.waiting.split_to(room.min(self.waiting.len()));
        let is_last = self.waiting.is_empty() && self.body.is_end_stream();
        self.is_over = self.to.send_data(part, is_last).is_err() || is_last;
    }

    fn fail(&mut self, why: Failure) -> Poll<Result<(), Failure>> {
        self.is_over = true;
        self.to.send_reset(Reason::CANCEL);
        Poll::Ready(Err(why))
    }
}
