//! A backend that writes down what comes in frames, answers each request with two bytes of text, and knows `/last`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use loona_hpack::Decoder;

use super::request::Request;
use crate::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, PADDED, PING, PREFACE,
    PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, field,
};
use crate::program::PATIENCE;

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
    under_way: usize,
    saw: Vec<Request>,
}

impl Backend {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let shared = Arc::clone(&all);
                std::thread::spawn(move || shared.serve(socket.unwrap()));
            }
        });
        Self { address, shared }
    }

    /// The requests that have come as a whole until now, once no other is under way. How much came of
    /// those that were given up is a matter of timing.
    pub(crate) fn saw(&self) -> Vec<Request> {
        let state = self.shared.state.lock().unwrap();
        let (mut state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.under_way > 0)
            .unwrap();
        let saw = std::mem::take(&mut state.saw);
        let under_way = state.under_way;
        drop(state);
        assert!(
            !waited.timed_out(),
            "{under_way} requests neither end nor are given up"
        );
        saw
    }
}

impl Shared {
    fn serve(&self, mut socket: TcpStream) {
        socket.set_nodelay(true).unwrap();
        let (mut bytes, mut read) = (Vec::new(), vec![0; 16 * 1024]);
        let mut fields = Decoder::new();
        let mut under_way = BTreeMap::<u32, Request>::new();
        // A head whose end has not come.
        let mut part: Option<Frame> = None;
        let mut is_new = true;
        while let Ok(length @ 1..) = socket.read(&mut read) {
            bytes.extend(&read[..length]);
            if is_new && bytes.len() >= PREFACE.len() {
                assert!(bytes.starts_with(PREFACE), "this is another protocol");
                bytes.drain(..PREFACE.len());
                is_new = false;
                write(&mut socket, SETTINGS, 0, 0, Vec::new());
            }
            while !is_new && let Some(mut frame) = Frame::take(&mut bytes) {
                // What these add is nothing that anybody here sends.
                assert!(!matches!(frame.kind, DATA | HEADERS) || !frame.has(PADDED | PRIORITY));
                if let Some(head) = part.take() {
                    // Nothing else may stand between them.
                    assert!(frame.kind == CONTINUATION && frame.stream == head.stream);
                    frame = head.and(frame);
                }
                if frame.kind == HEADERS && !frame.has(END_HEADERS) {
                    part = Some(frame);
                    continue;
                }
                match frame.kind {
                    SETTINGS | PING if !frame.has(ACK) => {
                        write(&mut socket, frame.kind, ACK, 0, pong(&frame));
                    }
                    HEADERS => {
                        let fields = fields.decode(&frame.payload).unwrap();
                        let request = under_way.entry(frame.stream).or_insert_with(|| {
                            self.state.lock().unwrap().under_way += 1;
                            Request::default()
                        });
                        request.on_fields(fields);
                    }
                    DATA => {
                        let request = under_way.get_mut(&frame.stream);
                        request.expect("it has a head").on_data(&frame.payload);
                        // The connection's window is for all of its requests.
                        let length = u32::try_from(frame.payload.len()).unwrap();
                        if length > 0 {
                            let more = length.to_be_bytes().to_vec();
                            write(&mut socket, WINDOW_UPDATE, 0, 0, more);
                        }
                    }
                    RST_STREAM if under_way.remove(&frame.stream).is_some() => {
                        self.is_over(None);
                    }
                    _ => {}
                }
                if matches!(frame.kind, HEADERS | DATA) && frame.has(END_STREAM) {
                    let request = under_way.remove(&frame.stream).unwrap();
                    let is_last = request.path() == b"/last";
                    // Before the answer, which ends the case.
                    self.is_over((!is_last).then_some(request));
                    let text = if is_last { "last" } else { "ok" };
                    let status = field(b":status", b"200");
                    write(&mut socket, HEADERS, END_HEADERS, frame.stream, status);
                    write(&mut socket, DATA, END_STREAM, frame.stream, text.into());
                }
            }
        }
        under_way.values().for_each(|_| self.is_over(None));
    }

    fn is_over(&self, request: Option<Request>) {
        let mut state = self.state.lock().unwrap();
        state.under_way -= 1;
        state.saw.extend(request);
        self.changed.notify_all();
    }
}

fn pong(frame: &Frame) -> Vec<u8> {
    match frame.kind {
        PING => frame.payload.clone(),
        _ => Vec::new(),
    }
}

fn write(socket: &mut TcpStream, kind: u8, flags: u8, stream: u32, payload: Vec<u8>) {
    let frame = Frame {
        kind,
        flags,
        stream,
        payload,
    };
    // Fails when the activator is at its end.
    let _ = socket.write_all(&frame.bytes());
}
