//! The bound on a line.

use std::fmt::{self, Write};

use crate::logging::line::start;

/// The longest line, in bytes: what container runtimes take in one piece.
pub(super) const MAX: usize = 16 * 1024;

/// Writes at most a number of bytes; then it fails, having written what fits.
pub(super) struct Bounded<'a> {
    to: &'a mut String,
    left: usize,
}

impl<'a> Bounded<'a> {
    pub(super) fn new(to: &'a mut String, most: usize) -> Self {
        Self { to, left: most }
    }
}

impl Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let kept = if text.len() <= self.left {
            text
        } else {
            start(text, self.left)
        };
        self.to.push_str(kept);
        if kept.len() < text.len() {
            self.left = 0;
            return Err(fmt::Error);
        }
        self.left -= text.len();
        Ok(())
    }
}
