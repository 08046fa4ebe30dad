//! The head of an HTTP/1 message as bytes: where it ends, and how the names of its headers are written.
//!
//! What must not live here: what a head means.

mod names;
mod respelling;

pub(crate) use names::{Names, Reading, to_canonical};
pub(crate) use respelling::Respelling;

use memchr::memchr;

/// Looks for the end of a head: an empty line. Lines end as hyper sees it, with CR LF or LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadEnd {
    /// Nothing has come of the line.
    Empty,
    /// Nothing but CR.
    Return,
    /// More than that.
    Line,
}

impl HeadEnd {
    /// Looks at what comes next. Answers where the bytes behind the head begin, when it ends.
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            (*self, at) = match (*self, byte) {
                (Self::Empty | Self::Return, b'\n') => return Some(at + 1),
                (Self::Empty, b'\r') => (Self::Return, at + 1),
                _ => match memchr(b'\n', &bytes[at..]) {
                    Some(end) => (Self::Empty, at + end + 1),
                    None => (Self::Line, bytes.len()),
                },
            };
        }
        None
    }
}
