//! Follows the frames that h2 sends, as their bytes are written.

use super::head::{HEAD, Head, Kind};

/// The head of a RST_STREAM and its error code.
const LONGEST: usize = HEAD + 4;

/// Follows the frames as bytes are written.
pub(super) struct Sent {
    /// The bytes of the preface or payload still to come.
    passing: usize,
    /// The start of the next frame.
    begun: [u8; LONGEST],
    have: usize,
}

/// A frame that we sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) head: Head,
    /// The error code of a RST_STREAM.
    pub(super) code: Option<u32>,
}

impl Sent {
    /// For a connection that starts with `preface` bytes that are not frames.
    pub(super) fn new(preface: usize) -> Self {
        Self {
            passing: preface,
            begun: [0; LONGEST],
            have: 0,
        }
    }

    pub(super) fn take(&mut self, mut bytes: &[u8], mut on_frame: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let step = self.passing.min(bytes.len());
            bytes = &bytes[step..];
            self.passing -= step;
            self.begin(&mut bytes, HEAD);
            let Some(head) = self.begun[..self.have].first_chunk() else {
                return;
            };
            let head = Head::parse(head);
            let (mut code, mut taken) = (None, 0);
            if head.kind == Kind::Reset && head.length == 4 {
                self.begin(&mut bytes, LONGEST);
                if self.have < LONGEST {
                    return;
                }
                code = self
                    .begun
                    .last_chunk()
                    .map(|code| u32::from_be_bytes(*code));
                taken = 4;
            }
            self.have = 0;
            self.passing = head.length - taken;
            on_frame(Frame { head, code });
        }
    }

    /// Copies the start of a frame, up to `up_to` bytes in all.
    fn begin(&mut self, bytes: &mut &[u8], up_to: usize) {
        let missing = up_to.saturating_sub(self.have).min(bytes.len());
        let (part, rest) = bytes.split_at(missing);
        self.begun[self.have..][..missing].copy_from_slice(part);
        self.have += missing;
        *bytes = rest;
    }
}
