//! A backend that writes down every byte: a connection for each request, closed after the answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::case;
use crate::request;

/// Longer than anything here takes; whoever waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What no activator sends.
const FENCE: &[u8] = b"\0fence";

/// The backend of a revision.
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
    answer: Vec<u8>,
    /// What came on each connection, in the order of accepting.
    saw: Vec<Vec<u8>>,
    open: usize,
}

impl Backend {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let socket = socket.unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                let index = {
                    let mut state = all.state.lock().unwrap();
                    state.saw.push(Vec::new());
                    state.open += 1;
                    state.saw.len() - 1
                };
                let shared = Arc::clone(&all);
                std::thread::spawn(move || shared.serve(socket, index));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn answer_with(&self, answer: Vec<u8>) {
        self.shared.state.lock().unwrap().answer = answer;
    }

    /// What it has seen until now, once all connections are closed.
    pub(crate) fn saw(&self) -> Vec<String> {
        // The last one in the queue, so that all others have been accepted before it.
        let mut fence = TcpStream::connect(self.address).unwrap();
        fence.write_all(FENCE).unwrap();
        drop(fence);
        let state = self.shared.state.lock().unwrap();
        let is_over =
            |state: &mut State| state.open > 0 || state.saw.last().is_none_or(|saw| saw != FENCE);
        let (mut state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, is_over)
            .unwrap();
        let mut saw = std::mem::take(&mut state.saw);
        let open = state.open;
        drop(state);
        assert!(
            !waited.timed_out(),
            "{} of {} connections stay open",
            open,
            saw.len()
        );
        saw.pop();
        let requests = saw.iter().map(|bytes| self.lines(bytes));
        requests.collect::<Vec<_>>().join(&"--".to_owned())
    }

    /// A request's lines, without those that every request gets.
    fn lines(&self, bytes: &[u8]) -> Vec<String> {
        let added = [
            format!("Host: {}", self.address),
            "K-Original-Host: hello.default.svc.c".to_owned(),
            "K-Proxy-Request: activator".to_owned(),
            "X-Forwarded-For: 127.0.0.1".to_owned(),
        ];
        let mut lines = case::lines(bytes);
        lines.retain(|line| !added.contains(line));
        if lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        match request::length(bytes) {
            Ok(Some(length)) if length == bytes.len() => lines,
            Ok(Some(_)) => [lines, vec!["and bytes behind the request".to_owned()]].concat(),
            // How much came is a matter of timing.
            Ok(None) => vec!["no whole request".to_owned()],
            Err(why) => [lines, vec![format!("which is ambiguous: {why}")]].concat(),
        }
    }
}

impl Shared {
    fn serve(&self, mut socket: TcpStream, index: usize) {
        let mut part = [0; 16 * 1024];
        let mut answered = false;
        loop {
            let read = socket.read(&mut part).unwrap_or(0);
            let mut state = self.state.lock().unwrap();
            state.saw[index].extend(&part[..read]);
            if read == 0 {
                state.open -= 1;
                self.changed.notify_all();
                return;
            }
            let is_complete = !matches!(request::length(&state.saw[index]), Ok(None));
            if is_complete && !answered {
                answered = true;
                let answer = state.answer.clone();
                drop(state);
                // The peer may have heard enough before the end.
                let _ = socket.write_all(&answer);
                let _ = socket.shutdown(Shutdown::Write);
            }
        }
    }
}
