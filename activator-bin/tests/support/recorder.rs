//! A backend that records every byte. Each connection serves one request and is closed after the response.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::strict;

/// The timeout of every wait: nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Marks the last connection of a call of `saw`; no activator sends it.
const FENCE: &[u8] = b"\0fence";

/// The backend of a revision.
pub(crate) struct Recorder {
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
    response: Vec<u8>,
    /// The bytes of each connection, in order of accepting.
    saw: Vec<Vec<u8>>,
    open: usize,
}

impl Recorder {
    pub(crate) fn start(response: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let recorder = Self {
            address,
            shared: Arc::default(),
        };
        recorder.respond_with(response);
        let all = Arc::clone(&recorder.shared);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let index = {
                    let mut state = all.state.lock().unwrap();
                    state.saw.push(Vec::new());
                    state.open += 1;
                    state.saw.len() - 1
                };
                let shared = Arc::clone(&all);
                thread::spawn(move || shared.serve(socket.unwrap(), index));
            }
        });
        recorder
    }

    pub(crate) fn respond_with(&self, response: &[u8]) {
        self.shared.state.lock().unwrap().response = response.to_vec();
    }

    /// The bytes of each connection since the last call. Waits until all of them are closed.
    pub(crate) fn saw(&self) -> Vec<Vec<u8>> {
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
        saw
    }
}

impl Shared {
    fn serve(&self, mut socket: TcpStream, index: usize) {
        let mut part = [0; 16 * 1024];
        let mut responded = false;
        loop {
            let read = socket.read(&mut part).unwrap_or(0);
            let mut state = self.state.lock().unwrap();
            state.saw[index].extend(&part[..read]);
            if read == 0 {
                state.open -= 1;
                self.changed.notify_all();
                return;
            }
            let is_complete = !matches!(strict::length(&state.saw[index]), Ok(None));
            if is_complete && !responded {
                responded = true;
                let response = state.response.clone();
                drop(state);
                // The peer may have heard enough before the end.
                let _ = socket.write_all(&response);
                let _ = socket.shutdown(Shutdown::Write);
            }
        }
    }
}
