//! HTTP/1 connections from clients, on hyper's state machine.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::mem;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1::{Builder, Connection};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reporter_metrics::ErrorMetrics;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::bad_head::BadHead;
use super::end::{End, LAST_HEAD};
use super::half_close::HalfClosed;
use super::http_io::HttpIo;
use super::idle::{self, IdleWatch};
use super::requests::Shared;
use super::timer::Timer;
use crate::client::leave::Leave;
use crate::client::{Client, HEARS_CLOSE, Phase};
use crate::drain::Draining;
use crate::limits::Limits;
use crate::message::request_body::RequestBody;
use crate::proxy::Proxy;

/// What all HTTP/1 connections share.
pub(super) struct Http1 {
    settings: Builder,
    limits: Limits,
    errors: ErrorMetrics,
}

impl Http1 {
    pub(super) fn new(limits: &Limits, errors: ErrorMetrics) -> Self {
        let mut settings = Builder::new();
        settings.max_buf_size(limits.max_header_size);
        settings.max_header_size(limits.max_header_size);
        if let Some(max_headers) = limits.http1_max_headers() {
            settings.max_headers(max_headers);
        }
        // Nothing is read after a request before its response: that would cost a buffer each time.
        settings.half_close(HEARS_CLOSE);
        Self {
            settings,
            limits: *limits,
            errors,
        }
    }
}

/// Serves requests over `wire` until either side closes it. `head` times the first head and may already run.
pub(super) async fn serve<I>(
    mut wire: HttpIo<I>,
    http: &Http1,
    proxy: Rc<Proxy>,
    client: &Rc<Client>,
    mut draining: Draining,
    mut head: Timer,
) -> End
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let tunnel = Rc::new(Cell::new(None));
    let requests = Rc::new(Shared::new(http.limits.max_header_size));
    let mut service = {
        let (proxy, client) = (Rc::clone(&proxy), Rc::clone(client));
        let tunnel = Rc::clone(&tunnel);
        let requests = Rc::clone(&requests);
        service_fn(move |mut request: Request<Incoming>| {
            requests.borrow_mut().on_request(&mut request);
            let (proxy, client) = (Rc::clone(&proxy), Rc::clone(&client));
            let (tunnel, requests) = (Rc::clone(&tunnel), Rc::clone(&requests));
            let request = Box::new(request.map(RequestBody::from));
            async move {
                let mut response = proxy.serve(request, &client).await;
                requests
                    .borrow_mut()
                    .respelling
                    .set_names(client.output.names.take());
                tunnel.set(response.body_mut().take_tunnel());
                let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                if proxy.is_leaving() && !switches {
                    // Hyper closes the connection after this response.
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        })
    };
    let timeout = http.limits.header_timeout;
    wire.begin_http1(Rc::clone(&requests));
    let (end, unread) = loop {
        let connection = http.settings.serve_connection(TokioIo::new(wire), service);
        let mut connection = Box::new(connection);
        let running = run(&mut connection, client, &mut draining, &mut head, http);
        let end = Box::pin(running).await;
        let parts = connection.into_parts();
        wire = parts.io.into_inner();
        if let ControlFlow::Break(end) = end {
            break (end, parts.read_buf);
        }
        service = parts.service;
        client.output.is_resting.set(false);
        wire.put_back(parts.read_buf);
        let moment = idle::until_needed(&mut wire, client, &mut draining).await;
        if moment.is_some_and(|why| client.leaves(why)) {
            break (End::Closed(Ok(())), Bytes::new());
        }
    };
    match (end, tunnel.take()) {
        (End::Closed(Ok(())), Some(tunnel)) => {
            wire.end_http1();
            End::Switched(Box::pin(tunnel.run(wire, unread, client)).await)
        }
        (End::Closed(end), None) if end.as_ref().err().is_none_or(hyper::Error::is_parse) => {
            match (&end, wire.refused()) {
                (Err(error), Some(status)) => {
                    let fault = requests.borrow_mut().fault();
                    let refusal = match fault {
                        Some(fault) => BadHead::of(fault, &http.limits),
                        None => BadHead::unreadable(status, error, &http.limits),
                    };
                    refuse(refusal, wire.stream(), &http.errors, client).await;
                }
                // Hyper does not shut down after an earlier request that offered an upgrade.
                _ => drop(wire.shutdown().await),
            }
            End::Closed(end)
        }
        (End::HeadTimeout, _) if client.output.is_quiet() && client.phase() == Phase::Head => {
            refuse(BadHead::late(timeout), wire.stream(), &http.errors, client).await;
            End::HeadTimeout
        }
        (end, _) => end,
    }
}

/// Sends `refusal` and closes the connection.
pub(super) async fn refuse(
    refusal: BadHead,
    stream: &mut (impl AsyncWrite + Unpin),
    errors: &ErrorMetrics,
    client: &Client,
) {
    errors.count(refusal.reason);
    client.on_refusal();
    refusal.write(stream).await;
    // An orderly shutdown, since a reset may overtake the response.
    let _ = stream.shutdown().await;
}

/// Drives `connection` to its end, or until it is at rest and can be dropped.
async fn run<I, S>(
    connection: &mut Connection<TokioIo<I>, S>,
    client: &Client,
    draining: &mut Draining,
    head: &mut Timer,
    http: &Http1,
) -> ControlFlow<End>
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: hyper::service::HttpService<
            Incoming,
            ResBody = crate::proxy::ResponseBody,
            Error = Infallible,
        >,
{
    let mut connection = Pin::new(connection);
    let mut gone = pin!(client.gone());
    let drain = draining.clone();
    let mut moment = pin!(Leave::moment(client, drain.clone()));
    let mut drain_begun = pin!(draining.begun());
    let mut is_watching = false;
    let mut last_head = Timer::default();
    let mut idle = IdleWatch::default();
    let mut silence = Timer::default();
    let (mut is_draining, mut is_last) = (false, false);
    let mut half_closed = None;
    poll_fn(|cx| {
        if half_closed.is_none() && gone.as_mut().poll(cx).is_ready() {
            half_closed = Some(HalfClosed::new(client));
        }
        if let Some(half_closed) = &mut half_closed
            && half_closed.poll(cx, http.limits.half_close).is_ready()
        {
            return Poll::Ready(ControlFlow::Break(End::ClientGone));
        }
        if client.is_cut() {
            return Poll::Ready(ControlFlow::Break(End::Cut));
        }
        let mut leave = None;
        // Polling once registers the waker.
        let is_watched = mem::replace(&mut is_watching, true);
        if !is_draining && (!is_watched || drain.is_stale() || client.is_asked_to_leave()) {
            is_draining = drain_begun.as_mut().poll(cx).is_ready();
            while let Poll::Ready(why) = moment.as_mut().poll(cx) {
                leave = Some(why);
                moment.set(Leave::moment(client, drain.clone()));
            }
        }
        loop {
            if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                return Poll::Ready(ControlFlow::Break(End::Closed(end)));
            }
            let leaves = is_draining || leave.is_some_and(|why| client.leaves(why));
            if !leaves || is_last {
                break;
            }
            // Hyper would discard a partial head without a response.
            let head_expected = is_draining && matches!(client.phase(), Phase::New | Phase::Head);
            if head_expected && last_head.poll(cx, LAST_HEAD).is_pending() {
                break;
            }
            connection.as_mut().graceful_shutdown();
            is_last = true;
        }
        match client.phase() {
            // What arrives after we closed our side is not a head.
            _ if client.output.is_closed() => Poll::Pending,
            Phase::New | Phase::Head => {
                let late = head.poll(cx, http.limits.header_timeout);
                late.map(|()| ControlFlow::Break(End::HeadTimeout))
            }
            Phase::Request => {
                head.disarm();
                // This is inside a body: after a complete request nothing is read.
                if client.input.is_at_end.get() {
                    return Poll::Ready(ControlFlow::Break(End::ClientGone));
                }
                if client.input.was_heard.take() {
                    silence.restart(http.limits.body_idle_timeout);
                }
                // After a complete request hyper does not read.
                if !HEARS_CLOSE || !client.input.is_silent.get() {
                    return Poll::Pending;
                }
                ready!(silence.poll(cx, http.limits.body_idle_timeout));
                client.on_late();
                if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                    return Poll::Ready(ControlFlow::Break(End::Closed(end)));
                }
                match client.phase() {
                    // The response has begun, and a normal end would make it look complete.
                    Phase::Request => Poll::Ready(ControlFlow::Break(End::Cut)),
                    // The response is a refusal.
                    _ => Poll::Pending,
                }
            }
            Phase::Idle => {
                head.disarm();
                silence.disarm();
                ready!(idle.poll(cx, client));
                // Hyper knows whether the last request was read to its end. If not, the connection ends here, so that
                // the rest is never parsed as a request.
                client.output.is_resting.set(true);
                connection.as_mut().graceful_shutdown();
                let ended = connection.as_mut().poll(cx);
                client.output.is_resting.set(ended.is_ready());
                ended.map(|end| match end {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(End::Closed(end)),
                })
            }
        }
    })
    .await
}
