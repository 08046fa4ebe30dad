//! What is known of the client at the other end of a connection, and what that connection is at.

use std::future::{pending, poll_fn};
use std::mem::{self, MaybeUninit};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;

use http::{HeaderValue, Version};
use parking_lot::Mutex;
use reporter_metrics::Scheme;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::oneshot;

use crate::message::head::Names;

pub(crate) mod idleness;
pub(crate) mod informational;
pub(crate) mod leave;

use idleness::Idleness;
use informational::Informational;
use leave::Leave;

/// What is ready once a peer has closed its side. tokio counts that as readiness of the interest in
/// priority data, and a socket that is not registered for such data never has any other. Elsewhere
/// than on Linux it is noticed by whoever reads.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOSED: Interest = Interest::PRIORITY.add(Interest::ERROR);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOSED: Interest = Interest::ERROR;

/// Whether it is heard that a client has closed its side while nobody reads.
pub(crate) const HEARS_CLOSE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// One client's connection, as seen by those who serve it. All of them are on one thread: the
/// atomics only make it `Send`, no order between them matters.
pub(crate) struct Client {
    /// The names of the headers in the response that is written next, over HTTP/1.
    names: Mutex<Names>,
    /// Its address as a header value.
    pub(crate) address: HeaderValue,
    /// Whether it speaks over TLS.
    pub(crate) scheme: Scheme,
    pub(crate) informational: Informational,
    /// Kept apart from the reading half, which has one owner. None only at the very end.
    socket: Option<OwnedWriteHalf>,
    phase: AtomicU8,
    idleness: Arc<Idleness>,
    /// How many are being served: more than one only over HTTP/2.
    requests: AtomicU32,
    is_http2: AtomicBool,
    may_be_unread: AtomicBool,
    ends_with_close: AtomicBool,
    is_cut: AtomicBool,
    is_quiet: AtomicBool,
    was_used: AtomicBool,
    is_silent: AtomicBool,
    was_heard: AtomicBool,
    is_late: AtomicBool,
    is_closed: AtomicBool,
    is_blocked: AtomicBool,
    is_resting: AtomicBool,
    /// Of the final response to the last request.
    sent: AtomicU8,
    was_written: AtomicBool,
    is_at_end: AtomicBool,
    is_complete: AtomicBool,
    /// Uploads that go on behind their responses. They hear when this is dropped, unless they are told that the
    /// connection has come to its end.
    late_uploads: Mutex<Vec<oneshot::Sender<()>>>,
}

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
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

/// How much of the final response was sent on a connection of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Sent {
    /// Nothing, and informational ones may be sent before it.
    Nothing,
    /// Nothing, to a client that knows no other ones (HTTP/1.0).
    NothingOld,
    Begun,
    All,
}

impl Client {
    pub(crate) fn new(
        address: IpAddr,
        socket: OwnedWriteHalf,
        scheme: Scheme,
        idleness: Arc<Idleness>,
    ) -> Self {
        Self {
            names: Mutex::default(),
            address: HeaderValue::try_from(address.to_canonical().to_string())
                .expect("an address is printed in visible ASCII"),
            scheme,
            informational: Informational::default(),
            socket: Some(socket),
            phase: AtomicU8::new(Phase::New as u8),
            idleness,
            requests: AtomicU32::new(0),
            is_http2: AtomicBool::new(false),
            may_be_unread: AtomicBool::new(false),
            ends_with_close: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            is_quiet: AtomicBool::new(true),
            was_used: AtomicBool::new(false),
            is_silent: AtomicBool::new(false),
            was_heard: AtomicBool::new(false),
            is_late: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            is_resting: AtomicBool::new(false),
            sent: AtomicU8::new(Sent::All as u8),
            was_written: AtomicBool::new(false),
            is_at_end: AtomicBool::new(false),
            is_complete: AtomicBool::new(false),
            late_uploads: Mutex::default(),
        }
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        let socket = self.socket.as_ref();
        socket.expect("it is there until this is dropped").as_ref()
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::New,
            1 => Phase::Head,
            2 => Phase::Request,
            _ => Phase::Idle,
        }
    }

    fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        match phase {
            Phase::Idle => self.idleness.begin(),
            _ => self.idleness.end(),
        }
    }

    /// The connection is one of HTTP/2, where bytes between requests are not the head of one.
    pub(crate) fn on_http2(&self) {
        self.is_http2.store(true, Ordering::Relaxed);
        self.is_quiet.store(false, Ordering::Relaxed);
        self.set_phase(Phase::Idle);
    }

    /// A response comes whose headers had these names.
    pub(crate) fn on_names(&self, names: Names) {
        if !self.is_http2.load(Ordering::Relaxed) {
            *self.names.lock() = names;
        }
    }

    /// The names of the headers in the response, unless it is one of our own.
    pub(crate) fn take_names(&self) -> Names {
        mem::take(&mut self.names.lock())
    }

    /// Bytes have come.
    pub(crate) fn on_bytes(&self) {
        self.is_silent.store(false, Ordering::Relaxed);
        self.was_heard.store(true, Ordering::Relaxed);
        if self.is_http2.load(Ordering::Relaxed) {
            return;
        }
        if matches!(self.phase(), Phase::New | Phase::Idle) {
            self.set_phase(Phase::Head);
        }
    }

    /// There are no bytes, and somebody waits for them.
    pub(crate) fn on_silence(&self) {
        self.is_silent.store(true, Ordering::Relaxed);
    }

    /// Whether somebody waits for bytes.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::Relaxed)
    }

    /// Whether bytes have come since the last call.
    pub(crate) fn take_heard(&self) -> bool {
        self.was_heard.swap(false, Ordering::Relaxed)
    }

    /// It has not sent or taken any of a body for too long. Whoever drives the connection has to be woken.
    pub(crate) fn on_late(&self) {
        self.is_late.store(true, Ordering::Relaxed);
    }

    /// Waits until it is too late for the body of the request. Only for the task of the connection.
    pub(crate) async fn late(&self) {
        poll_fn(|_| match self.is_late.load(Ordering::Relaxed) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// A request's head is complete; its exchange ends when the answer drops the mark.
    pub(crate) fn on_request(self: &Arc<Self>, version: Version, has_body: bool) -> Exchange {
        self.set_sent(match version {
            Version::HTTP_11 => Sent::Nothing,
            _ => Sent::NothingOld,
        });
        self.set_phase(Phase::Request);
        self.is_quiet.store(false, Ordering::Relaxed);
        self.was_used.store(true, Ordering::Relaxed);
        let others = self.requests.fetch_add(1, Ordering::Relaxed);
        let unread = others > 0 && self.may_be_unread.load(Ordering::Relaxed);
        self.may_be_unread
            .store(has_body || unread, Ordering::Relaxed);
        Exchange {
            client: Arc::downgrade(self),
        }
    }

    /// The final response comes next.
    pub(crate) fn on_response(&self) {
        self.informational.end();
        self.set_sent(Sent::Begun);
    }

    fn set_sent(&self, sent: Sent) {
        self.sent.store(sent as u8, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self) -> Sent {
        match self.sent.load(Ordering::Relaxed) {
            0 => Sent::Nothing,
            1 => Sent::NothingOld,
            2 => Sent::Begun,
            _ => Sent::All,
        }
    }

    /// The client has taken bytes.
    pub(crate) fn on_written(&self) {
        self.was_written.store(true, Ordering::Relaxed);
    }

    /// Whether it has since the last call.
    pub(crate) fn take_written(&self) -> bool {
        self.was_written.swap(false, Ordering::Relaxed)
    }

    /// All that the client has sent was read, and it sends no more.
    pub(crate) fn on_end(&self) {
        self.is_at_end.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.is_at_end.load(Ordering::Relaxed)
    }

    /// Hyper has written all that it held.
    pub(crate) fn on_flush(&self) {
        let is_over = self.requests.load(Ordering::Relaxed) == 0;
        if is_over && !self.is_http2.load(Ordering::Relaxed) {
            self.is_quiet.store(true, Ordering::Relaxed);
        }
    }

    /// Whether every answer of a connection of HTTP/1 is written and no request is under way: what hyper
    /// writes all the same is a refusal of its own.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet.load(Ordering::Relaxed)
    }

    /// Whether a request has come since the last call.
    pub(crate) fn take_use(&self) -> bool {
        self.was_used.swap(false, Ordering::Relaxed)
    }

    /// What has come is no request, and more of it may wait unread.
    pub(crate) fn on_refusal(&self) {
        self.set_phase(Phase::Head);
    }

    /// Whether the connection may end with something unread: a part of its last requests, or frames of
    /// HTTP/2, which come at any time.
    pub(crate) fn may_be_unread(&self) -> bool {
        self.phase() == Phase::Head
            || self.may_be_unread.load(Ordering::Relaxed)
            || self.is_http2.load(Ordering::Relaxed)
    }

    /// Whether what is written waits for the client to read.
    pub(crate) fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    /// Whether something waits for the client to read.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed)
    }

    /// Our side is closed; what still comes is thrown away.
    pub(crate) fn on_close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Whether our side is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Whether hyper is to end only its own part.
    pub(crate) fn set_resting(&self, is_resting: bool) {
        self.is_resting.store(is_resting, Ordering::Relaxed);
    }

    pub(crate) fn is_resting(&self) -> bool {
        self.is_resting.load(Ordering::Relaxed)
    }

    /// The end of the answer under way can only be told by closing the connection.
    pub(crate) fn answer_ends_with_close(&self) {
        self.ends_with_close.store(true, Ordering::Relaxed);
    }

    /// Whether the answer under way is not to be finished: the connection has to end.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
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
    /// That is how a client goes away, also one that still could read. It is heard
    /// while bytes wait unread too, because a request that waits for its backend reads nothing.
    pub(crate) async fn gone(&self) {
        // An error means that the runtime is shutting down: everybody is gone.
        let _ = self.socket().ready(CLOSED).await;
    }

    /// The connection has left HTTP: what comes now is not a request, and ends when either side closes.
    pub(crate) fn on_switch(&self) {
        self.may_be_unread.store(false, Ordering::Relaxed);
        self.answer_ends_with_close();
    }

    /// Waits until the connection is broken, whether or not anybody reads. One that the client has
    /// closed on its side is not.
    pub(crate) async fn broken(&self) {
        let _ = self.socket().ready(Interest::ERROR).await;
    }

    /// The connection ends as it should.
    pub(crate) fn on_complete(&self) {
        self.is_complete.store(true, Ordering::Relaxed);
        for upload in self.late_uploads.lock().drain(..) {
            let _ = upload.send(());
        }
    }
}

/// Closes the connection; so that the client notices when the answer under way is not complete.
impl Drop for Client {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        if !*self.is_complete.get_mut() && *self.ends_with_close.get_mut() {
            // Without an orderly end. Best effort: the socket is about to be closed anyway.
            let _ = socket.as_ref().set_zero_linger();
        }
        // Dropping the half would say goodbye in an orderly way.
        socket.forget();
    }
}

/// While it lives, its request is being served. The client may have gone meanwhile.
pub(crate) struct Exchange {
    client: Weak<Client>,
}

impl Exchange {
    /// The answer is not to be finished, although the client may still read it. Whoever drives the connection has
    /// to be woken. Over HTTP/2 the stream sees to it.
    pub(crate) fn cut(&self) {
        if let Some(client) = self.client.upgrade() {
            let is_http2 = client.is_http2.load(Ordering::Relaxed);
            client.is_cut.store(!is_http2, Ordering::Relaxed);
        }
    }

    /// Whether the client has kept the body of the request or the answer waiting for too long.
    pub(crate) fn is_late(&self) -> bool {
        let client = self.client.upgrade();
        client.is_some_and(|client| client.is_late.load(Ordering::Relaxed))
    }

    /// The response is complete, the request is not. The future is ready when the client's connection breaks off.
    pub(crate) fn on_response_end(&self) -> impl Future<Output = ()> + use<> {
        let (broken, hear) = oneshot::channel();
        if let Some(client) = self.client.upgrade() {
            client.set_sent(Sent::All);
            let mut late_uploads = client.late_uploads.lock();
            late_uploads.retain(|upload| !upload.is_closed());
            late_uploads.push(broken);
        }
        async {
            if hear.await.is_ok() {
                pending::<()>().await;
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(client) = self.client.upgrade()
            && client.requests.fetch_sub(1, Ordering::Relaxed) == 1
        {
            client.set_phase(Phase::Idle);
        }
    }
}
