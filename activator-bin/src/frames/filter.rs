//! Decides which received frames h2 gets to see.

use tokio::io::ReadBuf;

use super::head::{END_HEADERS, END_STREAM, HEAD, Head, Kind};
use super::streams::Streams;

/// Follows the frames as bytes are read.
pub(super) struct Filter {
    /// The bytes of the preface or payload still to come.
    passing: usize,
    /// Within a header block, which only CONTINUATION may follow.
    in_headers: bool,
}

impl Filter {
    /// For a connection that starts with `preface` bytes that are not frames.
    pub(super) fn new(preface: usize) -> Self {
        Self {
            passing: preface,
            in_headers: false,
        }
    }

    /// Moves the bytes to pass on to the front of `bytes`. Returns how many there are, and where an incomplete frame
    /// head begins, which is not yet processed. Calls `on_frame` for every frame.
    pub(super) fn take(
        &mut self,
        bytes: &mut [u8],
        streams: &mut Streams,
        mut on_frame: impl FnMut(&Head),
    ) -> (usize, usize) {
        let (mut from, mut to) = (0, 0);
        loop {
            let step = self.passing.min(bytes.len() - from);
            pass(bytes, &mut from, &mut to, step);
            self.passing -= step;
            let Some(head) = bytes[from..].first_chunk_mut() else {
                return (to, from);
            };
            let frame = Head::parse(head);
            on_frame(&frame);
            if self.is_pointless(&frame, streams) {
                from += HEAD;
                continue;
            }
            if frame.kind == Kind::Data && streams.is_reset(frame.stream) {
                // h2 charges for the data that it ignores, unless the frame ends the stream.
                let [.., flags, _, _, _, _] = head;
                *flags |= END_STREAM;
            }
            self.on_passing(&frame, streams);
            pass(bytes, &mut from, &mut to, HEAD);
            self.passing = frame.length;
        }
    }

    /// Whether the frame may be dropped: h2 would accept it, and it has no effect.
    fn is_pointless(&self, frame: &Head, streams: &Streams) -> bool {
        frame.is_empty_data()
            && !self.in_headers
            && (streams.is_open(frame.stream) || streams.is_reset(frame.stream))
    }

    fn on_passing(&mut self, frame: &Head, streams: &mut Streams) {
        match frame.kind {
            Kind::Headers | Kind::PushPromise | Kind::Continuation => {
                self.in_headers = !frame.has(END_HEADERS);
            }
            _ => {}
        }
        streams.on_received(frame);
    }
}

/// Moves the next `length` bytes to the end of those that are passed on.
fn pass(bytes: &mut [u8], from: &mut usize, to: &mut usize, length: usize) {
    if from != to {
        bytes.copy_within(*from..*from + length, *to);
    }
    *from += length;
    *to += length;
}

/// A frame head that arrived in parts, until it is complete and passed on.
#[derive(Default)]
pub(super) struct Cut {
    bytes: [u8; HEAD],
    have: usize,
    given: usize,
    is_due: bool,
}

impl Cut {
    pub(super) fn begin(&mut self, part: &[u8]) {
        self.bytes[..part.len()].copy_from_slice(part);
        self.have = part.len();
    }

    pub(super) fn is_begun(&self) -> bool {
        self.have > 0
    }

    pub(super) fn is_whole(&self) -> bool {
        self.have == HEAD && !self.is_due
    }

    pub(super) fn bytes(&self) -> &[u8; HEAD] {
        &self.bytes
    }

    /// Where the missing bytes go.
    pub(super) fn rest(&mut self) -> &mut [u8] {
        &mut self.bytes[self.have..]
    }

    pub(super) fn grow(&mut self, length: usize) {
        self.have += length;
    }

    /// Replaces it by `with`, to be passed on.
    pub(super) fn replace(&mut self, with: &[u8]) {
        self.begin(with);
        self.release();
    }

    /// Passes on what there is.
    pub(super) fn release(&mut self) {
        self.given = 0;
        self.is_due = self.have > 0;
    }

    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Passes on as much as there is room for.
    pub(super) fn give(&mut self, to: &mut ReadBuf<'_>) {
        let part = &self.bytes[self.given..self.have];
        let part = &part[..part.len().min(to.remaining())];
        to.put_slice(part);
        self.given += part.len();
        if self.given == self.have {
            *self = Self::default();
        }
    }
}
