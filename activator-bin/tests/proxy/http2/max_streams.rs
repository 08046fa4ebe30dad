//! How many requests a backend takes per connection, and how many connections that makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use activator_bin::testing::{Activator, Config, Limits};
use h2::Reason;
use tokio::sync::watch;

use crate::support::activator::{Ask, config, start_with, until};
use crate::support::frame::{DATA, END_HEADERS, HEADERS, RST_STREAM};
use crate::support::http2::{Http2Client, patiently, read, request};
use crate::support::http2_frames::{Raw, RawBackend};

/// One worker, which shows all connections that one has.
fn start(backend: &RawBackend, limits: Limits) -> Activator {
    start_with(Config {
        workers: 1,
        limits,
        ..config(&[backend.address])
    })
}

/// The connections that a backend has, and the most that it had.
#[derive(Clone, Default)]
struct Count(Arc<(AtomicUsize, AtomicUsize)>);

impl Count {
    fn add(&self) {
        let now = self.0.0.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.1.fetch_max(now, Ordering::Relaxed);
    }

    fn remove(&self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn now(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// Has `serve` serve every connection, to which so many requests are allowed.
fn serve<F>(
    backend: RawBackend,
    most: u32,
    serve: impl Fn(Raw) -> F + Send + Sync + 'static,
) -> Count
where
    F: Future<Output = ()> + Send + 'static,
{
    let count = Count::default();
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let connection = backend.accept(most).await;
            count.add();
            let (served, count) = (serve(connection), count.clone());
            tokio::spawn(async move {
                served.await;
                count.remove();
            });
        }
    });
    counted
}

#[tokio::test]
async fn lowered_limit_does_not_hoard_connections() {
    let backend = RawBackend::bind().await;
    let activator = start(&backend, Limits::default());
    let count = serve(backend, 100, async |mut connection: Raw| {
        while let Some(frame) = connection.frame().await {
            if frame.kind == HEADERS {
                connection.allow(0).await;
                connection.respond(frame.stream).await;
            }
        }
    });
    let client = Http2Client::connect(&activator).await;
    for _ in 0..50 {
        assert_eq!(client.get("/").await.status(), 200);
    }
    // One that is kept, and those whose end is on its way.
    until("few connections are left", || count.now() <= 2).await;
    assert!(count.most() < 20, "{}", count.most());
}

#[tokio::test]
async fn limit_of_zero_times_out() {
    let backend = RawBackend::bind().await;
    let address = backend.address;
    let limits = Limits {
        connect_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let activator = start(&backend, limits);
    let count = serve(
        backend,
        0,
        async |mut connection: Raw| {
            while connection.frame().await.is_some() {}
        },
    );
    let client = Http2Client::connect(&activator).await;
    let mut response = client.get("/").await;
    assert_eq!(response.status(), 502);
    let text = read(response.body_mut()).await.0;
    assert!(text.contains(&format!("backend {address}")), "{text}");
    assert_eq!(count.most(), 1);
}

#[tokio::test]
async fn raised_limit_reuses_the_connection() {
    let backend = RawBackend::bind().await;
    let activator = start(&backend, Limits::default());
    let client = Http2Client::connect(&activator).await;
    let (response, _) = client.send(request("GET", "/1"), true).await;
    let mut first = backend.accept(1).await;
    let stream = first.next(HEADERS).await.stream;
    first.allow(0).await;
    first.respond(stream).await;
    assert_eq!(patiently(response).await.unwrap().status(), 200);

    let (response, _) = client.send(request("GET", "/2"), true).await;
    let mut second = backend.accept(1).await;
    let stream = second.next(HEADERS).await.stream;
    second.respond(stream).await;
    assert_eq!(patiently(response).await.unwrap().status(), 200);

    first.allow(1).await;
    first.settle().await;
    let (response, _) = client.send(request("GET", "/3"), true).await;
    let stream = first.next(HEADERS).await.stream;
    first.respond(stream).await;
    assert_eq!(patiently(response).await.unwrap().status(), 200);
}

#[tokio::test]
async fn requests_wait_at_the_connection_limit() {
    const MOST: usize = 128;
    const REQUESTS: usize = 200;
    let backend = RawBackend::bind().await;
    let activator = start(&backend, Limits::default());
    let (go, may_go) = watch::channel(false);
    let count = serve(backend, 1, move |mut connection: Raw| {
        let mut may_go = may_go.clone();
        async move {
            while let Some(frame) = connection.frame().await {
                if frame.kind == HEADERS {
                    may_go.wait_for(|&may| may).await.unwrap();
                    connection.respond(frame.stream).await;
                }
            }
        }
    });
    let client = Http2Client::connect(&activator).await;
    let mut responses = Vec::new();
    for _ in 0..REQUESTS {
        responses.push(client.send(request("GET", "/"), true).await.0);
    }
    activator.until_in_flight(REQUESTS as u64).await;
    until("all connections are there", || count.now() == MOST).await;
    go.send_replace(true);
    for response in responses {
        assert_eq!(patiently(response).await.unwrap().status(), 200);
    }
    assert_eq!(count.most(), MOST);
}

#[tokio::test]
async fn cancelled_downloads_do_not_end_the_connection() {
    let backend = RawBackend::bind().await;
    let activator = start(&backend, Limits::default());
    let client = Http2Client::connect(&activator).await;
    let mut connection = None;
    for _ in 0..400 {
        let (response, mut stream) = client.send(request("GET", "/"), true).await;
        if connection.is_none() {
            connection = Some(backend.accept(100).await);
        }
        let connection = connection.as_mut().unwrap();
        let id = connection.next(HEADERS).await.stream;
        connection.send(HEADERS, END_HEADERS, id, &[0x88]).await;
        let response = patiently(response).await.unwrap();
        stream.send_reset(Reason::CANCEL);
        drop(response);
        connection.next(RST_STREAM).await;
        // On their way when it was given up.
        for _ in 0..5 {
            connection.send(DATA, 0, id, b"small").await;
        }
    }
    let (response, _) = client.send(request("GET", "/"), true).await;
    let mut connection = connection.unwrap();
    let id = connection.next(HEADERS).await.stream;
    connection.respond(id).await;
    assert_eq!(patiently(response).await.unwrap().status(), 200);
}
