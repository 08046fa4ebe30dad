//! Where each request of an HTTP/1 connection begins and ends. Hyper gets the bytes request by request, so that it
//! is known which are a request's target and its names: hyper holds no odd target, and no case of names.
//!
//! What must not live here: what a head means. Hyper reads that, and says how long the body is.

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

/// A target whose path begins later is left to hyper.
const LONGEST_AUTHORITY: usize = 1_024;

/// What all of a connection know of what comes; at rest it holds nothing.
pub(super) struct Shared {
    longest: usize,
    requests: RefCell<Option<Box<Requests>>>,
}

impl Shared {
    /// Heads may be as long as `longest`.
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

    /// Gives back what is held between two requests.
    pub(super) fn rest(&self) {
        let is_between = |requests: &mut Box<Requests>| requests.at == At::Start;
        let _ = self.requests.borrow_mut().take_if(is_between);
    }
}

/// What comes from a client, byte after byte.
pub(super) struct Requests {
    at: At,
    /// The beginning of a target that hyper does not get in one piece, or not as it came.
    target: BytesMut,
    /// Where the path begins in it.
    path: Option<usize>,
    is_odd: bool,
    /// How long the head is until now, and the longest that is allowed. Hyper sees to that, too, but it does
    /// not get all of a long target.
    length: usize,
    longest: usize,
    is_shortened: bool,
    /// What has come of the lines behind the first one, when they come in parts.
    lines: BytesMut,
    /// The names in the head that hyper has got.
    names: Names,
    /// The target of the head that hyper has got.
    disguised: Option<Target>,
    fault: Option<Fault>,
    pub(super) respelling: Respelling,
    /// All that hyper held is written, so the next response begins with the next byte.
    pub(super) is_flushed: bool,
}

/// Which byte comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// One of a request line, or of empty lines before it.
    Start,
    Method,
    Target,
    /// One of a line behind the target.
    Line(HeadEnd),
    /// The first one behind a head that hyper has got and not told of.
    HeadEnd,
    /// One of a body of which so many bytes are left.
    Body(u64),
    Chunks(Chunks),
    /// Hyper has read the bytes in another way. That cannot happen.
    Lost,
}

/// Why a head is refused that hyper would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its target has a fragment.
    Fragment,
    /// It is too long.
    TooLarge,
}

/// What is done with a piece of the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// So many at the beginning are for hyper now.
    pub(super) handed: usize,
    /// So many of those that came are done with. The others are for later.
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

    /// Why nothing more is taken.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Hyper has read a head, which is that of `request`.
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

    /// Takes bytes up to the end of a head or of a body, and changes those that hyper is to see differently.
    /// Takes none where hyper should not ask for any.
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
        // That is no request line. Its end is still to be found.
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
        self.names = match self.lines.is_empty() {
            // Nearly all heads come in one piece.
            true => Names::of(&bytes[..end]),
            false => Names::of(&[&mem::take(&mut self.lines), &bytes[..end]].concat()),
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
            // Nearly all targets are like that.
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
