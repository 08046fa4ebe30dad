//! Divides bytes into lines. Pure.

/// The longest line, in bytes; the rest of it is dropped.
pub(super) const MAX: usize = 2048;

/// The beginning of a line whose end has not come yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
    is_cut: bool,
}

impl Lines {
    /// Calls `each` with every line that ends in `bytes`, without its end, and whether it was cut.
    pub(super) fn add(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8], bool)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.unfinished.is_empty() {
                each(&line[..line.len().min(MAX)], line.len() > MAX);
            } else {
                self.extend(line);
                each(&self.unfinished, self.is_cut);
                self.unfinished.clear();
                self.is_cut = false;
            }
            bytes = rest;
        }
        self.extend(bytes);
    }

    /// The last line may have no end.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&[u8], bool)) {
        if !self.unfinished.is_empty() {
            each(&self.unfinished, self.is_cut);
        }
        *self = Self::default();
    }

    /// The line whose end has not come yet.
    pub(super) fn unfinished(&self) -> &[u8] {
        &self.unfinished
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = MAX - self.unfinished.len();
        self.unfinished
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.is_cut |= bytes.len() > room;
    }
}
