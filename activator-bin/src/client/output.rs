//! The state of the output to a client: how much of the response was sent, and whether the client reads.

use std::cell::Cell;

use crate::message::head::Names;

/// The state of the output to a client.
#[derive(Default)]
pub(crate) struct Output {
    /// The header names of the next response, over HTTP/1; empty for one of our own.
    pub(crate) names: Cell<Names>,
    /// How much of the last response was sent, over HTTP/1.
    pub(crate) sent: Cell<Sent>,
    /// Bytes have been written since this was last taken.
    pub(crate) was_written: Cell<bool>,
    side: Cell<Side>,
    /// Hyper's shutdown is to leave the socket open.
    pub(crate) is_resting: Cell<bool>,
    end: Cell<ResponseEnd>,
}

/// How much of the final response was sent on an HTTP/1 connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Nothing; informational responses may be sent before it.
    Nothing,
    /// Nothing, to an HTTP/1.0 client, which does not know informational responses.
    NothingOld,
    Begun,
    /// Everything; the request may not have ended.
    All,
    /// Everything, and no request is in flight: if hyper writes anything, it is a refusal of its own.
    #[default]
    Quiet,
}

/// Our side of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Side {
    #[default]
    Open,
    /// Output waits for the client to read.
    Blocked,
    /// We have closed it; further input is discarded.
    Closed,
}

/// How the client recognizes the end of the last response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ResponseEnd {
    #[default]
    InTheResponse,
    /// By the end of the connection, unless that is a reset.
    Close,
    /// The response is complete, and the connection ends in an orderly way.
    Complete,
}

impl Output {
    /// Output waits for the client to read. Returns whether it did not wait before.
    pub(crate) fn on_blocked(&self) -> bool {
        let is_open = self.side.get() == Side::Open;
        if is_open {
            self.side.set(Side::Blocked);
        }
        is_open
    }

    /// Bytes have been written.
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

    /// Only closing the connection will end the response.
    pub(crate) fn ends_with_close(&self) {
        self.end.set(ResponseEnd::Close);
    }

    /// The connection ends in an orderly way.
    pub(super) fn on_complete(&self) {
        self.end.set(ResponseEnd::Complete);
    }

    /// Whether an orderly close could make an incomplete response look complete.
    pub(super) fn is_cut_short(&self) -> bool {
        self.end.get() == ResponseEnd::Close
    }
}
