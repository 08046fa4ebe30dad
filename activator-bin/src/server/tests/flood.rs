//! Memory held for clients that flood the worker with frames and read nothing.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::scene::backend;
use super::stuck::{CONNECTIONS, COUNT, STILL, check};
use crate::limits::Limits;

/// The start of a connection, with empty settings.
pub(super) const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// `GET http://ns/`, with all fields but the authority from the static table.
pub(super) const HEAD: &[u8] = b"\x82\x86\x84\x01\x02ns";

/// How much each client sends at most.
const FLOOD: usize = 1_024 * 1_024;

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// The memory of a request that has begun, and of one that has not, in a table that may be half empty.
const BEGUN: usize = 8 * 1_024;
const REMEMBERED: usize = 1_024;

/// The worker has dealt with a flood by then, and released what it does not keep.
const SETTLED: Duration = Duration::from_millis(100);

/// A flood of `frames`, which gets the number of calls before. A client's streams may hold `streams` bytes.
#[track_caller]
fn check_flood(streams: usize, frames: impl Fn(u32) -> Vec<u8>) {
    let mut flood = BEGINNING.to_vec();
    for time in 0.. {
        flood.extend(frames(time));
        if flood.len() >= FLOOD {
            break;
        }
    }
    let clients = move |address| {
        let clients: Vec<_> = (0..COUNT).map(|_| deaf(address)).collect();
        let sent = clients.iter().map(|client| {
            let sent = send(client, &flood);
            // The worker may still be busy with it: what one client holds at its peak is not held of all at once.
            thread::sleep(SETTLED);
            sent
        });
        let sent = sent.sum();
        (sent, clients)
    };
    check(backend(1), clients, CONNECTIONS + streams);
}

/// A client with a tiny receive buffer.
fn deaf(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1_024).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// Returns how much was written, or more when the connection has ended.
fn send(mut client: &TcpStream, mut bytes: &[u8]) -> usize {
    client.set_write_timeout(Some(STILL)).unwrap();
    let mut sent = 0;
    while let Ok(length @ 1..) = client.write(bytes) {
        sent += length;
        bytes = &bytes[length..];
    }
    sent
}

#[test]
fn frames_are_not_read_while_their_replies_are_unread() {
    check_flood(0, |_| frame(4, 0, 0, &[0, 4, 0, 1, 0, 0]));
    check_flood(0, |_| frame(6, 0, 0, b"12345678"));
}

#[test]
fn frames_without_replies_hold_no_memory() {
    // Priorities of ever more streams, window updates, and unknown frames.
    check_flood(0, |time| frame(2, 0, 2 * time + 1, &[0, 0, 0, 0, 16]));
    check_flood(0, |_| frame(8, 0, 0, &[0, 0, 0, 1]));
    check_flood(0, |_| frame(0x42, 0, 0, b"12345678"));
}

#[test]
fn reset_requests_hold_little_memory() {
    let limits = Limits::default();
    let take_back = |stream| frame(3, 0, stream, &[0, 0, 0, 8]);
    check_flood(limits.http2_max_pending_resets * BEGUN, |time| {
        let stream = 2 * time + 1;
        [frame(1, 5, stream, HEAD), take_back(stream)].concat()
    });
    // Reset by the server, for an error.
    let most = limits.http2_max_error_resets * REMEMBERED;
    check_flood(most, |time| frame(1, 5, 2 * time + 1, b""));
}

#[test]
fn an_endless_head_holds_bounded_memory() {
    check_flood(0, |time| match time {
        0 => frame(1, 1, 1, HEAD),
        _ => frame(
            9,
            0,
            1,
            &[b"\0\x01x\x7f\xe1\x7c".as_slice(), &[b'x'; 16_096]].concat(),
        ),
    });
}
