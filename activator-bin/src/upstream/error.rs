//! Why there is no answer from a backend, in words for people.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// There is no connection to the backend.
    #[error("cannot connect to backend {backend}: {}", cause(.source))]
    Connect {
        backend: SocketAddr,
        source: io::Error,
    },
    /// It closed or lost the connection.
    #[error("backend {backend} {} before it answered", loss(.source.as_ref()))]
    Lost {
        backend: SocketAddr,
        source: Option<io::Error>,
    },
    /// Its answer is none.
    #[error("backend {backend} sent an invalid answer: {source}")]
    Invalid {
        backend: SocketAddr,
        source: hyper::Error,
    },
    /// It changed the protocol, which nobody had asked for.
    #[error("backend {0} switched to another protocol without being asked to")]
    Switched(SocketAddr),
    /// Its answer is coded in a way that cannot be passed on.
    #[error("backend {0} sent an answer in an unknown transfer coding")]
    TransferCoding(SocketAddr),
    /// The client's side of the exchange failed, not the backend's.
    #[error("the request's body is invalid or ended early")]
    RequestBody(#[source] hyper::Error),
}

impl UpstreamError {
    pub(super) fn exchange(backend: SocketAddr, error: hyper::Error) -> Self {
        if error.is_user() {
            return Self::RequestBody(error);
        }
        if error.is_parse() {
            return Self::Invalid {
                backend,
                source: error,
            };
        }
        let source = error
            .source()
            .and_then(|source| source.downcast_ref::<io::Error>())
            .map(|error| error.kind().into());
        Self::Lost { backend, source }
    }
}

/// What happened, without the number of the operating system's error.
fn cause(error: &io::Error) -> String {
    error.kind().to_string()
}

fn loss(error: Option<&io::Error>) -> String {
    match error {
        Some(error) => format!("lost the connection ({})", cause(error)),
        None => "closed the connection".to_owned(),
    }
}
