//! Why a link could not be made, or broke.

use std::io;
use std::time::Duration;

use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::tls::TlsError;

/// Why a link could not be made, or broke. What a peer said is escaped, so that it cannot forge a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkFailure {
    /// The host's name has no address, or nobody could be asked for it.
    #[error("cannot look up {host}: {error}")]
    LookUp {
        /// The name.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// No address of the host takes connections.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The certificates to trust cannot be read any more.
    #[error("ca_file {0}")]
    Trust(#[from] TlsError),
    /// The peer does not speak TLS, or cannot prove who it is.
    #[error("TLS handshake: {}", excerpt(.0))]
    Tls(io::Error),
    /// The peer speaks HTTP but is no WebSocket.
    #[error("the peer answered HTTP {status} and not with a WebSocket")]
    NotAWebSocket {
        /// The status of its answer.
        status: u16,
    },
    /// The peer did not finish the handshake within the time for it.
    #[error("no WebSocket handshake within {}", humantime::format_duration(*limit))]
    HandshakeTimeout {
        /// The time for it.
        limit: Duration,
    },
    /// The peer closed the link, as it does when it restarts (code 1012).
    #[error("the peer closed the link: {}", close_text(*code, reason))]
    Closed {
        /// The WebSocket close code; none when the peer gave none.
        code: Option<u16>,
        /// The reason that came with it.
        reason: String,
    },
    /// No ping was answered in time.
    #[error("no answer to a ping within {}", humantime::format_duration(*limit))]
    Silent {
        /// The time for an answer.
        limit: Duration,
    },
    /// The peer does not read what it is sent.
    #[error("the peer did not take a frame within {}", humantime::format_duration(*limit))]
    Stalled {
        /// The time for a frame.
        limit: Duration,
    },
    /// The connection ended without a goodbye, as it does when the peer's process dies.
    #[error("the peer ended the connection")]
    Ended,
    /// The connection failed.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// The peer broke the rules of WebSocket.
    #[error("the peer broke the protocol: {}", excerpt(.error))]
    Protocol {
        /// Which rule.
        error: String,
    },
}

impl LinkFailure {
    /// Whether the peer said that it restarts: it will be there again.
    pub(super) fn is_restart(&self) -> bool {
        let restart = u16::from(CloseCode::Restart);
        matches!(self, Self::Closed { code: Some(code), .. } if *code == restart)
    }

    pub(super) fn closed(frame: Option<&CloseFrame>) -> Self {
        Self::Closed {
            code: frame.map(|frame| frame.code.into()),
            reason: frame.map_or_else(String::new, |frame| frame.reason.as_str().to_owned()),
        }
    }
}

impl From<WsError> for LinkFailure {
    fn from(error: WsError) -> Self {
        match error {
            WsError::Io(error) => Self::Broken(error),
            WsError::ConnectionClosed | WsError::AlreadyClosed => Self::closed(None),
            WsError::Http(response) => Self::NotAWebSocket {
                status: response.status().as_u16(),
            },
            WsError::Protocol(
                ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete,
            ) => Self::Ended,
            // Not as it is: a full buffer carries the frame.
            WsError::WriteBufferFull(_) => Self::Protocol {
                error: "it sends pings and does not read the answers".into(),
            },
            error => Self::Protocol {
                error: error.to_string(),
            },
        }
    }
}

/// As much of what came from a peer as belongs into one line.
fn excerpt(said: &impl ToString) -> String {
    const MOST: usize = 200;
    let mut said = said.to_string().replace(char::is_control, " ");
    if said.len() > MOST {
        let end = (0..=MOST).rev().find(|&end| said.is_char_boundary(end));
        said.truncate(end.unwrap_or(0));
        said.push_str("...");
    }
    said
}

fn close_text(code: Option<u16>, reason: &str) -> String {
    match (code, reason) {
        (None, _) => "without a code".into(),
        (Some(code), "") => format!("code {code}"),
        (Some(code), reason) => format!("code {code}, {reason:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_said_is_cut() {
        let long = "ä".repeat(10_000);
        let expected = format!("TLS handshake: {}...", "ä".repeat(100));
        let failure = LinkFailure::Tls(io::Error::other(long.clone()));
        assert_eq!(failure.to_string(), expected);
        let failure = LinkFailure::Protocol { error: long };
        let expected = format!("the peer broke the protocol: {}...", "ä".repeat(100));
        assert_eq!(failure.to_string(), expected);
        let failure = LinkFailure::Tls(io::Error::other("a\nb"));
        assert_eq!(failure.to_string(), "TLS handshake: a b");
    }
}
