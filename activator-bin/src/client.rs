//! State of one client connection: peer address, scheme, and current phase.

use std::cell::Cell;
use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
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

/// The interest that becomes ready once a peer has closed its side. tokio reports that as readiness for priority data;
/// sockets are not registered for such data, so nothing else makes them ready for it. Elsewhere only reading notices it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOSED: Interest = Interest::PRIORITY.add(Interest::ERROR);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOSED: Interest = Interest::ERROR;

/// Whether it is noticed without reading that a client has closed its side.
pub(crate) const HEARS_CLOSE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// The state of one client connection, used on one thread.
pub(crate) struct Client {
    /// Its address as a header value.
    pub(crate) address: HeaderValue,
    port: u16,
    /// Whether it uses TLS.
    pub(crate) scheme: Scheme,
    /// Shared with hyper's callback for informational responses of backends, which must be `Send`.
    pub(crate) informational: Arc<Informational>,
    pub(crate) input: Input,
    pub(crate) output: Output,
    /// Separate from the reading half, which has one owner. `None` only while dropping.
    socket: Option<OwnedWriteHalf>,
    is_http2: Cell<bool>,
    phase: Cell<Phase>,
    /// The state visible to all workers.
    idleness: Arc<Idleness>,
    /// How many requests are being served: more than one only over HTTP/2.
    requests: Cell<u32>,
    given_up: Cell<Option<GivenUp>>,
    late_uploads: LateUploads,
}

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The client has sent nothing yet.
    New,
    /// A part of a request's head has arrived.
    Head,
    /// Requests are being served.
    Request,
    /// All requests have ended and no other has begun.
    Idle,
}

/// The state of a client's input.
#[derive(Default)]
pub(crate) struct Input {
    /// Bytes have arrived since this was last taken.
    pub(crate) was_heard: Cell<bool>,
    /// A request has arrived since this was last taken.
    pub(crate) was_used: Cell<bool>,
    /// A read is waiting for bytes.
    pub(crate) is_silent: Cell<bool>,
    /// The end of input was read.
    pub(crate) is_at_end: Cell<bool>,
    /// The last requests have a body, part of which may be unread.
    has_body: Cell<bool>,
}

/// Why the connection has to end in the middle of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GivenUp {
    /// The client has stalled for too long in a body of either direction.
    Late,
    /// The response was cut short.
    Cut,
}

impl Client {
    pub(crate) fn new(
        peer: SocketAddr,
        socket: OwnedWriteHalf,
        scheme: Scheme,
        idleness: Arc<Idleness>,
    ) -> Self {
        Self {
            address: HeaderValue::try_from(peer.ip().to_canonical().to_string())
                .expect("an address is printed in visible ASCII"),
            port: peer.port(),
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
        socket.expect("only drop takes it").as_ref()
    }

    /// Its address and port, as in a URL.
    pub(crate) fn remote_address(&self) -> String {
        let address = self.address.to_str().unwrap_or_default();
        match address.contains(':') {
            true => format!("[{address}]:{}", self.port),
            false => format!("{address}:{}", self.port),
        }
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

    /// The connection uses HTTP/2, where bytes between requests are not a head.
    pub(crate) fn on_http2(&self) {
        self.is_http2.set(true);
        self.output.sent.set(Sent::All);
        self.set_phase(Phase::Idle);
    }

    /// The next response's header names, in their original case.
    pub(crate) fn on_names(&self, names: Names) {
        if !self.is_http2.get() {
            self.output.names.set(names);
        }
    }

    /// Bytes have arrived.
    pub(crate) fn on_bytes(&self) {
        self.input.is_silent.set(false);
        self.input.was_heard.set(true);
        if !self.is_http2.get() && matches!(self.phase(), Phase::New | Phase::Idle) {
            self.set_phase(Phase::Head);
        }
    }

    /// The client has stalled for too long in a body. The caller must wake the connection's task.
    pub(crate) fn on_late(&self) {
        self.given_up.set(Some(GivenUp::Late));
    }

    fn is_late(&self) -> bool {
        self.given_up.get() == Some(GivenUp::Late)
    }

    /// Waits until the client has stalled for too long. Only for the connection's task.
    pub(crate) async fn late(&self) {
        poll_fn(|_| {
            if self.is_late() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Whether the response was cut short, so that the connection must end.
    pub(crate) fn is_cut(&self) -> bool {
        self.given_up.get() == Some(GivenUp::Cut)
    }

    /// A request's head is complete. The exchange ends when the returned guard is dropped.
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

    /// Hyper has written everything it had buffered.
    pub(crate) fn on_flush(&self) {
        if self.requests.get() == 0 && !self.is_http2.get() {
            self.output.sent.set(Sent::Quiet);
        }
    }

    /// The input is not a request, and more of it may be unread.
    pub(crate) fn on_refusal(&self) {
        self.set_phase(Phase::Head);
    }

    /// Whether there may be unread input: a part of the last requests, or HTTP/2 frames, which arrive at any time.
    pub(crate) fn may_be_unread(&self) -> bool {
        self.phase() == Phase::Head || self.input.has_body.get() || self.is_http2.get()
    }

    /// Waits until the connection is asked to close if it is idle, to make room or after being idle for too long.
    ///
    /// Cancel-safe.
    pub(crate) async fn asked_to_leave(&self) {
        self.idleness.asked().await;
    }

    /// Whether it is asked to close.
    pub(crate) fn is_asked_to_leave(&self) -> bool {
        self.idleness.is_asked()
    }

    /// Whether the connection closes now: only if no part of a request has arrived, read or not, and before the first
    /// request only if it was asked.
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

    /// Waits until the client has closed its side of the connection, even if nothing reads.
    ///
    /// This is how a client disconnects, though it may still read. It is noticed even while bytes are unread, because
    /// a request that waits for its backend does not read.
    pub(crate) async fn gone(&self) {
        // An error means that the runtime is shutting down.
        let _ = self.socket().ready(CLOSED).await;
    }

    /// Waits until the connection is broken, even if nothing reads. One whose client has only closed its side is not.
    pub(crate) async fn broken(&self) {
        let _ = self.socket().ready(Interest::ERROR).await;
    }

    /// The connection was upgraded: from now on it carries no requests, and ends when either side closes.
    pub(crate) fn on_switch(&self) {
        self.input.has_body.set(false);
        self.output.ends_with_close();
    }

    /// The connection ends in an orderly way.
    pub(crate) fn on_complete(&self) {
        self.output.on_complete();
        self.late_uploads.on_complete();
    }
}

/// Closes the connection, with a reset if the client could otherwise take an incomplete response for complete.
impl Drop for Client {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        if self.output.is_cut_short() {
            // Makes closing a reset. Best effort: the socket is about to be closed anyway.
            let _ = socket.as_ref().set_zero_linger();
        }
        // Dropping the half would shut down in an orderly way.
        socket.forget();
    }
}
