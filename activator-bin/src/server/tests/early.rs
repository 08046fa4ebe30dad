//! Backends that respond before the upload is complete, on the worker's clock.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::scene::{ANSWER, PATIENCE, Scene, ask, connect, read_answer, serve};
use crate::server::idle::LOOK_INTERVAL;

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: activator\r\n\
    Knative-Serving-Namespace: ns\r\nKnative-Serving-Revision: rev\r\n\r\n";

/// Enough for a connection to rest, even if it was checked just now.
const A_REST: Duration = LOOK_INTERVAL.saturating_add(Duration::from_secs(1));

/// Less than the header timeout and the body idle timeout, and more than half of them.
const A_MINUTE: Duration = Duration::from_secs(58);

/// A backend that sends `responses` responses, each after its first read, then keeps reading. The receiver gets what it
/// has read of each connection by its end.
fn backend(responses: usize) -> (SocketAddr, Receiver<String>) {
    let (read, reads) = channel();
    let address = serve(move |mut socket| {
        let mut all = Vec::new();
        let mut piece = [0; 64 * 1_024];
        for reads in 0.. {
            let Ok(length @ 1..) = socket.read(&mut piece) else {
                break;
            };
            all.extend_from_slice(&piece[..length]);
            if reads < responses {
                socket.write_all(ANSWER).unwrap();
            }
        }
        let _ = read.send(String::from_utf8(all).unwrap());
    });
    (address, reads)
}

impl Scene {
    /// A client that has its response, and has sent nothing of its body yet.
    fn early(&self, length: usize, used_before: bool) -> TcpStream {
        let (_, client) = self.during(move |address| {
            let mut client = connect(1, address).remove(0);
            // Each byte is to be sent at once.
            client.set_nodelay(true).unwrap();
            if used_before {
                ask(&mut client);
            }
            let head = format!(
                "POST / HTTP/1.1\r\nHost: activator\r\nKnative-Serving-Namespace: ns\r\n\
                 Knative-Serving-Revision: rev\r\nContent-Length: {length}\r\n\r\n"
            );
            client.write_all(head.as_bytes()).unwrap();
            read_answer(&mut client);
            client
        });
        client
    }

    fn write(&self, mut client: &TcpStream, bytes: &[u8]) {
        client.write_all(bytes).unwrap();
        self.during(|_| ());
    }

    /// What arrives until the worker closes the connection.
    fn until_closed(&self, mut client: TcpStream) -> String {
        let (_, rest) = self.during(move |_| {
            let mut rest = Vec::new();
            let _ = client.read_to_end(&mut rest);
            rest
        });
        String::from_utf8(rest).unwrap()
    }
}

#[test]
fn bytes_after_a_pause_are_body() {
    for used_before in [false, true] {
        for pauses in [1, 2, 8] {
            let (backend, reads) = backend(1 + usize::from(used_before));
            let scene = Scene::new(backend);
            let client = scene.early(SMUGGLED.len() + 1, used_before);
            scene.pass(pauses, A_REST);
            scene.write(&client, SMUGGLED.as_bytes());
            scene.pass(pauses, A_REST);
            assert_eq!(scene.in_flight(), 1);
            scene.write(&client, b"x");
            assert_eq!(scene.in_flight(), 0);
            // No other request was seen, on any connection.
            scene.during(move |_| drop(client));
            drop(scene);
            let read: Vec<_> = reads.iter().take(1).collect();
            let (_, body) = read[0].rsplit_once("POST / ").unwrap();
            let (_, body) = body.split_once("\r\n\r\n").unwrap();
            assert_eq!(body, format!("{SMUGGLED}x"));
            assert!(reads.recv_timeout(Duration::from_millis(100)).is_err());
        }
    }
}

#[test]
fn a_connection_is_reused_after_a_late_upload() {
    let (backend, _reads) = backend(2);
    let scene = Scene::new(backend);
    let client = scene.early(3, false);
    scene.pass(2, A_REST);
    scene.write(&client, b"abc");
    assert_eq!(scene.in_flight(), 0);
    let (_, client) = scene.during(|_| {
        let mut client = client;
        ask(&mut client);
        client
    });
    scene.pass(2, A_REST);
    drop(client);
}

#[test]
fn a_slow_upload_is_not_a_late_head() {
    let (backend, reads) = backend(1);
    let scene = Scene::new(backend);
    let client = scene.early(10, false);
    for _ in 0..9 {
        scene.pass(1, A_MINUTE);
        scene.write(&client, b"x");
    }
    assert_eq!(scene.in_flight(), 1);
    scene.pass(1, A_MINUTE);
    scene.write(&client, b"x");
    // Nor is it late after its end.
    scene.pass(3, A_MINUTE);
    assert_eq!(scene.in_flight(), 0);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(scene.until_closed(client), "");
    assert_eq!(scene.errors("client_timeout"), 0);
    drop(scene);
    let read = reads.recv_timeout(PATIENCE).unwrap();
    assert!(read.ends_with("\r\n\r\nxxxxxxxxxx"), "{read}");
}

#[test]
fn an_upload_that_stalls_after_its_response_is_aborted() {
    let (backend, reads) = backend(1);
    let scene = Scene::new(backend);
    let client = scene.early(10, false);
    scene.pass(1, A_MINUTE);
    scene.write(&client, b"x");
    scene.pass(1, A_MINUTE);
    assert_eq!(scene.in_flight(), 1);
    scene.pass(2, A_MINUTE);
    assert_eq!(scene.in_flight(), 0);
    assert_eq!(scene.until_closed(client), "");
    drop(scene);
    let read = reads.recv_timeout(PATIENCE).unwrap();
    assert!(read.ends_with("\r\n\r\nx"), "{read}");
}
