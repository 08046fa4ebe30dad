//! The life of a request: find its revision, count it, forward it, relay the response.
//!
//! What must not live here: I/O on connections, to clients or to backends.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response, StatusCode, Version};
use http_body::Body as _;
use reporter_metrics::{ErrorMetrics, ErrorReason, QueueMetrics, RequestMetrics};
use reporter_runtime::ConcurrencyReporter;
use tokio::time::Instant;

use crate::access_log::AccessLog;
use crate::client::Client;
use crate::limits::Limits;
use crate::message::request_body::RequestBody;
use crate::message::target::Target;
use crate::readiness::Readiness;
use crate::revision::name::NamingRules;
use crate::revision::{Revisions, ServedRevision};
use crate::throttle::Slot;
use crate::timeouts::{Deadline, Timeouts};
use crate::tls::BackendTls;
use crate::traces::Traces;
use crate::upstream::backend::Backend;
use crate::upstream::protocol::Protocol;
use crate::upstream::{BackendBody, Failed, Lease, Upstream, UpstreamError};

mod attempts;
mod capacity;
mod held;
mod html;
mod ignored;
mod informational;
mod launched;
mod lookup;
mod outcome;
mod platform_probe;
mod refusal;
mod relay;
mod response_body;
mod rewrite;
mod traced;
mod tunnel;
mod upgrade;
mod validate;
mod waiting;

pub(crate) use response_body::{BodyError, ResponseBody};

use attempts::Attempts;
use capacity::Capacity;
use held::{Accepted, Held, UploadSignals};
use launched::Way;
use outcome::{Observer, Outcome};
use refusal::Refusal;
use relay::Relay;
use upgrade::Offer;

/// Shared by all workers.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) revisions: Arc<Revisions>,
    pub(crate) reporter: ConcurrencyReporter,
    pub(crate) queue: QueueMetrics,
    pub(crate) errors: ErrorMetrics,
    pub(crate) requests: RequestMetrics,
    pub(crate) access_log: AccessLog,
    pub(crate) traces: Traces,
    pub(crate) readiness: Readiness,
    pub(crate) naming: NamingRules,
    pub(crate) backend_tls: Option<Arc<BackendTls>>,
    pub(crate) limits: Limits,
}

/// One worker's proxy.
pub(crate) struct Proxy {
    services: Services,
    upstream: Upstream,
    timeouts: Rc<Timeouts<Box<Relay>>>,
    observer: Rc<Observer>,
}

/// A backend's response, with the connection and the slot that it occupies.
struct BackendResponse {
    response: Response<BackendBody>,
    lease: Lease,
    slot: Slot,
}

impl Proxy {
    /// Spawns a task on the current worker that runs the timeouts.
    pub(crate) fn new(services: Services) -> Self {
        let timeouts = Rc::new(Timeouts::new(Relay::time_out));
        let task = Rc::clone(&timeouts);
        tokio::task::spawn_local(async move { task.run().await });
        let observer = Observer {
            errors: services.errors.clone(),
            requests: services.requests.recorder(),
            draining: services.readiness.draining.clone(),
            access_log: services.access_log.clone(),
            traces: services.traces.clone(),
        };
        Self {
            upstream: Upstream::new(
                services.limits,
                services.backend_tls.clone(),
                services.revisions.recall(),
            ),
            observer: Rc::new(observer),
            services,
            timeouts,
        }
    }

    /// Whether clients should send further requests elsewhere. Touches nothing shared between workers unless a drain
    /// has been announced.
    pub(crate) fn is_leaving(&self) -> bool {
        let draining = &self.observer.draining;
        draining.is_stale() && draining.is_announced()
    }

    /// The process is out of file descriptors: closes idle backend connections.
    pub(crate) fn on_scarcity(&self) {
        self.upstream.on_scarcity();
    }

    /// Maintains the backend connections for as long as it is polled.
    pub(crate) async fn maintain(&self) -> Infallible {
        self.upstream.maintain().await
    }

    /// Handles a request and returns its response, which may be a refusal.
    ///
    /// Dropping the future, or the response body at any point, ends the request: the reporter is notified, and the
    /// connection to the backend is closed.
    pub(crate) async fn serve(
        &self,
        mut request: Box<Request<RequestBody>>,
        client: &Rc<Client>,
    ) -> Response<ResponseBody> {
        let has_body = !request.body().is_end_stream();
        let exchange = client.on_request(request.version(), has_body);
        if let Some(probe) = platform_probe::take(request.headers_mut()) {
            return probe.respond(&self.services.readiness, Held::uncounted(exchange));
        }
        let begin = Instant::now();
        let outcome = {
            let length = || request.body().size_hint().exact();
            Outcome::new(&self.observer, &request, length, client, begin)
        };
        let accepted = Accepted::new(exchange, outcome);
        if let Err(refusal) = validate::check(&request, &self.services.limits) {
            return refusal.into_response(accepted);
        }
        let target = match self.find(&request) {
            Some(target) => target,
            None => match Box::pin(self.find_later(&request, client)).await {
                Ok(target) => target,
                Err(refusal) => return refusal.into_response(accepted),
            },
        };
        let accepted = accepted.belong_to(&target);
        let (asleep, page) = match Way::of(&request, client, &target) {
            Way::Ordinary => (None, None),
            Way::Page(launch) => (None, Some(launch)),
            Way::Ignored(asleep) => (Some(asleep), None),
            Way::Own(refusal) => return refusal.into_response(accepted),
        };
        let counts = asleep.is_none();
        let in_flight = counts.then(|| self.services.reporter.track(&target.key));
        let body = UploadSignals {
            over: informational::relay(&mut request, client),
            is_too_large: self.bound(&mut request),
        };
        let accepted = accepted.counted(in_flight, body);
        if let Some(launch) = page
            && let Some(refusal) = Box::pin(waiting::page(&target, &launch.waiting_page)).await
        {
            return refusal.into_response(accepted);
        }
        let passed = self.pass_on(request, client, begin, (&target, asleep), &accepted);
        match passed.await {
            Ok((
                BackendResponse {
                    response,
                    lease,
                    slot,
                },
                deadline,
            )) => {
                let held = accepted.responded(slot, response.status());
                if upgrade::is_switch(&response) {
                    return match lease.switch() {
                        Some(backend) => {
                            response.map(|_| ResponseBody::switched(backend, held, deadline))
                        }
                        // Only HTTP/1 switches, and it keeps its connection until here.
                        None => response.map(|_| ResponseBody::whole("", held)),
                    };
                }
                let relay = |body| Box::new(Relay::new(body, lease, held));
                response.map(|body| ResponseBody::relayed(relay(body), deadline))
            }
            Err(refusal) => refusal.into_response(accepted),
        }
    }

    /// Counts a request that ended before it could be handled.
    pub(crate) fn count_unserved(
        &self,
        request: &Request<()>,
        client: &Rc<Client>,
        reason: ErrorReason,
    ) {
        let exchange = client.on_request(request.version(), false);
        let outcome = Outcome::new(&self.observer, request, || None, client, Instant::now());
        Accepted::new(exchange, outcome).lost(reason);
    }

    async fn pass_on(
        &self,
        request: Box<Request<RequestBody>>,
        client: &Rc<Client>,
        begin: Instant,
        (target, asleep): (&ServedRevision, Option<StatusCode>),
        accepted: &Accepted,
    ) -> Result<(BackendResponse, Deadline<Box<Relay>>), Refusal> {
        let limits = target.timeouts();
        let deadline = self.timeouts.begin(&limits, begin);
        let interim = request.body().interim().cloned();
        tokio::select! {
            biased;
            response = self.forward(request, client, target, asleep, accepted) => {
                let most = self.services.limits.max_request_body;
                let response = response.map_err(|refusal| match most {
                    Some(most) if accepted.is_too_large() => validate::body_too_large(most),
                    _ => refusal,
                })?;
                deadline.on_start();
                Ok((response, deadline))
            }
            kind = deadline.until_met() => {
                Err(Refusal::new(kind.into(), "activator request timeout"))
            }
            never = informational::note_activity(client, interim, &limits, &deadline) => match never {},
            () = client.late() => {
                let why = "the rest of the request body did not arrive in time";
                Err(Refusal::new(ErrorReason::ClientTimeout, why))
            }
        }
    }

    /// Makes a body of unknown length fail once it exceeds the limit. The returned flag is then set.
    fn bound(&self, request: &mut Request<RequestBody>) -> Option<Rc<Cell<bool>>> {
        let most = self.services.limits.max_request_body?;
        let body = request.body_mut();
        let is_open = body.size_hint().exact().is_none();
        is_open.then(|| body.bound(most))
    }

    /// Waits for capacity, then for the head of the backend's response.
    ///
    /// Cancellation leaves the queue or closes the connection to the backend.
    async fn forward(
        &self,
        mut request: Box<Request<RequestBody>>,
        client: &Rc<Client>,
        target: &ServedRevision,
        asleep: Option<StatusCode>,
        accepted: &Accepted,
    ) -> Result<BackendResponse, Refusal> {
        let trace = accepted.trace();
        let capacity = Capacity::new(target, &self.services.queue, asleep, accepted);
        let mut attempts = Attempts::new(target, capacity).await?;
        let is_http10 = request.version() < Version::HTTP_11;
        let protocol = target.protocol();
        let version = protocol.version(request.version(), &attempts.backend().refusal);
        if version == Version::HTTP_2 && request.extensions().get::<Target>().is_some() {
            let why =
                "this request target cannot be sent over HTTP/2, which this revision requires";
            return Err(Refusal::new(ErrorReason::BadRequest, why));
        }
        // An offer may always be ignored (RFC 9110, 7.8), and HTTP/2 has none.
        let offer = Offer::of(&request).filter(|_| version != Version::HTTP_2);
        if !self.services.naming.trust_knative_headers {
            rewrite::distrust(request.headers_mut());
        }
        let keeps_host = attempts.keeps_host;
        rewrite::to_backend(
            &mut request,
            version,
            &client.address,
            attempts.backend(),
            keeps_host,
        );
        let mut has_refused = false;
        if let Some(offer) = &offer {
            offer.to_backend(request.headers_mut());
        }
        let (mut response, mut lease) = loop {
            traced::on_attempt(trace, attempts.backend(), &mut request);
            let exchange = self.exchange(attempts.backend(), request, offer.as_ref(), client);
            let outcome = exchange.await;
            traced::on_outcome(trace, &outcome);
            match outcome {
                Ok(response) => break response,
                Err(Failed {
                    error: UpstreamError::NoHttp2(_),
                    again: Some(unsent),
                    ..
                }) if protocol == Protocol::Auto => {
                    request = unsent;
                    rewrite::to_http1(&mut request, attempts.backend(), keeps_host);
                    has_refused = true;
                }
                Err(failed) => (attempts, request) = Box::pin(attempts.fail(failed)).await?,
            }
        };
        if has_refused {
            attempts
                .backend()
                .refusal
                .remember(std::time::Instant::now());
        }
        let slot = attempts.succeed();
        client.on_names(lease.take_names());
        if upgrade::is_switch(&response) {
            upgrade::to_client(&mut response);
        } else {
            rewrite::to_client(&mut response);
        }
        if is_http10 && response.body().size_hint().exact().is_none() {
            client.output.ends_with_close();
        }
        Ok(BackendResponse {
            response,
            lease,
            slot,
        })
    }

    async fn exchange(
        &self,
        backend: &Arc<Backend>,
        request: Box<Request<RequestBody>>,
        offer: Option<&Offer>,
        client: &Rc<Client>,
    ) -> Result<(Response<BackendBody>, Lease), Failed> {
        let renew = |copy: &mut Request<RequestBody>| informational::relay_again(copy, client);
        let (response, mut lease) = self.upstream.send(backend, request, renew).await?;
        if offer.is_some() {
            // Even if the backend does not switch now, it may have left HTTP or stopped reading.
            lease.retire();
        }
        let is_covered = |offer: &Offer| offer.covers(response.headers());
        if upgrade::is_switch(&response) && !offer.is_some_and(is_covered) {
            return Err(UpstreamError::Switched(backend.endpoint.place.clone().into()).into());
        }
        let most = self.services.limits.max_headers;
        if response.headers().len() > most {
            return Err(
                UpstreamError::ManyHeaders(backend.endpoint.place.clone().into(), most).into(),
            );
        }
        match rewrite::bad_coding(response.headers()) {
            Some(_) => {
                Err(UpstreamError::TransferCoding(backend.endpoint.place.clone().into()).into())
            }
            None => Ok((response, lease)),
        }
    }
}
