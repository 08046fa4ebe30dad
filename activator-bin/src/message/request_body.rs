//! A request body on its way to a backend. What was read is kept as long as the request may have to be sent again.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::message::h2_body::H2Body;
use crate::message::interim::{Interim, Wanted};

mod source;
#[cfg(test)]
mod tests;

pub(crate) use source::ResponseOver;
use source::Source;

/// The most bytes kept of a body that may have to be sent again.
const MOST_KEPT: usize = 64 * 1024;
/// The overhead of a kept part, in bytes.
const PART: usize = 64;

/// The body of one attempt to send a request.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// `None` if there is nothing to upload.
    shared: Option<Rc<RefCell<Shared>>>,
    turn: Turn,
    /// Where informational responses go, over HTTP/2.
    interim: Option<Arc<Interim>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// For a possible further attempt. Reading from it starts that attempt and ends all others.
    Spare,
    Number(u32),
}

/// Shared by all attempts.
#[derive(Debug)]
struct Shared {
    from: Source,
    /// The attempt that may read.
    turn: u32,
    spares: usize,
    /// Everything read so far, while there are spare bodies.
    kept: Vec<Part>,
    /// The size of the kept parts, overhead included.
    weight: usize,
    /// How many of them the current attempt has returned.
    given: usize,
    /// Whether everything that was read is kept.
    is_whole: bool,
}

/// Why a body fails.
type Failure = Box<dyn Error + Send + Sync>;

#[derive(Debug)]
enum Part {
    Data(Bytes),
    Trailers(Box<HeaderMap>),
}

impl From<Incoming> for RequestBody {
    fn from(from: Incoming) -> Self {
        Self::new((!from.is_end_stream()).then(|| from.into()), None)
    }
}

impl RequestBody {
    fn new(from: Option<Source>, interim: Option<Arc<Interim>>) -> Self {
        let shared = |from| Shared {
            from,
            turn: 0,
            spares: 0,
            kept: Vec::new(),
            weight: 0,
            given: 0,
            is_whole: true,
        };
        Self {
            shared: from.map(|from| Rc::new(RefCell::new(shared(from)))),
            turn: Turn::Number(0),
            interim,
        }
    }

    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self::new(None, None)
    }

    /// A body received over HTTP/2, with the client's informational responses.
    pub(crate) fn http2(from: H2Body, interim: Arc<Interim>) -> Self {
        let has_body = !from.is_end_stream();
        let source = has_body.then(|| Source::http2(from, Arc::clone(&interim)));
        Self::new(source, Some(interim))
    }

    /// Where informational responses go, over HTTP/2.
    pub(crate) fn interim(&self) -> Option<&Arc<Interim>> {
        self.interim.as_ref()
    }

    /// The same body for a further attempt, which ends this one. `None` if its beginning is lost. What is read is
    /// kept until the spare body is dropped, which should be when a response arrives.
    ///
    /// Ask whether it [is whole](Self::is_whole) only when it is needed.
    pub(crate) fn again(&self) -> Option<Self> {
        if let Some(shared) = &self.shared {
            let mut shared = shared.borrow_mut();
            if !shared.is_whole {
                return None;
            }
            shared.spares += 1;
        }
        Some(Self {
            shared: self.shared.clone(),
            turn: Turn::Spare,
            interim: self.interim.clone(),
        })
    }

    /// Whether the whole body can still be sent, including what other attempts have read.
    pub(crate) fn is_whole(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_none_or(|shared| shared.borrow().is_whole)
    }

    /// Holds the body back until [`Wanted`] is sent, or for a while. If the first sender is dropped instead, the body
    /// is never read; it then fails when the second one is dropped, which closes the connection.
    pub(crate) fn close_gate(
        &mut self,
    ) -> (oneshot::Sender<Wanted>, oneshot::Sender<ResponseOver>) {
        match &self.shared {
            Some(shared) => shared.borrow_mut().from.close_gate(),
            None => (oneshot::channel().0, oneshot::channel().0),
        }
    }

    /// Makes the body fail once it exceeds `most` bytes. The returned flag is then set. A failed body never looks
    /// complete.
    pub(crate) fn bound(&mut self, most: u64) -> Rc<Cell<bool>> {
        match &self.shared {
            Some(shared) => shared.borrow_mut().from.bound(most),
            None => Rc::default(),
        }
    }

    /// The kept parts that are still to be returned.
    fn rest<'a>(&self, shared: &'a Shared) -> &'a [Part] {
        let given = match self.turn {
            Turn::Spare => 0,
            Turn::Number(_) => shared.given,
        };
        &shared.kept[given..]
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let (Turn::Spare, Some(shared)) = (self.turn, &self.shared) {
            shared.borrow_mut().on_spare_gone();
        }
    }
}

impl Shared {
    /// The next attempt starts reading.
    fn begin(&mut self) -> Turn {
        self.spares -= 1;
        self.turn += 1;
        self.given = 0;
        Turn::Number(self.turn)
    }

    fn on_spare_gone(&mut self) {
        self.spares -= 1;
        if self.spares == 0 && self.given == self.kept.len() {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.is_whole &= self.kept.is_empty();
        self.kept = Vec::new();
        (self.weight, self.given) = (0, 0);
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Some(part) = self.kept.get(self.given) {
            self.given += 1;
            return Poll::Ready(Some(Ok(part.frame())));
        }
        let polled = ready!(Pin::new(&mut self.from).poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => self.keep(frame),
            Some(Err(_)) => self.is_whole = false,
            None => {}
        }
        Poll::Ready(polled)
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        let part = match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => Part::Data(data.clone()),
            (None, Some(trailers)) => Part::Trailers(Box::new(trailers.clone())),
            (None, None) => return,
        };
        self.weight += part.weight();
        if self.spares == 0 || !self.is_whole || self.weight > MOST_KEPT {
            self.forget();
            self.is_whole = false;
            return;
        }
        self.kept.push(part);
        self.given += 1;
    }
}

impl Part {
    fn frame(&self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data.clone()),
            Self::Trailers(trailers) => Frame::trailers(HeaderMap::clone(trailers)),
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(_) => 0,
        }
    }

    fn weight(&self) -> usize {
        PART + match self {
            Self::Data(data) => data.len(),
            Self::Trailers(trailers) => trailers
                .iter()
                .map(|(name, value)| PART + name.as_str().len() + value.len())
                .sum(),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { shared, turn, .. } = &mut *self;
        let Some(shared) = shared else {
            return Poll::Ready(None);
        };
        let mut shared = shared.borrow_mut();
        if *turn == Turn::Spare {
            if !shared.is_whole {
                return Poll::Ready(Some(Err(
                    io::Error::other("the body has been partly read").into()
                )));
            }
            *turn = shared.begin();
        }
        if *turn != Turn::Number(shared.turn) {
            return Poll::Ready(Some(Err(
                io::Error::other("the body is being sent again").into()
            )));
        }
        shared.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| {
            let shared = shared.borrow();
            self.rest(&shared).is_empty() && shared.from.is_end_stream()
        })
    }

    fn size_hint(&self) -> SizeHint {
        let Some(shared) = &self.shared else {
            return SizeHint::with_exact(0);
        };
        let shared = shared.borrow();
        let rest: usize = self.rest(&shared).iter().map(Part::length).sum();
        let rest = rest as u64;
        let from = shared.from.size_hint();
        let mut hint = SizeHint::default();
        hint.set_lower(from.lower().saturating_add(rest));
        if let Some(upper) = from.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}
