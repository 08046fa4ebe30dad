//! The admin port with many clients that do not read.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use http_body_util::BodyExt;
use reporter_core::Accounting;
use reporter_runtime::ConcurrencyReporter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::list_body::ListBody;
use super::{Access, Admin, Make, Readiness, SharedHistory, Source};
use crate::config::Config;
use crate::drain::Drain;
use crate::os::open_files;
use crate::revision::tests::{key, revision};
use crate::revision::{Revisions, Shared};

/// Longer than any step here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// More than fits into the buffers of a connection.
const LARGE: usize = 32 << 20;

/// An admin port with `metrics` as `/metrics`.
async fn serve(metrics: impl Fn() -> String + Send + Sync + 'static) -> SocketAddr {
    let metrics: Make = Arc::new(metrics);
    let config = Config::embedded();
    let revisions = Arc::new(Revisions::new(Shared::for_tests()));
    let (reporter, _) = ConcurrencyReporter::builder(Accounting::Snapshot).spawn();
    let access = Access {
        revisions: Arc::clone(&revisions),
        admin: config.admin,
        inherited: config.throttle,
        backend_tls: false,
        cluster: None,
        launcher: None,
    };
    let (drain, draining) = Drain::new();
    let source = Source {
        pod_name: "here".to_owned(),
        revisions,
        reporter,
        launcher: None,
        links: Vec::new(),
        draining: draining.clone(),
        history: SharedHistory::new(Duration::from_secs(1)).0,
    };
    let readiness = Readiness {
        draining,
        links: Vec::new(),
        first_lists: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Admin::new(metrics, readiness, access, source).serve(listener);
    tokio::spawn(async move {
        serving.await;
        drop(drain);
    });
    address
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn ask(socket: &mut TcpStream, path: &str) {
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
}

/// What arrives until the connection ends in any way.
async fn rest(socket: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let read = timeout(PATIENCE, socket.read_to_end(&mut all));
    let _ = read.await.expect("it ends");
    String::from_utf8_lossy(&all).into()
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut socket = connect(address).await;
    ask(&mut socket, path).await;
    rest(&mut socket).await
}

#[tokio::test]
async fn a_silent_crowd_does_not_block_others() {
    let address = serve(String::new).await;
    let mut crowd = Vec::new();
    for _ in 0..3 * open_files::reserved_for_admin() {
        crowd.push(connect(address).await);
    }
    let response = get(address, "/livez").await;
    assert!(response.ends_with("\r\n\r\nok\n"), "{response}");
    // The first one was disconnected.
    assert_eq!(rest(&mut crowd[0]).await, "");
    let last = crowd.last_mut().unwrap();
    ask(last, "/livez").await;
    assert!(rest(last).await.ends_with("ok\n"), "the last one is there");
}

/// How many follow the events at most.
const READERS: usize = 16;

#[tokio::test]
async fn all_else_is_served_beside_many_readers_of_events() {
    let address = serve(String::new).await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut reader = connect(address).await;
        ask(&mut reader, "/v1/events").await;
        let mut head = [0; 15];
        reader.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        readers.push(reader);
    }
    let refused = get(address, "/v1/events").await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    for path in ["/livez", "/metrics", "/v1/revisions"] {
        let response = get(address, path).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{path}: {response}");
    }
    // One that disconnects makes room, as soon as that is seen.
    readers.pop();
    let again = async {
        loop {
            let mut reader = connect(address).await;
            ask(&mut reader, "/v1/events").await;
            let mut head = [0; 15];
            reader.read_exact(&mut head).await.unwrap();
            if &head == b"HTTP/1.1 200 OK" {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.expect("there is room");
}

#[tokio::test]
async fn concurrent_requests_share_a_text_that_was_begun_after_them() {
    let (made, texts) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (begun, begin) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    let gone = Mutex::new(gone);
    let address = serve({
        let (made, at_once) = (Arc::clone(&made), Arc::clone(&texts));
        move || {
            let number = made.fetch_add(1, Ordering::Relaxed) + 1;
            assert_eq!(at_once.fetch_add(1, Ordering::Relaxed), 0, "one at a time");
            begun.send(()).unwrap();
            gone.lock().unwrap().recv().unwrap();
            at_once.fetch_sub(1, Ordering::Relaxed);
            format!("text {number}\n")
        }
    })
    .await;
    let mut first = connect(address).await;
    ask(&mut first, "/metrics").await;
    let begin = tokio::task::spawn_blocking(move || {
        begin.recv_timeout(PATIENCE).unwrap();
        begin
    });
    let begin = begin.await.unwrap();
    let mut others = Vec::new();
    for _ in 0..40 {
        let mut socket = connect(address).await;
        ask(&mut socket, "/metrics").await;
        others.push(socket);
    }
    // The port is served meanwhile; after this all requests have arrived.
    for _ in 0..2 {
        assert!(get(address, "/livez").await.ends_with("ok\n"));
    }
    for _ in 0..3 {
        go.send(()).unwrap();
    }
    assert!(rest(&mut first).await.ends_with("text 1\n"));
    for mut socket in others {
        assert!(rest(&mut socket).await.ends_with("text 2\n"));
    }
    assert_eq!(made.load(Ordering::Relaxed), 2);
    drop(begin);
}

#[tokio::test(start_paused = true)]
async fn stalled_readers_hold_few_texts_and_are_disconnected() {
    let address = serve(|| "x".repeat(LARGE)).await;
    let mut readers = Vec::new();
    for _ in 0..6 {
        let mut reader = connect(address).await;
        ask(&mut reader, "/metrics").await;
        // It has received the beginning, so that the next one gets another text.
        reader.readable().await.unwrap();
        readers.push(reader);
    }
    // The limit on texts is reached, and yet a client that reads gets one.
    let whole = get(address, "/metrics").await;
    assert!(whole.len() > LARGE, "{}", whole.len());
    tokio::time::sleep(Duration::from_secs(11)).await;
    for mut reader in readers {
        let read = rest(&mut reader).await.len();
        assert!(read < LARGE, "{read}");
    }
}

#[tokio::test]
async fn a_text_that_fails_is_an_error_and_the_next_one_is_rendered() {
    let made = AtomicUsize::new(0);
    let address = serve(move || match made.fetch_add(1, Ordering::Relaxed) {
        0 => panic!("as expected"),
        _ => "whole\n".to_owned(),
    })
    .await;
    let first = get(address, "/metrics").await;
    assert!(first.starts_with("HTTP/1.1 500 "), "{first}");
    assert!(get(address, "/metrics").await.ends_with("whole\n"));
}

#[tokio::test]
async fn a_long_list_is_streamed_as_of_one_moment() {
    const COUNT: usize = 1_000;
    let revisions = Arc::new(Revisions::new(Shared::for_tests()));
    let put = |name: String| revisions.put(revision(&name)).unwrap();
    for index in 0..COUNT {
        put(format!("r{index:04}=1+2+3"));
    }
    let list = ListBody::new(revisions.list(), None);
    revisions.remove(&key("r0500"));
    put("r9999".to_owned());
    let mut pieces = 0;
    let mut list = list.map_frame(|piece| {
        pieces += 1;
        let length = piece.data_ref().map_or(0, bytes::Bytes::len);
        assert!(length < 65 << 10, "{length}");
        piece
    });
    let whole = std::pin::Pin::new(&mut list).collect().await.unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&whole.to_bytes()).unwrap();
    assert!(pieces > 1);
    let names = whole["revisions"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|it| it["name"].as_str().unwrap()).collect();
    let expected: Vec<_> = (0..COUNT).map(|index| format!("r{index:04}")).collect();
    assert_eq!(names, expected);
}
