//! A backend that writes down every byte: a connection for each request, closed after the answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::PATIENCE;
use super::reading::{self, Request};
use super::strict;

/// Marked, because the activator itself answers some requests with 200.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nFrom: backend\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

/// What no activator sends.
const FENCE: &[u8] = b"\0fence";

pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What came on each connection, in the order of accepting.
    saw: Vec<Vec<u8>>,
    open: usize,
}

impl Backend {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let all = Arc::clone(&shared);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let index = {
                    let mut state = all.state.lock().expect("nobody panics with it");
                    state.saw.push(Vec::new());
                    state.open += 1;
                    state.saw.len() - 1
                };
                let shared = Arc::clone(&all);
                thread::spawn(move || {
                    let saw = answer(socket.expect("a connection can be accepted"));
                    let mut state = shared.state.lock().expect("nobody panics with it");
                    state.saw[index] = saw;
                    state.open -= 1;
                    shared.changed.notify_all();
                });
            }
        });
        Self { address, shared }
    }

    /// The complete requests that it has seen since the last call, once all connections are closed.
    pub(crate) fn saw(&self) -> Vec<Request> {
        // The last one in the queue, so that all others have been accepted before it.
        let mut fence = TcpStream::connect(self.address).expect("the backend accepts");
        fence.write_all(FENCE).expect("the backend reads");
        drop(fence);
        let state = self.shared.state.lock().expect("nobody panics with it");
        let is_over =
            |state: &mut State| state.open > 0 || state.saw.last().is_none_or(|saw| saw != FENCE);
        let (mut state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, is_over)
            .expect("nobody panics with it");
        let mut saw = std::mem::take(&mut state.saw);
        drop(state);
        assert!(!waited.timed_out(), "connections to the backend stay open");
        saw.pop();
        saw.iter().filter_map(|bytes| request(bytes)).collect()
    }
}

/// None when it was broken off.
fn request(bytes: &[u8]) -> Option<Request> {
    let text = bytes.escape_ascii();
    let length = match strict::length(bytes) {
        Ok(length) => length?,
        Err(why) => panic!("the backend got what is ambiguous, {why}: {text}"),
    };
    assert_eq!(
        length,
        bytes.len(),
        "the backend got more than a request: {text}"
    );
    reading::read(bytes).requests.pop()
}

fn answer(mut socket: TcpStream) -> Vec<u8> {
    let (mut saw, mut part) = (Vec::new(), [0; 16 * 1024]);
    let mut is_answered = false;
    while let Ok(read @ 1..) = socket.read(&mut part) {
        saw.extend(&part[..read]);
        if !is_answered && !matches!(strict::length(&saw), Ok(None)) {
            is_answered = true;
            // The peer may have gone.
            let _ = socket.write_all(ANSWER);
            let _ = socket.shutdown(Shutdown::Write);
        }
    }
    saw
}
