//! What goes to a client: how much of the response was sent, and whether more can be.

use std::cell::Cell;

use crate::message::head::Names;

/// What goes to the client.
#[derive(Default)]
pub(crate) struct Output {
    /// The names of the headers in the response that is written next, over HTTP/1; none if it is one of our own.
    pub(crate) names: Cell<Names>,
    /// Of the response to the last request of HTTP/1.
    pub(crate) sent: Cell<Sent>,
    /// The client has taken bytes since somebody took this.
    pub(crate) was_written: Cell<bool>,
    side: Cell<Side>,
    /// Hyper is to end only its own part.
    pub(crate) is_resting: Cell<bool>,
    end: Cell<ResponseEnd>,
}

/// How much of the final response was sent on a connection of HTTP/1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Nothing, and informational ones may be sent before it.
    Nothing,
    /// Nothing, to a client that knows no other ones (HTTP/1.0).
    NothingOld,
    Begun,
    /// All; the request may not be over.
    All,
    /// All that hyper holds, and no request is under way: what hyper writes all the same is a refusal of its own.
    #[default]
    Quiet,
}

/// Our side of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Side {
    #[default]
    Open,
    /// Something waits for the client to read.
    Blocked,
    /// What still comes is thrown away.
    Closed,
}

/// How the client is told the end of the last response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ResponseEnd {
    #[default]
    InTheResponse,
    /// Only by closing the connection, which says that the response is complete unless that is a reset.
    Close,
    /// It is there, and the connection ends as it should.
    Complete,
}

impl Output {
    /// What is written waits for the client to read. Returns whether it has not waited before.
    pub(crate) fn on_blocked(&self) -> bool {
        let is_open = self.side.get() == Side::Open;
        if is_open {
            self.side.set(Side::Blocked);
        }
        is_open
    }

    /// The client has taken bytes.
    pub(crate) fn on_written(&self) {
        self.was_written.set(true);
        if self.is_blocked() {
            self.side.set(Side::Open);
        }
    }

    /// Whether what hyper writes now is a refusal of its own.
    pub(crate) fn is_quiet(&self) -> bool {
        self.sent.get() == Sent::Quiet
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.side.get() == Side::Blocked
    }

    /// Our side is closed.
    pub(crate) fn on_close(&self) {
        self.side.set(Side::Closed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.side.get() == Side::Closed
    }

    /// The end of the response under way can only be told by closing the connection.
    pub(crate) fn ends_with_close(&self) {
        self.end.set(ResponseEnd::Close);
    }

    /// The connection ends as it should.
    pub(super) fn on_complete(&self) {
        self.end.set(ResponseEnd::Complete);
    }

    /// Whether closing the connection would say that a response is complete which may not be.
    pub(super) fn is_cut_short(&self) -> bool {
        self.end.get() == ResponseEnd::Close
    }
}
