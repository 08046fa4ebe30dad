use std::future::pending;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use http::Method;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::*;
use crate::throttle::Complaint;
use crate::upstream::backend::Endpoint;

/// A request without a body, as received from a client.
async fn request(method: Method) -> Box<Request<RequestBody>> {
    let (mut client, server) = tokio::io::duplex(1_024);
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let (sender, mut requests) = mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<Incoming>| {
        sender.send(request).unwrap();
        pending::<hyper::Result<Response<String>>>()
    });
    let serving =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
    let mut request = tokio::select! {
        request = requests.recv() => request.unwrap(),
        _ = serving => unreachable!("the service never answers"),
    };
    *request.method_mut() = method;
    Box::new(request.map(RequestBody::from))
}

/// Accepts a connection, reads a request, and sends `answer`.
fn answer(listener: &TcpListener, answer: &str) -> TcpStream {
    let (mut socket, _) = listener.accept().unwrap();
    let _ = socket.read(&mut [0; 1_024]).unwrap();
    socket.write_all(answer.as_bytes()).unwrap();
    socket
}

const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .unwrap()
        .block_on(test)
}

fn backend(listener: &TcpListener) -> Arc<Backend> {
    let address: SocketAddr = listener.local_addr().unwrap();
    Arc::new(Backend::new(
        Endpoint {
            place: address.into(),
            tls: None,
        },
        None,
    ))
}

/// How a backend ends an idle connection.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// Closes it, before or after a request is sent on it.
    Close { heard: bool },
    /// Sends the start of a response to the next request, then closes.
    Break,
}

/// Makes a backend end an idle connection around the next request, which uses `method`. It would respond on a new
/// connection.
fn send_around_end(end: End, method: Method) -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = backend(&listener);
    let (mut wake, woken) = {
        let pair = TcpListener::bind("127.0.0.1:0").unwrap();
        let wake = TcpStream::connect(pair.local_addr().unwrap()).unwrap();
        let (woken, _) = pair.accept().unwrap();
        woken.set_nonblocking(true).unwrap();
        (wake, woken)
    };
    run(async {
        let upstream = Upstream::new(Limits::default(), None, &Recall::new(1));
        let woken = tokio::net::TcpStream::from_std(woken).unwrap();
        let (first, second) = (request(Method::GET).await, request(method).await);
        let answering = std::thread::spawn(move || (answer(&listener, OK), listener));
        let (_, mut lease) = upstream.send(&backend, first, |_| ()).await.ok().unwrap();
        lease.give_back();
        let (mut socket, listener) = answering.join().unwrap();
        if end == End::Break {
            std::thread::spawn(move || {
                let _ = socket.read(&mut [0; 1_024]).unwrap();
                socket.write_all(b"H").unwrap();
            });
        } else {
            drop(socket);
        }
        if end == (End::Close { heard: true }) {
            // Both events are ready when the runtime polls, so this task runs before the connection's task sees the
            // close.
            wake.write_all(b"x").unwrap();
            std::thread::sleep(Duration::from_millis(50));
            woken.readable().await.unwrap();
        }
        std::thread::spawn(move || answer(&listener, OK));
        upstream.send(&backend, second, |_| ()).await.map(|_| ())
    })
}

/// Sends a request on the first connection to a backend that sends `said` and closes.
fn send_on_new(method: Method, said: &'static str) -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = backend(&listener);
    std::thread::spawn(move || drop(answer(&listener, said)));
    run(async {
        let upstream = Upstream::new(Limits::default(), None, &Recall::new(1));
        let sent = upstream.send(&backend, request(method).await, |_| ());
        sent.await.map(|_| ())
    })
}

#[track_caller]
fn assert_lost(outcome: Result<(), Failed>, may_go_again: bool, why: Option<Complaint>) {
    let failed = outcome.unwrap_err();
    assert!(
        matches!(failed.error, UpstreamError::Lost { .. }),
        "{failed:?}"
    );
    let said = (failed.again.is_some(), failed.complaint);
    assert_eq!(said, (may_go_again, why));
}

#[test]
fn a_request_that_was_not_sent_is_sent_on_another_connection() {
    for method in [Method::GET, Method::POST] {
        assert!(send_around_end(End::Close { heard: true }, method).is_ok());
    }
}

#[test]
fn an_idempotent_request_is_sent_again_on_a_new_connection() {
    for method in [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
        Method::PUT,
        Method::DELETE,
    ] {
        let outcome = send_around_end(End::Close { heard: false }, method);
        assert!(outcome.is_ok(), "{outcome:?}");
    }
}

#[test]
fn a_request_that_is_not_idempotent_is_never_sent_again() {
    for method in [
        Method::POST,
        Method::PATCH,
        Method::from_bytes(b"LOCK").unwrap(),
    ] {
        // Closing an idle connection is no failure of the backend.
        let outcome = send_around_end(End::Close { heard: false }, method);
        assert_lost(outcome, false, None);
    }
}

#[test]
fn a_request_whose_response_has_begun_is_never_sent_again() {
    assert_lost(send_around_end(End::Break, Method::GET), false, None);
    assert_lost(send_on_new(Method::GET, "HTTP/1.1"), false, None);
}

#[test]
fn closing_a_new_connection_is_a_complaint() {
    let why = Some(Complaint::Closed);
    assert_lost(send_on_new(Method::GET, ""), true, why);
    assert_lost(send_on_new(Method::POST, ""), false, why);
}

#[test]
fn closing_instead_of_speaking_tls_is_a_complaint() {
    let address = SocketAddr::from(([127, 0, 0, 1], 1)).into();
    let error = std::io::ErrorKind::UnexpectedEof.into();
    let failed = Failed::from(UpstreamError::tls(&address, error));
    assert_eq!(failed.complaint, Some(Complaint::Closed));
}

#[test]
fn idle_connections_are_closed_later_where_it_did_not_help() {
    let ms = |in_vain| starving(in_vain).as_millis();
    assert_eq!([0, 1, 4, 5, u32::MAX].map(ms), [50, 100, 800, 800, 800]);
}
