//! Finds where each request of an HTTP/1 connection begins and ends. Hyper gets the bytes request by request, so that
//! targets which it rejects and the case of header names can be recorded: hyper keeps neither.
//!
//! What must not live here: parsing of heads. Hyper does that, and determines the length of the body.

use std::cell::{RefCell, RefMut};
use std::mem;

use bytes::BytesMut;
use http::Request;
use http_body::Body;

use crate::message::head::{HeadEnd, Names, Respelling};
use crate::message::target::{self, Class, LONGEST, Target};

mod chunks;
#[cfg(test)]
mod tests;

use chunks::Chunks;

/// A target whose path begins after this many bytes is left to hyper.
const LONGEST_AUTHORITY: usize = 1_024;

/// The parser's state, shared by all parts of a connection; empty at rest.
pub(super) struct Shared {
    longest: usize,
    requests: RefCell<Option<Box<Requests>>>,
}

impl Shared {
    /// `longest` is the longest allowed head, in bytes.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            longest,
            requests: RefCell::default(),
        }
    }

    pub(super) fn borrow_mut(&self) -> RefMut<'_, Requests> {
        let new = || Box::new(Requests::new(self.longest));
        RefMut::map(self.requests.borrow_mut(), |requests| {
            &mut **requests.get_or_insert_with(new)
        })
    }

    /// Releases memory between two requests.
    pub(super) fn rest(&self) {
        let is_between = |requests: &mut Box<Requests>| requests.at == At::Start;
        let _ = self.requests.borrow_mut().take_if(is_between);
    }
}

/// The bytes from a client.
pub(super) struct Requests {
    at: At,
    /// The beginning of a target that is changed for hyper, or arrives in pieces.
    target: BytesMut,
    /// Where its path begins.
    path: Option<usize>,
    is_odd: bool,
    /// The length of the head so far, and the longest allowed. Hyper checks this too, but does not get all of a long
    /// target.
    length: usize,
    longest: usize,
    is_shortened: bool,
    /// The header lines so far, when they arrive in pieces.
    lines: BytesMut,
    /// The header names of the head passed to hyper.
    names: Names,
    /// The original target of the head passed to hyper.
    disguised: Option<Target>,
    fault: Option<Fault>,
    pub(super) respelling: Respelling,
    /// Hyper's buffer has been written, so the next response begins with the next byte.
    pub(super) is_flushed: bool,
}

/// Where the next byte belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// To a request line, or to empty lines before it.
    Start,
    Method,
    Target,
    /// To a line after the target.
    Line(HeadEnd),
    /// After a head that hyper has not parsed yet.
    HeadEnd,
    /// To a body with this many bytes left.
    Body(u64),
    Chunks(Chunks),
    /// Hyper parsed the bytes differently. This cannot happen.
    Lost,
}

/// Why a head is refused that hyper would accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its target has a fragment.
    Fragment,
    /// It is too large.
    TooLarge,
}

/// How a piece of input was processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// How many bytes at the beginning are for hyper now.
    pub(super) handed: usize,
    /// How many bytes of the input are consumed. The rest is for later.
    pub(super) used: usize,
}

impl Requests {
    fn new(longest: usize) -> Self {
        Self {
            at: At::Start,
            target: BytesMut::new(),
            path: None,
            is_odd: false,
            length: 0,
            longest,
            is_shortened: false,
            lines: BytesMut::new(),
            names: Names::default(),
            disguised: None,
            fault: None,
            respelling: Respelling::default(),
            is_flushed: true,
        }
    }

    /// The fault after which nothing more is taken.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Hyper has parsed the head of `request`.
    pub(super) fn on_request(&mut self, request: &mut Request<impl Body>) {
        if self.at != At::HeadEnd {
            self.at = At::Lost;
            return;
        }
        let body = request.body();
        self.at = match (body.is_end_stream(), body.size_hint().exact()) {
            (true, _) => At::Start,
            (false, Some(length)) => At::Body(length),
            (false, None) => At::Chunks(Chunks::default()),
        };
        let extensions = request.extensions_mut();
        extensions.insert(mem::take(&mut self.names));
        if let Some(target) = self.disguised.take() {
            extensions.insert(target);
        }
        if self.is_flushed {
            self.respelling.begin();
        }
    }

    /// Takes bytes up to the end of a head or body, and modifies those that hyper must see differently. Takes none at
    /// points where hyper should not read.
    pub(super) fn take(&mut self, bytes: &mut [u8]) -> Taken {
        let mut all = Taken::default();
        while all.used < bytes.len() && self.fault.is_none() {
            let rest = &mut bytes[all.used..];
            let taken = match self.at {
                At::Start | At::Method | At::Target | At::Line(_) => self.take_head(rest),
                At::Body(_) | At::Chunks(_) => self.take_body(rest),
                At::HeadEnd | At::Lost => break,
            };
            if all.handed < all.used {
                bytes.copy_within(all.used..all.used + taken.handed, all.handed);
            }
            all.handed += taken.handed;
            all.used += taken.used;
            if self.at == At::Start {
                break;
            }
        }
        all
    }

    fn take_body(&mut self, bytes: &[u8]) -> Taken {
        let (taken, is_over) = match &mut self.at {
            At::Body(left) => {
                let taken = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                *left -= taken as u64;
                (taken, *left == 0)
            }
            At::Chunks(chunks) => chunks.take(bytes),
            _ => (0, false),
        };
        if is_over {
            self.at = At::Start;
        }
        Taken::all(taken)
    }

    fn take_head(&mut self, bytes: &mut [u8]) -> Taken {
        let taken = match self.at {
            At::Start => Taken::all(self.take_empty_lines(bytes)),
            At::Method => Taken::all(self.take_method(bytes)),
            At::Line(line) => Taken::all(self.take_lines(line, bytes)),
            _ => self.take_target(bytes),
        };
        self.length = self.length.saturating_add(taken.used);
        self.is_shortened |= taken.handed < taken.used;
        if self.is_shortened && self.length > self.longest {
            self.fault = Some(Fault::TooLarge);
        }
        taken
    }

    fn take_empty_lines(&mut self, bytes: &[u8]) -> usize {
        let Some(end) = bytes.iter().position(|byte| !b"\r\n".contains(byte)) else {
            return bytes.len();
        };
        self.at = At::Method;
        self.length = 0;
        self.is_shortened = false;
        end
    }

    fn take_method(&mut self, bytes: &[u8]) -> usize {
        let Some(end) = bytes.iter().position(|&byte| byte <= b' ') else {
            return bytes.len();
        };
        if bytes[end] == b' ' {
            self.at = At::Target;
            return end + 1;
        }
        // Not a request line, but the end of the head is still to be found.
        self.at = At::Line(HeadEnd::Line);
        end
    }

    /// Takes lines up to the empty one at the end of the head.
    fn take_lines(&mut self, mut line: HeadEnd, bytes: &[u8]) -> usize {
        let Some(end) = line.find(bytes) else {
            self.at = At::Line(line);
            self.lines.extend_from_slice(bytes);
            return bytes.len();
        };
        self.at = At::HeadEnd;
        self.names = if self.lines.is_empty() {
            // Nearly all heads arrive in one piece.
            Names::of(&bytes[..end])
        } else {
            Names::of(&[&mem::take(&mut self.lines), &bytes[..end]].concat())
        };
        end
    }

    fn take_target(&mut self, bytes: &mut [u8]) -> Taken {
        let plain = bytes
            .iter()
            .position(|&byte| Class::of(byte) != Class::Plain);
        let plain = plain.unwrap_or(bytes.len());
        let is_over = bytes
            .get(plain)
            .is_some_and(|&byte| Class::of(byte) == Class::End);
        if is_over && plain <= LONGEST && self.target.is_empty() {
            // The case of nearly all targets.
            self.at = At::Line(HeadEnd::Line);
            return Taken::all(plain);
        }
        let is_end = |&byte: &u8| matches!(Class::of(byte), Class::End | Class::Fragment);
        let end = bytes[plain..].iter().position(is_end);
        let length = end.map_or(bytes.len(), |end| plain + end);
        let before = self.target.len();
        self.target.extend_from_slice(&bytes[..length]);
        if self.path.is_none() && before < LONGEST_AUTHORITY {
            self.path = target::path_start(&self.target);
        }
        let mut handed = length;
        if let Some(path) = self.path {
            let path = path.saturating_sub(before).min(length);
            self.is_odd |= target::disguise(&mut bytes[path..length]);
            handed = length.min(LONGEST.saturating_sub(before));
        }
        if let Some(&end) = bytes.get(length) {
            match Class::of(end) {
                Class::Fragment => self.fault = Some(Fault::Fragment),
                _ => self.end_target(),
            }
        }
        Taken {
            handed,
            used: length,
        }
    }

    fn end_target(&mut self) {
        self.at = At::Line(HeadEnd::Line);
        let target = mem::take(&mut self.target).freeze();
        let is_odd = mem::take(&mut self.is_odd) || target.len() > LONGEST;
        let path = self.path.take().filter(|_| is_odd);
        self.disguised = path.map(|path| Target::new(target.slice(path..)));
    }
}

impl Taken {
    pub(super) fn all(taken: usize) -> Self {
        Self {
            handed: taken,
            used: taken,
        }
    }
}
