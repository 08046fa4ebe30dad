//! The list of all revisions as a response body, streamed in pieces so that little of it is in memory.

use std::convert::Infallible;
use std::fmt::Write;
use std::iter::Peekable;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::launcher::Launcher;
use crate::revision::Listing;

/// The length of a piece; the last revision in it may exceed that.
const PIECE: usize = 64 << 10;

/// `{"revisions":[...]}` and a newline.
pub(super) struct ListBody {
    rest: Peekable<Listing>,
    launcher: Option<Launcher>,
    /// The first piece, rendered immediately: a short list fits into it, so that its length is known.
    piece: Option<String>,
    is_over: bool,
}

impl ListBody {
    /// With the instances that `launcher` runs.
    pub(super) fn new(list: Listing, launcher: Option<Launcher>) -> Self {
        let mut body = Self {
            rest: list.peekable(),
            launcher,
            piece: None,
            is_over: false,
        };
        body.piece = Some(body.next_piece("{\"revisions\":["));
        body
    }

    fn next_piece(&mut self, start: &str) -> String {
        let mut piece = start.to_owned();
        while piece.len() < PIECE {
            let Some(revision) = self.rest.next() else {
                break;
            };
            let comma = if self.rest.peek().is_some() { "," } else { "" };
            let mut shown = revision.to_json();
            let launcher = self.launcher.as_ref();
            if let Some(status) = launcher.and_then(|it| it.status(&revision.key, false)) {
                shown["status"] = status;
            }
            let _ = write!(piece, "{shown}{comma}");
        }
        if self.rest.peek().is_none() {
            self.is_over = true;
            piece.push_str("]}\n");
        }
        piece
    }
}

impl Body for ListBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.piece.take() {
            Some(piece) => piece,
            None if self.is_over => return Poll::Ready(None),
            None => self.next_piece(""),
        };
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over && self.piece.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.piece {
            Some(piece) if self.is_over => SizeHint::with_exact(piece.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
