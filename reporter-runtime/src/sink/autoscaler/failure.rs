//! Why a link could not be made, or broke.

use std::io;
use std::time::Duration;

use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::tls::TlsError;

/// Why a link could not be made, or broke. Text of the peer is escaped, so that it cannot forge log lines.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkFailure {
    /// The host's name has no address, or the look-up failed.
    #[error("cannot look up {host}: {error}")]
    LookUp {
        /// The name.
        host: String,
        /// The system's error.
        error: io::Error,
    },
    /// No address of the host accepts connections.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The certificates to trust cannot be read any more.
    #[error("ca_file {0}")]
    Trust(#[from] TlsError),
    /// The peer does not speak TLS, or its certificate is not trusted.
    #[error("TLS handshake: {}", excerpt(.0))]
    Tls(io::Error),
    /// The peer speaks HTTP but not WebSocket.
    #[error("the peer responded with HTTP {status} in place of a WebSocket")]
    NotAWebSocket {
        /// The status of its response.
        status: u16,
    },
    /// The peer did not complete the handshake in time.
    #[error("no WebSocket handshake within {}", humantime::format_duration(*limit))]
    HandshakeTimeout {
        /// The timeout.
        limit: Duration,
    },
    /// The peer closed the link, as it does when it restarts (code 1012).
    #[error("the peer closed the link: {}", close_text(*code, reason))]
    Closed {
        /// The WebSocket close code, if the peer sent one.
        code: Option<u16>,
        /// The reason that came with it.
        reason: String,
    },
    /// No pong came in time.
    #[error("no pong within {}", humantime::format_duration(*limit))]
    Silent {
        /// The timeout.
        limit: Duration,
    },
    /// The peer does not read.
    #[error("the peer did not read a frame within {}", humantime::format_duration(*limit))]
    Stalled {
        /// The timeout.
        limit: Duration,
    },
    /// The connection ended without a close frame, as when the peer's process dies.
    #[error("the peer ended the connection")]
    Ended,
    /// The connection failed.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// The peer violated the WebSocket protocol.
    #[error("the peer broke the protocol: {}", excerpt(.error))]
    Protocol {
        /// How.
        error: String,
    },
}

impl LinkFailure {
    /// Whether the peer announced a restart: it will be back.
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
                error: "it sends pings and does not read the pongs".into(),
            },
            error => Self::Protocol {
                error: error.to_string(),
            },
        }
    }
}

/// The start of a peer's text, on one line.
fn excerpt(text: &impl ToString) -> String {
    const LIMIT: usize = 200;
    let mut text = text.to_string().replace(char::is_control, " ");
    if text.len() > LIMIT {
        let end = (0..=LIMIT).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
        text.push_str("...");
    }
    text
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
    fn text_of_a_peer_is_cut() {
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
