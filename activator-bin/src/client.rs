//! What is known of the client at the other end of a connection, and what that connection is at.

use std::cell::Cell;
use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::{HeaderValue, Version};
use reporter_metrics::Scheme;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use crate::message::head::Names;

mod exchange;
pub(crate) mod idleness;
pub(crate) mod informational;
pub(crate) mod leave;
mod output;

pub(crate) use exchange::Exchange;
pub(crate) use output::Sent;

use exchange::LateUploads;
use idleness::Idleness;
use informational::Informational;
use leave::Leave;
use output::Output;

/// What is ready once a peer has closed its side. tokio counts that as readiness of the interest in
/// priority data, and a socket that is not registered for such data never has any other. Elsewhere
/// than on Linux it is noticed by whoever reads.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOSED: Interest = Interest::PRIORITY.add(Interest::ERROR);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOSED: Interest = Interest::ERROR;

/// Whether it is heard that a client has closed its side while nobody reads.
pub(crate) const HEARS_CLOSE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// One client's connection, as seen by those who serve it, all of them on one thread.
pub(crate) struct Client {
    /// Its address as a header value.
    pub(crate) address: HeaderValue,
    /// Whether it speaks over TLS.
    pub(crate) scheme: Scheme,
    /// Shared with what hyper calls for each that a backend sends, and wants to be `Send`.
    pub(crate) informational: Arc<Informational>,
    pub(crate) input: Input,
    pub(crate) output: Output,
    /// Kept apart from the reading half, which has one owner. None only at the very end.
    socket: Option<OwnedWriteHalf>,
    is_http2: Cell<bool>,
    phase: Cell<Phase>,
    /// What all workers see of it.
    idleness: Arc<Idleness>,
    /// How many of them are being served: more than one only over HTTP/2.
    requests: Cell<u32>,
    given_up: Cell<Option<GivenUp>>,
    late_uploads: LateUploads,
}

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The client has sent nothing yet.
    New,
    /// A part of a request's head has come.
    Head,
    /// Requests are being served.
    Request,
    /// All requests are over and no further one has begun.
    Idle,
}

/// What comes from the client.
#[derive(Default)]
pub(crate) struct Input {
    /// Bytes have come since somebody took this.
    pub(crate) was_heard: Cell<bool>,
    /// A request has, likewise.
    pub(crate) was_used: Cell<bool>,
    /// There are no bytes, and somebody waits for them.
    pub(crate) is_silent: Cell<bool>,
    /// All was read, and the client sends no more.
    pub(crate) is_at_end: Cell<bool>,
    /// The last requests have a body, of which a part may be unread.
    has_body: Cell<bool>,
}

/// Why the connection has to end in the middle of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GivenUp {
    /// The client has not sent or taken any of a body for too long.
    Late,
    /// The response is not to be finished.
    Cut,
}

impl Client {
    pub(crate) fn new(
        address: IpAddr,
        socket: OwnedWriteHalf,
        scheme: Scheme,
        idleness: Arc<Idleness>,
    ) -> Self {
        Self {
            address: HeaderValue::try_from(address.to_canonical().to_string())
                .expect("an address is printed in visible ASCII"),
            scheme,
            informational: Arc::default(),
            input: Input::default(),
            output: Output::default(),
            socket: Some(socket),
            is_http2: Cell::new(false),
            phase: Cell::new(Phase::New),
            idleness,
            requests: Cell::new(0),
            given_up: Cell::new(None),
            late_uploads: LateUploads::default(),
        }
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        let socket = self.socket.as_ref();
        socket.expect("it is there until this is dropped").as_ref()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
        match phase {
            Phase::Idle => self.idleness.begin(),
            _ => self.idleness.end(),
        }
    }

    /// The connection is one of HTTP/2, where bytes between requests are not the head of one.
    pub(crate) fn on_http2(&self) {
        self.is_http2.set(true);
        self.output.sent.set(Sent::All);
        self.set_phase(Phase::Idle);
    }

    /// A response comes whose headers had these names.
    pub(crate) fn on_names(&self, names: Names) {
        if !self.is_http2.get() {
            self.output.names.set(names);
        }
    }

    /// Bytes have come.
    pub(crate) fn on_bytes(&self) {
        self.input.is_silent.set(false);
        self.input.was_heard.set(true);
        if !self.is_http2.get() && matches!(self.phase(), Phase::New | Phase::Idle) {
            self.set_phase(Phase::Head);
        }
    }

    /// It has not sent or taken any of a body for too long. Whoever drives the connection has to be woken.
    pub(crate) fn on_late(&self) {
        self.given_up.set(Some(GivenUp::Late));
    }

    fn is_late(&self) -> bool {
        self.given_up.get() == Some(GivenUp::Late)
    }

    /// Waits until it is too late for the body of the request. Only for the task of the connection.
    pub(crate) async fn late(&self) {
        poll_fn(|_| match self.is_late() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Whether the response under way is not to be finished: the connection has to end.
    pub(crate) fn is_cut(&self) -> bool {
        self.given_up.get() == Some(GivenUp::Cut)
    }

    /// A request's head is complete; its exchange ends when the response drops the mark.
    pub(crate) fn on_request(self: &Rc<Self>, version: Version, has_body: bool) -> Exchange {
        self.output.sent.set(match version {
            Version::HTTP_11 => Sent::Nothing,
            _ => Sent::NothingOld,
        });
        self.set_phase(Phase::Request);
        self.input.was_used.set(true);
        let others = self.requests.get();
        self.requests.set(others + 1);
        let unread = others > 0 && self.input.has_body.get();
        self.input.has_body.set(has_body || unread);
        Exchange::new(self)
    }

    /// Hyper has written all that it held.
    pub(crate) fn on_flush(&self) {
        if self.requests.get() == 0 && !self.is_http2.get() {
            self.output.sent.set(Sent::Quiet);
        }
    }

    /// What has come is no request, and more of it may wait unread.
    pub(crate) fn on_refusal(&self) {
        self.set_phase(Phase::Head);
    }

    /// Whether the connection may end with something unread: a part of its last requests, or frames of
    /// HTTP/2, which come at any time.
    pub(crate) fn may_be_unread(&self) -> bool {
        self.phase() == Phase::Head || self.input.has_body.get() || self.is_http2.get()
    }

    /// Waits until it is asked to leave when it is idle, as the place is needed, or idle for too long.
    ///
    /// Cancel-safe.
    pub(crate) async fn asked_to_leave(&self) {
        self.idleness.asked().await;
    }

    /// Whether it is.
    pub(crate) fn is_asked_to_leave(&self) -> bool {
        self.idleness.is_asked()
    }

    /// Whether it leaves now: only if nothing of a request is there, read or not, and before the first
    /// one only if it is asked to.
    pub(crate) fn leaves(&self, why: Leave) -> bool {
        let is_idle = match self.phase() {
            Phase::New => why == Leave::Asked,
            phase => phase == Phase::Idle,
        };
        let mut byte = [MaybeUninit::uninit()];
        let leaves = is_idle && !matches!(SockRef::from(self.socket()).peek(&mut byte), Ok(1..));
        if leaves {
            self.idleness.end();
        }
        leaves
    }

    /// Waits until the client has closed its side of the connection, whether or not anybody reads.
    ///
    /// That is how a client disconnects, also one that still could read. It is heard
    /// while bytes wait unread too, because a request that waits for its backend reads nothing.
    pub(crate) async fn gone(&self) {
        // An error means that the runtime is shutting down: everybody is gone.
        let _ = self.socket().ready(CLOSED).await;
    }

    /// Waits until the connection is broken, whether or not anybody reads. One that the client has
    /// closed on its side is not.
    pub(crate) async fn broken(&self) {
        let _ = self.socket().ready(Interest::ERROR).await;
    }

    /// The connection has left HTTP: what comes now is not a request, and ends when either side closes.
    pub(crate) fn on_switch(&self) {
        self.input.has_body.set(false);
        self.output.ends_with_close();
    }

    /// The connection ends as it should.
    pub(crate) fn on_complete(&self) {
        self.output.on_complete();
        self.late_uploads.on_complete();
    }
}

/// Closes the connection; so that the client notices when the response under way is not complete.
impl Drop for Client {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        if self.output.is_cut_short() {
            // Without an orderly end. Best effort: the socket is about to be closed anyway.
            let _ = socket.as_ref().set_zero_linger();
        }
        // Dropping the half would say goodbye in an orderly way.
        socket.forget();
    }
}
