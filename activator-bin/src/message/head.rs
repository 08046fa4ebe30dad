//! The head of an HTTP/1 message as bytes: where it ends, and how its header names are spelled.
//!
//! What must not live here: the meaning of a head.

mod names;
mod respelling;

pub(crate) use names::{Names, to_canonical};
pub(crate) use respelling::Respelling;

use memchr::memchr;

/// Finds the empty line that ends a head. Like hyper, accepts CR LF and LF as line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadEnd {
    /// At the start of a line.
    Empty,
    /// After a CR at the start of a line.
    Return,
    /// Within a line.
    Line,
}

impl HeadEnd {
    /// Looks at the next bytes. Returns the offset just after the head if it ends in them.
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
