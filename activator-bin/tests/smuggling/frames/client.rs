//! A client that sends exactly the frames that it is told to, and says in text what comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use loona_hpack::Decoder;

use super::script::{beginning, request};
use crate::answers::answers;
use crate::case::escaped;
use crate::frame::{DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, RST_STREAM};
use crate::program::PATIENCE;

/// One connection.
pub(crate) struct Client {
    socket: TcpStream,
    /// What comes, until the end; that is said as text.
    incoming: Receiver<Result<Vec<u8>, &'static str>>,
    bytes: Vec<u8>,
    fields: Decoder<'static>,
    streams: BTreeMap<u32, Answer>,
    goaway: Option<String>,
    end: Option<&'static str>,
}

/// What has come of a stream.
#[derive(Default)]
struct Answer {
    status: String,
    body: Vec<u8>,
    is_plain: bool,
    /// How it ended, unless as it should.
    end: Option<Result<(), &'static str>>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut from = socket.try_clone().unwrap();
        let (come, incoming) = mpsc::channel();
        // On a thread of its own, so that neither side waits for the other to read.
        thread::spawn(move || {
            let mut part = vec![0; 16 * 1024];
            loop {
                let read = match from.read(&mut part) {
                    Ok(0) => Err("closed"),
                    Ok(length) => Ok(part[..length].to_vec()),
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => Err("reset"),
                    Err(error) => panic!("{error}"),
                };
                let is_end = read.is_err();
                if come.send(read).is_err() || is_end {
                    return;
                }
            }
        });
        Self {
            socket,
            incoming,
            bytes: Vec::new(),
            fields: Decoder::new(),
            streams: BTreeMap::new(),
            goaway: None,
            end: None,
        }
    }

    /// One that is about to send requests.
    pub(crate) fn begin(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.send(&beginning());
        client
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // Who refuses to read on may close before all has come.
        let _ = self.socket.write_all(bytes);
    }

    /// The answer to a request for `path`, on a new stream.
    pub(crate) fn ask(&mut self, stream: u32, path: &str) -> Option<String> {
        let head = Frame {
            kind: HEADERS,
            flags: END_HEADERS | END_STREAM,
            stream,
            payload: request("GET", path),
        };
        self.send(&head.bytes());
        self.wait(&BTreeSet::from([stream]));
        self.streams.remove(&stream).map(|answer| answer.text())
    }

    /// Reads until these streams, or the connection, are over.
    pub(crate) fn wait(&mut self, streams: &BTreeSet<u32>) {
        let is_over = |answer: &Answer| answer.end.is_some();
        let under_way = |client: &Self, id: &u32| !client.streams.get(id).is_some_and(is_over);
        while self.is_open() && streams.iter().any(|id| under_way(self, id)) {
            self.read();
        }
    }

    /// Reads until the connection is over.
    pub(crate) fn wait_for_end(&mut self) {
        while self.is_open() {
            self.read();
        }
    }

    fn read(&mut self) {
        match self.incoming.recv_timeout(PATIENCE) {
            Ok(Ok(bytes)) => self.bytes.extend(bytes),
            Ok(Err(end)) => self.end = Some(end),
            Err(_) => self.end = Some("and no more, but open"),
        }
        while !self.is_http1()
            && let Some(frame) = Frame::take(&mut self.bytes)
        {
            self.on_frame(&frame);
        }
    }

    /// What is said to those who speak no HTTP/2.
    fn is_http1(&self) -> bool {
        self.bytes.starts_with(b"HTTP")
    }

    fn on_frame(&mut self, frame: &Frame) {
        let answer = self.streams.entry(frame.stream).or_default();
        match frame.kind {
            HEADERS => {
                assert!(frame.has(END_HEADERS), "answers here are short");
                for (name, value) in self.fields.decode(&frame.payload).unwrap() {
                    let value = escaped(&value);
                    match &*name {
                        b":status" => answer.status = value,
                        // Every answer of the activator's own is plain text that browsers leave alone.
                        b"x-content-type-options" => answer.is_plain = value == "nosniff",
                        _ => {}
                    }
                }
            }
            DATA => answer.body.extend(&frame.payload),
            RST_STREAM => {
                // What is said behind a whole answer takes nothing away from it.
                answer.end.get_or_insert(Err(frame.code(0)));
            }
            GOAWAY => {
                let why = escaped(&frame.payload[8..]);
                self.goaway = Some(format!("GOAWAY {} {why}", frame.code(4)));
            }
            _ => {}
        }
        if matches!(frame.kind, HEADERS | DATA) && frame.has(END_STREAM) {
            answer.end.get_or_insert(Ok(()));
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// What has come, stream by stream, of those that are `told`, and how the connection ended.
    pub(crate) fn outcome(&self, told: &BTreeSet<u32>) -> Vec<String> {
        let (mut lines, _) = match self.is_http1() {
            true => answers(&self.bytes, false),
            false => Default::default(),
        };
        let streams = self.streams.iter().filter(|(id, _)| told.contains(id));
        let streams: Vec<_> = streams.map(|(id, answer)| (id, answer.text())).collect();
        for run in streams.chunk_by(|(_, one), (_, next)| one == next) {
            let ((first, text), (last, _)) = (&run[0], &run[run.len() - 1]);
            lines.push(match first == last {
                true => format!("{first}: {text}"),
                false => format!("{first}..{last}: {text}"),
            });
        }
        lines.extend(
            self.goaway
                .iter()
                .map(|goaway| goaway.trim_end().to_owned()),
        );
        lines.push(self.end.unwrap_or("open").to_owned());
        lines
    }

    /// Whether the connection was ended because of what it brought: then it is a matter of timing what became of
    /// streams that were under way.
    pub(crate) fn was_sent_away(&self) -> bool {
        self.goaway.is_some()
    }
}

impl Answer {
    fn text(&self) -> String {
        let body = escaped(self.body.trim_ascii_end());
        let remark = match self.status.starts_with(['4', '5']) && !self.is_plain {
            true => "(without a type)",
            false => "",
        };
        let end = match self.end {
            Some(Ok(())) => "".to_owned(),
            Some(Err(code)) => format!("RST_STREAM {code}"),
            None => "and no end".to_owned(),
        };
        let parts = [&*self.status, &body, remark, &end];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The reading thread has a socket of its own.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
