//! The last lines that an instance printed. Pure.

use std::collections::VecDeque;

use super::text::clean;

/// The most lines.
const MAX_LINES: usize = 100;

/// The most bytes of them.
const MAX_BYTES: usize = 16 * 1024;

/// The last lines. Adding one takes no memory once it is full.
#[derive(Debug, Default)]
pub(in super::super) struct Tail {
    lines: VecDeque<Line>,
    bytes: usize,
    /// The beginning of a line whose end has not come yet.
    unfinished: Vec<u8>,
}

#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Tail {
    pub(super) fn push(&mut self, line: &[u8], is_cut: bool) {
        self.bytes += line.len();
        let mut recycled = Line::default();
        while self.lines.len() >= MAX_LINES || self.bytes > MAX_BYTES {
            let Some(first) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= first.bytes.len();
            recycled = first;
        }
        recycled.bytes.clear();
        recycled.bytes.extend_from_slice(line);
        recycled.is_cut = is_cut;
        self.lines.push_back(recycled);
        self.unfinished.clear();
    }

    pub(super) fn set_unfinished(&mut self, unfinished: &[u8]) {
        self.unfinished.clear();
        self.unfinished.extend_from_slice(unfinished);
    }

    /// All of it, as text.
    pub(in super::super) fn lines(&self) -> Vec<String> {
        let lines = self.lines.iter();
        let mut lines: Vec<_> = lines.map(|line| clean(&line.bytes, line.is_cut)).collect();
        if !self.unfinished.is_empty() {
            lines.push(clean(&self.unfinished, false));
        }
        lines
    }
}
