//! What a request says against its backend when it has it set aside.

/// Why a backend is set aside until a probe finds it ready again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// It cannot be connected to.
    Unreachable,
    /// It took a new connection, and closed or reset it before a byte of the response.
    Closed,
    /// It took a connection, and has vanished: nothing that is sent there is acknowledged.
    Vanished,
}

impl Complaint {
    /// As logs put it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "a request could not reach it",
            Self::Closed => "it closed a connection instead of responding",
            Self::Vanished => "it acknowledges nothing any more",
        }
    }
}
