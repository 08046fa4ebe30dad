//! Reads lines of bounded length from an untrusted stream.

use std::io::{self, BufRead, BufReader, Read};

use super::line::{LINE_LIMIT, LineError};

pub(super) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(1 << 16, input),
            line: Vec::new(),
        }
    }

    /// Whether the next line has to be read from the stream, which may block.
    pub(super) fn may_wait(&self) -> bool {
        !self.input.buffer().contains(&b'\n')
    }

    /// The next line without its line end, or why it is invalid. `None` at the end of the stream.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<&[u8], LineError>>> {
        self.line.clear();
        let limit = LINE_LIMIT as u64 + 1;
        let mut input = self.input.by_ref().take(limit);
        if input.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let fits = line.len() <= LINE_LIMIT;
        Ok(Some(if fits {
            Ok(line)
        } else {
            Err(LineError::TooLong)
        }))
    }
}
