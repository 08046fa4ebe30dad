//! How the client's side of a case is written: a line a frame.
//!
//! ```text
//! > HEADERS 1 end GET x=1          a kind, the stream, flags, and the parts of the payload
//! > CONTINUATION 1 y=2
//! > DATA 1 end hello
//! > WINDOW_UPDATE 1 0
//! > SETTINGS 0 4=65535
//! > 0x42 1 0x0102
//! > WAIT                           until all streams so far are over
//! > 300x HEADERS 1+2 end GET ; RST_STREAM 1+2 8
//! ```
//!
//! The flags are `end`, `ack`, `padded`, `priority`, and `more` for header blocks that do not end with the frame. A part of
//! a payload is `0x` and its bytes, or what the kind is made of: fields, where `GET` and `POST` are the four that
//! begin a request for `/`; settings; text; numbers. `\` and `{}` are as in the other cases. Frames that are repeated
//! go to the streams 1, 3, 5 when theirs is `1+2`.
//!
//! A case begins with the preface and settings of the client, unless its first line is `PREFACE`, or `BYTES` with text.

use std::collections::BTreeSet;

use crate::case::bytes;
use crate::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, KINDS, PADDED,
    PREFACE, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, field,
};

/// What a client does.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    /// Whether it ends the connection.
    pub(crate) says_goodbye: bool,
    /// The streams that it opens.
    pub(crate) opened: BTreeSet<u32>,
    /// The highest that it names.
    pub(crate) highest: u32,
    /// Those that it resets: what becomes of them is a matter of timing.
    pub(crate) given_up: BTreeSet<u32>,
}

pub(crate) enum Step {
    Send(Vec<u8>),
    /// Until the streams that were opened so far are over.
    Wait(BTreeSet<u32>),
}

impl Script {
    pub(crate) fn read(lines: &[String]) -> Self {
        let mut script = Self::default();
        let is_raw = |line: &String| line == "PREFACE" || line.starts_with("BYTES");
        if !lines.first().is_some_and(is_raw) {
            script.steps.push(Step::Send(beginning()));
        }
        for line in lines {
            let step = match line.split_once(' ') {
                None if line == "PREFACE" => Step::Send(PREFACE.to_vec()),
                None if line == "BYTES" => Step::Send(b"\r\n".to_vec()),
                None if line == "WAIT" => Step::Wait(&script.opened - &script.given_up),
                Some(("BYTES", text)) => Step::Send(bytes(text)),
                _ => Step::Send(script.frames(line)),
            };
            script.push(step);
        }
        script
    }

    /// What is not waited for goes in one piece, so that all of it is read before anything is done about it.
    fn push(&mut self, step: Step) {
        match (self.steps.last_mut(), step) {
            (Some(Step::Send(before)), Step::Send(bytes)) => before.extend(bytes),
            (_, step) => self.steps.push(step),
        }
    }

    fn frames(&mut self, line: &str) -> Vec<u8> {
        let repeated = line
            .split_once("x ")
            .and_then(|(times, frames)| Some((times.parse().ok()?, frames)));
        let (times, frames) = repeated.unwrap_or((1, line));
        let frames: Vec<_> = frames.split(" ; ").map(Repeated::read).collect();
        let mut bytes = Vec::new();
        for time in 0..times {
            for frame in &frames {
                let frame = frame.at(time);
                self.highest = self.highest.max(frame.stream);
                match frame.kind {
                    HEADERS => self.opened.insert(frame.stream),
                    RST_STREAM => self.given_up.insert(frame.stream),
                    GOAWAY => std::mem::replace(&mut self.says_goodbye, true),
                    _ => false,
                };
                bytes.extend(frame.bytes());
            }
        }
        bytes
    }
}

/// What a client sends before anything else; it has seen the server's settings, whatever they are.
pub(crate) fn beginning() -> Vec<u8> {
    let settings = |flags| Frame {
        kind: SETTINGS,
        flags,
        stream: 0,
        payload: Vec::new(),
    };
    [PREFACE, &settings(0).bytes(), &settings(ACK).bytes()].concat()
}

/// The four fields that begin a request.
pub(crate) fn request(method: &str, path: &str) -> Vec<u8> {
    let fields = [
        (":method", method),
        (":scheme", "http"),
        (":authority", "hello.default.svc.c"),
        (":path", path),
    ];
    let fields = fields.map(|(name, value)| field(name.as_bytes(), value.as_bytes()));
    fields.concat()
}

struct Repeated {
    kind: u8,
    flags: u8,
    stream: u32,
    step: u32,
    payload: Vec<u8>,
}

impl Repeated {
    fn read(text: &str) -> Self {
        let mut words = text.split(' ').peekable();
        let kind = words.next().unwrap();
        let kind = match KINDS.iter().position(|name| *name == kind) {
            Some(known) => known as u8,
            None => hex(kind)[0],
        };
        let stream = words.next().unwrap();
        let (stream, step) = stream.split_once('+').unwrap_or((stream, "0"));
        let mut flags = match kind {
            HEADERS | PUSH_PROMISE | CONTINUATION => END_HEADERS,
            _ => 0,
        };
        while let Some(flag) = words.peek() {
            match *flag {
                "end" => flags |= END_STREAM,
                "ack" => flags |= ACK,
                "padded" => flags |= PADDED,
                "priority" => flags |= PRIORITY,
                "more" => flags &= !END_HEADERS,
                _ => break,
            }
            words.next();
        }
        Self {
            kind,
            flags,
            stream: stream.parse().unwrap(),
            step: step.parse().unwrap(),
            payload: words.flat_map(|word| part(kind, word)).collect(),
        }
    }

    fn at(&self, time: u32) -> Frame {
        Frame {
            kind: self.kind,
            flags: self.flags,
            stream: self.stream + time * self.step,
            payload: self.payload.clone(),
        }
    }
}

/// A part of the payload of such a frame.
fn part(kind: u8, word: &str) -> Vec<u8> {
    let text = |text: &str| bytes(&format!("{text}\\"));
    match kind {
        _ if word.starts_with("0x") => hex(word),
        HEADERS | PUSH_PROMISE | CONTINUATION if ["GET", "POST"].contains(&word) => {
            request(word, "/")
        }
        HEADERS | PUSH_PROMISE | CONTINUATION => {
            let (name, value) = word.split_once('=').unwrap();
            field(&text(name), &text(value))
        }
        SETTINGS => {
            let (id, value) = word.split_once('=').unwrap();
            let (id, value): (u16, u32) = (id.parse().unwrap(), value.parse().unwrap());
            [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
        }
        DATA => text(word),
        _ => word.parse::<u32>().unwrap().to_be_bytes().to_vec(),
    }
}

fn hex(word: &str) -> Vec<u8> {
    let digits = bytes(&format!("{}\\", word.strip_prefix("0x").unwrap()));
    let bytes = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).unwrap();
        u8::from_str_radix(pair, 16).unwrap()
    });
    bytes.collect()
}
