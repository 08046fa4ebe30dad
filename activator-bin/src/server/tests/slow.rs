//! Clients that stall in bodies, on the worker's clock.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use super::flood::{BEGINNING, HEAD, frame};
use super::scene::{REQUEST, Scene, backend, connect, read_until, serve};

/// Well below the limit, and well above it.
const SHORT: Duration = Duration::from_secs(40);
const LONG: Duration = Duration::from_secs(80);

const UPLOAD: &[u8] = b"POST / HTTP/1.1\r\nHost: activator\r\nKnative-Serving-Namespace: ns\r\n\
    Knative-Serving-Revision: rev\r\nContent-Length: 10\r\n\r\n";

impl Scene {
    /// A new client that sends `bytes` and reads up to `until`.
    fn client(&self, bytes: &'static [u8], until: &'static str) -> TcpStream {
        let (_, client) = self.during(move |address| {
            let mut client = connect(1, address).remove(0);
            client.write_all(bytes).unwrap();
            read_until(&mut client, until);
            client
        });
        client
    }

    fn send(&self, mut client: &TcpStream, bytes: &[u8]) {
        client.write_all(bytes).unwrap();
        self.during(|_| ());
    }

    /// What arrives until the connection ends.
    fn rest(&self, client: TcpStream) -> String {
        let (_, rest) = self.during(move |_| {
            let mut rest = Vec::new();
            let end = (&client).read_to_end(&mut rest);
            let is_reset = |end: &io::Error| end.kind() == io::ErrorKind::ConnectionReset;
            assert!(end.as_ref().err().is_none_or(is_reset), "{end:?}");
            rest
        });
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// A backend that sends `answer` at once, and then reads.
fn answering(answer: &'static str) -> SocketAddr {
    serve(move |mut socket| {
        let mut buffer = [0; 4_096];
        let _ = socket.read(&mut buffer);
        socket.write_all(answer.as_bytes()).unwrap();
        while let Ok(1..) = socket.read(&mut buffer) {}
    })
}

#[test]
fn a_stalled_upload_is_refused_with_a_message() {
    let scene = Scene::new(answering(""));
    let client = scene.client(UPLOAD, "");
    for _ in 0..3 {
        scene.pass(1, SHORT);
        scene.send(&client, b"x");
    }
    assert_eq!(scene.errors("client_timeout"), 0);
    scene.pass(1, LONG);
    assert_eq!(scene.errors("client_timeout"), 1);
    let answer = scene.rest(client);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("did not arrive in time\n"), "{answer}");
}

#[test]
fn an_upload_that_stalls_after_its_response_has_begun_is_cut() {
    let scene = Scene::new(answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
    let client = scene.client(UPLOAD, "hel");
    scene.pass(1, SHORT);
    assert_eq!(scene.errors("client_timeout"), 0);
    scene.pass(1, LONG);
    assert_eq!(scene.errors("client_timeout"), 1);
    assert_eq!(scene.rest(client), "");
}

#[test]
fn a_client_that_waits_for_its_response_is_not_slow() {
    let scene = Scene::new(answering(""));
    let (with_body, without) = (scene.client(UPLOAD, ""), scene.client(REQUEST, ""));
    scene.send(&with_body, b"0123456789");
    scene.pass(3, LONG);
    for reason in ["client_timeout", "client_gone", "backend_reset"] {
        assert_eq!(scene.errors(reason), 0, "{reason}");
    }
    drop((with_body, without));
}

#[test]
fn an_upgraded_connection_may_be_silent() {
    const SWITCH: &str =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let scene = Scene::new(answering(SWITCH));
    let client = scene.client(
        b"GET / HTTP/1.1\r\nHost: activator\r\nKnative-Serving-Namespace: ns\r\n\
        Knative-Serving-Revision: rev\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "\r\n\r\n",
    );
    scene.pass(3, LONG);
    for reason in ["client_timeout", "client_gone", "backend_reset"] {
        assert_eq!(scene.errors(reason), 0, "{reason}");
    }
    drop(client);
}

#[test]
fn a_client_that_does_not_read_its_response_is_cut() {
    let (stuck, until_stuck) = mpsc::channel();
    let scene = Scene::new(serve(move |mut socket| {
        let _ = socket.read(&mut [0; 4_096]);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
        socket.write_all(head).unwrap();
        socket
            .set_write_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        while socket.write(&[0; 64 * 1_024]).is_ok() {}
        let _ = stuck.send(());
        while let Ok(1..) = socket.read(&mut [0; 4_096]) {}
    }));
    let (_, client) = scene.during(move |address| {
        let mut client = connect(1, address).remove(0);
        client.write_all(REQUEST).unwrap();
        until_stuck.recv().unwrap();
        client
    });
    scene.pass(1, SHORT);
    assert_eq!(scene.errors("client_timeout"), 0);
    scene.pass(1, LONG);
    assert_eq!(scene.errors("client_timeout"), 1);
    scene.rest(client);
}

/// A client that accepts only heads, and requests an unknown revision.
fn without_window(scene: &Scene) -> TcpStream {
    let no_window = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let ask = frame(1, 5, 1, HEAD);
    let (_, client) = scene.during(move |address| {
        let mut client = connect(1, address).remove(0);
        client
            .write_all(&[BEGINNING, &no_window, &ask].concat())
            .unwrap();
        client
    });
    // The head was sent by then, but the response is counted at its end.
    scene.pass(1, SHORT);
    client
}

#[test]
fn a_client_that_does_not_read_a_refusal_is_cut_and_counted() {
    let scene = Scene::new(backend(1));
    let mut client = without_window(&scene);
    assert_eq!(scene.errors("client_timeout"), 0);
    scene.pass(1, LONG);
    assert_eq!(scene.errors("client_timeout"), 1);
    let (_, client) = scene.during(move |_| {
        // RST_STREAM, CANCEL.
        let reset = frame(3, 0, 1, &[0, 0, 0, 8]);
        let mut read = Vec::new();
        while !read.ends_with(&reset) {
            let mut piece = [0; 1_024];
            let length = client.read(&mut piece).unwrap();
            assert!(length > 0, "{read:?}");
            read.extend_from_slice(&piece[..length]);
        }
        client
    });
    drop(client);
}

#[test]
fn a_drain_does_not_wait_for_a_client_that_does_not_read_a_refusal() {
    let scene = Scene::new(backend(1));
    let client = without_window(&scene);
    scene.drain.begin(100 * LONG);
    scene.during(|_| ());
    // Far less than the limit outside a drain.
    scene.pass(1, Duration::from_secs(3));
    assert_eq!(scene.errors("client_timeout"), 1);
    // It gets the reset and GOAWAY.
    let (_, _) = scene.during(move |_| {
        let mut rest = Vec::new();
        (&client).read_to_end(&mut rest).map(|_| rest)
    });
}
