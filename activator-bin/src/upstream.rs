//! A request's way to its backend and the answer's way back, up to where the answer's body begins.
//!
//! What must not live here: which backend it is, and what a proxy changes in a message.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Version};
use http_body::Body as _;
use hyper::client::conn::http1;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::limits::Limits;
use crate::message::head::Names;
use crate::message::request_body::RequestBody;
use crate::message::target::Target;
use crate::throttle::Complaint;
use crate::tls::BackendTls;
use crate::upstream::backend::Backend;

pub(crate) mod backend;
mod connect;
mod error;
mod http2;
mod line;
mod pool;
pub(crate) mod protocol;
mod recall;
mod request_line;
mod response_body;
mod wire;
mod written;

use http2::Http2;
use pool::Pool;
use recall::Call;

pub(crate) use error::{Failed, UpstreamError};
pub(crate) use recall::Recall;
pub(crate) use response_body::{BackendBody, ReceiveError};

/// How long a new connection to a backend that serves few at once may be silent before idle ones are closed for it.
/// One for which that was in vain so often may be slow rather than busy with them.
fn starving(in_vain: u32) -> Duration {
    Duration::from_millis(50) * (1 << in_vain.min(4))
}

/// A response that comes so soon after that has waited for it.
const RELIEVED: Duration = Duration::from_millis(20);

/// One worker's connections to the backends.
pub(crate) struct Upstream {
    http: http1::Builder,
    pool: Rc<Pool>,
    http2: Http2,
    tls: Option<Arc<BackendTls>>,
    limits: Limits,
    recall: Recall,
    /// How many idle connections are kept.
    most_idle: usize,
}

/// A connection without TLS, once it has left HTTP.
pub(crate) type Plain = wire::Wire<line::Line<TcpStream>>;

/// What a request holds of a connection. Dropping it before the answer is complete ends the request,
/// so that the backend notices.
pub(crate) enum Lease {
    /// All of it.
    Http1(pool::Checkout),
    /// One of its streams.
    Http2(http2::Stream),
}

impl Lease {
    /// Makes an HTTP/1 connection available to further requests, once the answer is complete and the request is sent.
    pub(crate) fn give_back(&mut self) {
        if let Self::Http1(lease) = self {
            lease.give_back();
        }
    }

    /// No further request is to be sent on an HTTP/1 connection.
    pub(crate) fn retire(&mut self) {
        if let Self::Http1(lease) = self {
            lease.retire();
        }
    }

    /// The names of the headers in the response as they came.
    pub(crate) fn names(&self) -> Names {
        match self {
            Self::Http1(lease) => lease.names(),
            Self::Http2(_) => Names::default(),
        }
    }

    /// Whether the rest of the request is on its way, behind a complete response.
    pub(crate) fn is_uploading(&self) -> bool {
        match self {
            Self::Http1(lease) => lease.is_uploading(),
            Self::Http2(stream) => stream.is_uploading(),
        }
    }

    /// Ready when the rest of the request was sent, behind a complete response, or cannot be.
    pub(crate) fn poll_uploaded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Http1(lease) => lease.poll_uploaded(cx),
            Self::Http2(stream) => stream.poll_uploaded(cx),
        }
    }
}

impl Upstream {
    /// One of the workers that hear of `recall`.
    pub(crate) fn new(limits: Limits, tls: Option<Arc<BackendTls>>, recall: &Recall) -> Self {
        let most_idle = recall.share(limits.max_backend_idle_connections);
        let mut http = http1::Builder::new();
        http.max_buf_size(limits.max_header_size);
        if let Some(most) = limits.http1_max_headers() {
            http.max_headers(most);
        }
        Self {
            http,
            pool: Rc::new(Pool::new(&limits, most_idle)),
            http2: Http2::new(limits, tls.clone(), recall.clone()),
            tls,
            limits,
            recall: recall.clone(),
            most_idle,
        }
    }

    /// Sends `request` to `backend` in the protocol of its version and waits for the head of the answer.
    ///
    /// A connection of the pool may turn out to have been closed while it was idle. The request is then
    /// sent on a new one, as long as no byte of a response has come and either nothing of the request
    /// was sent or it does no harm to send it twice.
    ///
    /// `renew` is to give a request that is sent again the extensions that it had.
    ///
    /// # Errors
    /// With the request, as it came, when it may be sent to another backend.
    ///
    /// Cancellation closes the connection, or the request's part of it, so the backend notices.
    pub(crate) async fn send(
        &self,
        backend: &Arc<Backend>,
        mut request: Box<Request<RequestBody>>,
        renew: impl Fn(&mut Request<RequestBody>),
    ) -> Result<(Response<BackendBody>, Lease), Failed> {
        let endpoint = &backend.endpoint;
        if request.version() == Version::HTTP_2 {
            // On the heap: one of HTTP/1 would have room for it, too.
            let (response, stream) = Box::pin(self.http2.send(backend, request)).await?;
            return Ok((response, Lease::Http2(stream)));
        }
        // One that `http::Uri` does not hold is the first on its connection.
        if request.extensions().get::<Target>().is_none()
            && let Some(connection) = self.pool.take(endpoint)
        {
            match exchange(self.lease(backend, connection), request, Some(&renew)).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => request = failed.on_used_connection()?,
            }
        }
        // On the heap: every request would have room for it, and few need it.
        Box::pin(self.send_on_new(backend, request)).await
    }

    async fn send_on_new(
        &self,
        backend: &Arc<Backend>,
        request: Box<Request<RequestBody>>,
    ) -> Result<(Response<BackendBody>, Lease), Failed> {
        let target = request.extensions().get::<Target>().cloned();
        let connecting = connect::connect(
            &self.http,
            &backend.endpoint,
            self.tls.as_deref(),
            self.limits,
            &self.recall,
            target,
        );
        let connection = match connecting.await {
            Ok(connection) => connection,
            Err(error) => {
                let mut failed = Failed::from(error);
                failed.again = failed.complaint.is_some().then_some(request);
                return Err(failed);
            }
        };
        let exchange = exchange(self.lease(backend, connection), request, None);
        match backend.serves_few() {
            true => self.without_idle_ones(backend, exchange).await,
            false => exchange.await,
        }
    }

    /// Has all workers close their idle connections to `backend` when `exchange` takes a while.
    ///
    /// There are backends that serve one connection after the other: such a one does not look at ours
    /// before the others are closed. Once it has shown itself as one, none is kept.
    async fn without_idle_ones<T, E>(
        &self,
        backend: &Backend,
        exchange: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut exchange = pin!(exchange);
        let in_vain = backend.closed_in_vain().load(Ordering::Relaxed);
        if let Ok(answered) = timeout(starving(in_vain), &mut exchange).await {
            return answered;
        }
        let _starving = backend.starve();
        self.recall.on_unkept();
        match timeout(RELIEVED, &mut exchange).await {
            Ok(answered) => {
                if answered.is_ok() {
                    backend.keep_none();
                }
                answered
            }
            Err(_) => {
                backend.closed_in_vain().fetch_add(1, Ordering::Relaxed);
                exchange.await
            }
        }
    }

    fn lease(&self, backend: &Arc<Backend>, connection: pool::Connection) -> pool::Checkout {
        pool::Checkout::new(Rc::clone(&self.pool), Arc::clone(backend), connection)
    }

    /// Closes what has been idle for too long, and what others need the room of.
    pub(crate) async fn keep_up(&self) -> Infallible {
        let mut sweep = interval(Pool::SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut recalled = self.recall.listen();
        loop {
            tokio::select! {
                biased;
                _ = sweep.tick() => self.sweep(),
                call = recalled.next() => self.close(call),
            }
        }
    }

    /// There is no descriptor left: idle connections of all workers make room.
    pub(crate) fn on_scarcity(&self) {
        self.recall.on_scarcity();
    }

    /// Closes what has been idle for too long.
    fn sweep(&self) {
        self.pool.sweep();
        let room = self.most_idle.saturating_sub(self.pool.len());
        self.http2.sweep(room);
    }

    /// Closes the idle connections that are called for.
    fn close(&self, call: Call) {
        if call.unkept {
            self.pool.close_unkept();
            self.http2.close_unkept();
        }
        if call.scarcity {
            self.pool.close_oldest(self.pool.len().div_ceil(4));
            self.http2.close_idle();
        }
    }
}

/// Gives a request that is sent again the extensions that it had.
type Renew<'a> = dyn Fn(&mut Request<RequestBody>) + 'a;

/// Sends `request` on one connection and waits for the head of the response. A used one may be closed just then, so
/// that it has to be cheap to have the request again, which `renew` gives its extensions then.
async fn exchange(
    mut lease: pool::Checkout,
    request: Box<Request<RequestBody>>,
    renew: Option<&Renew<'_>>,
) -> Result<(Response<BackendBody>, Lease), Failed> {
    let spare = match request.method().is_idempotent() {
        true if renew.is_some() && request.body().is_end_stream() => {
            request.body().again().map_or(Spare::None, Spare::Recorded)
        }
        true => copy(&request).map_or(Spare::None, Spare::Whole),
        false => Spare::None,
    };
    let is_recorded = matches!(spare, Spare::Recorded(_));
    let mut failed = match lease.send(*request, is_recorded).await {
        Ok(response) => return Ok((response.map(BackendBody::Http1), Lease::Http1(lease))),
        Err(failed) => failed,
    };
    let unsent = failed.take_message().map(Box::new);
    let error = UpstreamError::exchange(lease.address(), failed.into_error());
    let is_unheard = matches!(error, UpstreamError::Lost { .. }) && !lease.has_answer();
    let mut failed = Failed::from(error);
    if is_unheard {
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
    if unsent.is_some() {
        failed.again = unsent;
    }
    Err(failed)
}

/// What there is of a request that it does no harm to send twice (RFC 9110, 9.2.2).
enum Spare {
    None,
    /// The connection records its head. A copy would be a good part of what a request costs.
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

#[cfg(test)]
mod tests;
