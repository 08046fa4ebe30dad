//! The streams on which an empty DATA frame is legal, and those that we reset.

use std::collections::VecDeque;

use super::head::{Head, Kind};
use super::sent::Frame;

/// How many of each are remembered, the latest ones. By default more than may be in use; for any others, h2 sees
/// every frame.
const MOST: usize = 1_024;

/// The streams of a connection.
#[derive(Default)]
pub(super) struct Streams {
    /// The peer has begun a message and not ended it.
    open: Vec<u32>,
    /// We ended them, which the peer may not know yet.
    reset: VecDeque<u32>,
}

impl Streams {
    pub(super) fn is_open(&self, stream: u32) -> bool {
        self.open.contains(&stream)
    }

    pub(super) fn is_reset(&self, stream: u32) -> bool {
        !self.reset.is_empty() && self.reset.contains(&stream)
    }

    pub(super) fn on_received(&mut self, frame: &Head) {
        if frame.ends_stream() {
            self.close(frame.stream);
        } else if frame.kind == Kind::Headers && !self.is_open(frame.stream) {
            if self.open.len() == MOST {
                self.open.remove(0);
            }
            self.open.push(frame.stream);
        }
    }

    pub(super) fn on_sent(&mut self, frame: Frame) {
        if frame.head.kind != Kind::Reset {
            return;
        }
        self.close(frame.head.stream);
        if self.reset.len() == MOST {
            self.reset.pop_front();
        }
        self.reset.push_back(frame.head.stream);
    }

    fn close(&mut self, stream: u32) {
        // Recent streams are the most likely.
        if let Some(at) = self.open.iter().rposition(|&open| open == stream) {
            self.open.remove(at);
        }
    }
}
