//! Memory held for stuck peers, which send as much as the worker reads, or read nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::http2;
use super::scene::{REQUEST, Scene, connect, serve};
use crate::limits::Limits;

/// How many exchanges are stuck.
pub(super) const COUNT: usize = 8;

/// A peer without progress for this long is stuck.
pub(super) const STILL: Duration = Duration::from_secs(1);

/// The memory of a connection besides bodies.
pub(super) const CONNECTIONS: usize = 64 * 1_024;

/// `peers` returns how much they have sent in total, and a guard that keeps them connected. A stuck exchange holds at
/// most `at_most` bytes, including its connections.
#[track_caller]
pub(super) fn check<T: Send + 'static>(
    backend: SocketAddr,
    peers: impl FnOnce(SocketAddr) -> (usize, T) + Send + 'static,
    at_most: usize,
) {
    let scene = Scene::new(backend);
    let (held, (sent, _peers)) = scene.during(peers);
    let (sent, each) = (sent / COUNT, held.bytes_max as usize / COUNT);
    // An HTTP/2 peer may send a little more before it gets the settings.
    assert!(sent >= 60_000, "{sent} bytes were sent by each");
    assert!(each <= at_most, "{each} bytes are held of each");
}

/// Writes until the peer is stuck. Returns how much was written.
fn fill(mut socket: &TcpStream) -> usize {
    socket.set_write_timeout(Some(STILL)).unwrap();
    let mut written = 0;
    while let Ok(length) = socket.write(&[b'x'; 64 * 1_024]) {
        written += length;
    }
    written
}

/// Clients that send `request` and then run `part`. Returns the sum of what that returns, and the clients.
fn clients(
    address: SocketAddr,
    request: &[u8],
    part: impl Fn(&TcpStream) -> usize + Sync,
) -> (usize, Vec<TcpStream>) {
    let clients = connect(COUNT, address);
    let sent = thread::scope(|scope| {
        let parts = clients.iter().map(|client| {
            let part = &part;
            scope.spawn(move || {
                let mut socket = client;
                socket.write_all(request).unwrap();
                part(client)
            })
        });
        let parts: Vec<_> = parts.collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    (sent, clients)
}

#[test]
fn unread_uploads_hold_bounded_memory() {
    const UPLOAD: &[u8] =
        b"POST / HTTP/1.1\r\nHost: activator\r\nKnative-Serving-Namespace: ns\r\n\
        Knative-Serving-Revision: rev\r\nContent-Length: 1000000000000\r\n\r\n";
    let backend = serve(|_socket| thread::park());
    let peers = |address| clients(address, UPLOAD, fill);
    check(
        backend,
        peers,
        5 * Limits::default().max_header_size + CONNECTIONS,
    );
}

#[test]
fn unread_responses_hold_bounded_memory() {
    let (stuck, sent) = mpsc::channel();
    let backend = serve(move |mut socket| {
        let _ = socket.read(&mut [0; 4_096]);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
        socket.write_all(head).unwrap();
        stuck.send(fill(&socket)).unwrap();
        thread::park();
    });
    let peers = move |address| {
        let (_, clients) = clients(address, REQUEST, |_| 0);
        (sent.iter().take(COUNT).sum(), clients)
    };
    check(
        backend,
        peers,
        5 * Limits::default().max_header_size + CONNECTIONS,
    );
}

#[test]
fn unread_http2_uploads_hold_bounded_memory() {
    let (backend, _sent) = http2::backend(false);
    let window = Limits::default().http2_window as usize;
    check(backend, |address| http2::clients(address, true), 3 * window);
}

#[test]
fn unread_http2_responses_hold_bounded_memory() {
    let (backend, sent) = http2::backend(true);
    let window = Limits::default().http2_window as usize;
    let peers = move |address| {
        let (_, clients) = http2::clients(address, false);
        (sent.iter().take(COUNT).sum(), clients)
    };
    check(backend, peers, 3 * window);
}
