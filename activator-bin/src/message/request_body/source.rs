//! Reads a request body from the client, holding back if the client waits for 100 (Continue).

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use crate::message::h2_body::H2Body;
use crate::message::interim::{Interim, Wanted};
use crate::message::trailers;

/// How long to wait for a backend's 100 (Continue): some never send it.
const PATIENCE: Duration = Duration::from_secs(1);

/// An upload from a client. A client that expects 100 (Continue) gets it when the body is first polled: hyper sends
/// it then.
#[derive(Debug)]
pub(super) struct Source {
    from: Option<Client>,
    gate: Gate,
    bound: Option<Bound>,
    /// Where informational responses go, over HTTP/2.
    interim: Option<Arc<Interim>>,
}

/// The body in the client's protocol.
#[derive(Debug)]
enum Client {
    Http1(Incoming),
    Http2(H2Body),
}

#[derive(Debug)]
struct Bound {
    /// The bytes left.
    room: u64,
    is_passed: Rc<Cell<bool>>,
}

#[derive(Debug)]
enum Gate {
    Open,
    /// Until the backend asks for the body.
    Closed(Wait),
    /// The backend responded without it. Ending the body would make it look complete; failing it would cut the
    /// response.
    Refused(oneshot::Receiver<ResponseOver>),
}

#[derive(Debug)]
struct Wait {
    wanted: oneshot::Receiver<Wanted>,
    over: oneshot::Receiver<ResponseOver>,
    /// Starts when the body is first polled.
    patience: Option<Pin<Box<Sleep>>>,
}

/// Never sent: the response is over when the sender is dropped.
#[derive(Debug)]
pub(crate) enum ResponseOver {}

impl From<Incoming> for Source {
    fn from(from: Incoming) -> Self {
        Self {
            from: Some(Client::Http1(from)),
            gate: Gate::Open,
            bound: None,
            interim: None,
        }
    }
}

impl Source {
    pub(super) fn http2(from: H2Body, interim: Arc<Interim>) -> Self {
        Self {
            from: Some(Client::Http2(from)),
            gate: Gate::Open,
            bound: None,
            interim: Some(interim),
        }
    }

    /// See [`RequestBody::close_gate`](super::RequestBody::close_gate).
    pub(super) fn close_gate(
        &mut self,
    ) -> (oneshot::Sender<Wanted>, oneshot::Sender<ResponseOver>) {
        let (want, wanted) = oneshot::channel();
        let (answering, over) = oneshot::channel();
        self.gate = Gate::Closed(Wait {
            wanted,
            over,
            patience: None,
        });
        (want, answering)
    }

    /// See [`RequestBody::bound`](super::RequestBody::bound).
    pub(super) fn bound(&mut self, most: u64) -> Rc<Cell<bool>> {
        let bound = Bound {
            room: most,
            is_passed: Rc::default(),
        };
        Rc::clone(&self.bound.insert(bound).is_passed)
    }

    /// Ready once the body may be read.
    fn poll_gate(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Gate::Closed(wait) = &mut self.gate {
            let is_wanted = match Pin::new(&mut wait.wanted).poll(cx) {
                Poll::Ready(wanted) => wanted.is_ok(),
                Poll::Pending => {
                    let patience = wait
                        .patience
                        .get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
                    ready!(patience.as_mut().poll(cx));
                    true
                }
            };
            let gate = std::mem::replace(&mut self.gate, Gate::Open);
            match (is_wanted, gate) {
                (false, Gate::Closed(wait)) => {
                    self.gate = Gate::Refused(wait.over);
                    self.from = None;
                }
                _ => {
                    if let Some(interim) = &self.interim {
                        interim.send_continue();
                    }
                }
            }
        }
        if let Gate::Refused(over) = &mut self.gate {
            let Err(_) = ready!(Pin::new(over).poll(cx));
            return Poll::Ready(Err(io::Error::other(
                "the backend did not ask for the body",
            )));
        }
        Poll::Ready(Ok(()))
    }
}

impl Bound {
    fn take(&mut self, bytes: u64) -> io::Result<()> {
        match self.room.checked_sub(bytes) {
            Some(room) => self.room = room,
            None => {
                self.is_passed.set(true);
                return Err(io::Error::other("the body is larger than allowed"));
            }
        }
        Ok(())
    }
}

impl Body for Source {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Err(error) = ready!(self.poll_gate(cx)) {
            return Poll::Ready(Some(Err(error.into())));
        }
        let Self { from, bound, .. } = &mut *self;
        let Some(from) = from else {
            return Poll::Ready(None);
        };
        let polled = match from {
            Client::Http1(from) => {
                let polled = ready!(Pin::new(from).poll_frame(cx));
                polled.transpose().map_err(Self::Error::from)
            }
            Client::Http2(from) => {
                let polled = ready!(from.poll_frame(cx));
                polled.transpose().map_err(Self::Error::from)
            }
        };
        let Some(frame) = polled? else {
            return Poll::Ready(None);
        };
        let frame = trailers::to_backend(frame)?;
        if let (Some(bound), Some(data)) = (bound, frame.data_ref()) {
            bound.take(data.len() as u64)?;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.from {
            Some(Client::Http1(from)) => from.is_end_stream(),
            Some(Client::Http2(from)) => from.is_end_stream(),
            None => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.from {
            Some(Client::Http1(from)) => from.size_hint(),
            Some(Client::Http2(from)) => from.size_hint(),
            None => SizeHint::default(),
        }
    }
}
