//! Why a request has its backend set aside.

/// Why a backend is set aside until a probe passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// No connection can be established.
    Unreachable,
    /// It accepted a new connection, then closed or reset it before a byte of the response.
    Closed,
    /// It accepted a connection and has vanished: it acknowledges nothing that is sent.
    Vanished,
}

impl Complaint {
    /// The text used in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "a request could not reach it",
            Self::Closed => "it closed a connection instead of responding",
            Self::Vanished => "it no longer acknowledges anything",
        }
    }
}
