//! The time of requests over HTTP/2, with TLS and without: each is alone in what happens to it.

use std::future::poll_fn;
use std::time::Instant;

use activator_bin::testing::{Activator, Limits, TimeoutLimits};
use h2::Reason;

use super::{LONG, idle, response_start, total};
use crate::support::activator::{Ask, change, config, start_with};
use crate::support::http2::{Exchange, Http2Backend, Http2Client, patiently, read, request};
use crate::support::https::Files;
use crate::support::metrics::until_counted;

/// A client of an activator, and the backend that it has.
struct Scene {
    activator: Activator,
    client: Http2Client,
    backend: Http2Backend,
}

impl Scene {
    async fn new(timeouts: TimeoutLimits, is_private: bool) -> Self {
        Self::with(timeouts, Limits::default(), is_private).await
    }

    async fn with(timeouts: TimeoutLimits, limits: Limits, is_private: bool) -> Self {
        let (backend, files) = (Http2Backend::bind().await, Files::new());
        let mut config = files.listen(config(&[backend.address]));
        config.revisions[0].timeouts = timeouts;
        config.limits = limits;
        let activator = start_with(config);
        let client = match is_private {
            true => files.connect_http2(&activator).await,
            false => Http2Client::connect(&activator).await,
        };
        Self {
            activator,
            client,
            backend,
        }
    }

    /// Another request of the same connection, which has no limits, is served.
    async fn check_others(&mut self) {
        change(&self.activator, |config| {
            config.timeouts = TimeoutLimits::default();
        });
        let (response, _) = self.client.send(request("GET", "/other"), true).await;
        self.backend.request().await.finish("ok");
        let mut response = patiently(response).await.unwrap();
        assert_eq!(read(response.body_mut()).await.0, "ok");
    }
}

/// The backend has been told that nobody waits any more.
async fn check_reset(exchange: &mut Exchange) {
    let reset = patiently(poll_fn(|cx| exchange.respond.poll_reset(cx))).await;
    assert_eq!(reset.unwrap(), Reason::CANCEL);
}

async fn check_unanswered(timeouts: TimeoutLimits, reason: &str, is_private: bool) {
    let mut scene = Scene::new(timeouts, is_private).await;
    let begin = Instant::now();
    let (response, _) = scene.client.send(request("GET", "/"), true).await;
    let mut exchange = scene.backend.request().await;
    let mut response = patiently(response).await.unwrap();
    assert!(begin.elapsed() >= LONG);
    assert_eq!(response.status(), 504);
    let (text, end) = read(response.body_mut()).await;
    assert_eq!(
        (&*text, end.unwrap()),
        ("activator request timeout\n", None)
    );
    check_reset(&mut exchange).await;
    scene.check_others().await;
    scene.activator.until_in_flight(0).await;
    until_counted(&scene.activator, reason, 1).await;
}

#[tokio::test]
async fn slow_backend_times_out_with_504() {
    for is_private in [false, true] {
        tokio::join!(
            check_unanswered(total(LONG), "timeout", is_private),
            check_unanswered(response_start(LONG), "response_start_timeout", is_private),
            check_unanswered(idle(LONG), "idle_timeout", is_private),
        );
    }
}

async fn check_cut(timeouts: TimeoutLimits, reason: &str, is_private: bool) {
    let mut scene = Scene::new(timeouts, is_private).await;
    let (response, _) = scene.client.send(request("GET", "/"), true).await;
    let mut exchange = scene.backend.request().await;
    let mut sender = exchange.answer(200);
    let mut response = patiently(response).await.unwrap();
    // Longer than an idle answer may take, and not silent.
    let begin = Instant::now();
    while timeouts.idle.is_some() && begin.elapsed() < LONG + LONG / 4 {
        sender.send_data("a".into(), false).unwrap();
        let some = patiently(response.body_mut().data()).await;
        assert_eq!(some.unwrap().unwrap(), "a");
        tokio::time::sleep(LONG / 10).await;
    }
    sender.send_data("abc".into(), false).unwrap();
    let (text, end) = read(response.body_mut()).await;
    assert_eq!(text, "abc");
    assert!(end.unwrap_err().is_reset());
    let reset = patiently(poll_fn(|cx| sender.poll_reset(cx))).await;
    assert_eq!(reset.unwrap(), Reason::CANCEL);
    scene.check_others().await;
    scene.activator.until_in_flight(0).await;
    until_counted(&scene.activator, reason, 1).await;
}

#[tokio::test]
async fn timed_out_response_is_reset() {
    for is_private in [false, true] {
        tokio::join!(
            check_cut(total(LONG), "timeout", is_private),
            check_cut(idle(LONG), "idle_timeout", is_private),
        );
    }
}

async fn check_untaken(timeouts: TimeoutLimits, limits: Limits, reason: &str) {
    let mut scene = Scene::with(timeouts, limits, false).await;
    let (response, _) = scene.client.send(request("GET", "/"), true).await;
    let mut exchange = scene.backend.request().await;
    let mut sender = exchange.answer(200);
    // More than the client has room for.
    sender.send_data(vec![b'x'; 100_000].into(), false).unwrap();
    let mut response = patiently(response).await.unwrap();
    let mut taken = 0;
    let end = loop {
        // No room is given back.
        match patiently(response.body_mut().data()).await.unwrap() {
            Ok(data) => taken += data.len(),
            Err(end) => break end,
        }
    };
    assert_eq!((taken, end.reason()), (65_535, Some(Reason::CANCEL)));
    let reset = patiently(poll_fn(|cx| sender.poll_reset(cx))).await;
    assert_eq!(reset.unwrap(), Reason::CANCEL);
    drop(response);
    scene.check_others().await;
    scene.activator.until_in_flight(0).await;
    until_counted(&scene.activator, reason, 1).await;
}

#[tokio::test]
async fn unread_response_is_reset() {
    let limits = Limits {
        body_idle_timeout: LONG,
        ..Limits::default()
    };
    tokio::join!(
        check_untaken(total(LONG), Limits::default(), "timeout"),
        check_untaken(TimeoutLimits::default(), limits, "client_timeout"),
    );
}
