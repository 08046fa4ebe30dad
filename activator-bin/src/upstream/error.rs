//! Why a backend gave no response, in words for people.

use std::error::Error;
use std::io;

use http::Request;
use reporter_metrics::ErrorReason;

use super::http1::{Fault, Invalid};
use super::place::Place;
use crate::logging::excerpt::Excerpt;
use crate::message::request_body::RequestBody;
use crate::throttle::Complaint;

/// Why a backend gave no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// This process has no descriptor left for a connection.
    #[error("cannot connect to backend {0}: too many open files")]
    OutOfDescriptors(Box<Place>),
    /// The connection cannot be established.
    #[error("cannot connect to backend {backend}: {}", cause(.source))]
    Connect {
        backend: Box<Place>,
        source: io::Error,
    },
    /// It accepted the connection but did not start the protocol.
    #[error("backend {0} accepted the connection but did not respond in time")]
    Silent(Box<Place>),
    /// There are no CA certificates to verify it with.
    #[error("cannot reach backend {0} over TLS: {1}")]
    NoAuthorities(Box<Place>, Missing),
    /// The handshake failed, or its certificate is not valid.
    #[error("TLS handshake with backend {backend} failed: {}", tls_cause(.source))]
    Tls {
        backend: Box<Place>,
        source: rustls::Error,
    },
    /// It closed or lost the connection.
    #[error("backend {backend} {} before responding", loss(.source.as_ref()))]
    Lost {
        backend: Box<Place>,
        source: Option<io::Error>,
    },
    /// The response is not valid HTTP.
    #[error("backend {backend} sent an invalid response: {}", Excerpt(.source))]
    Invalid {
        backend: Box<Place>,
        source: Invalid,
    },
    /// It switched to a protocol that was not offered.
    #[error("backend {0} switched to a protocol that was not requested")]
    Switched(Box<Place>),
    /// The transfer coding of the response cannot be forwarded.
    #[error("backend {0} sent a response with an unknown transfer coding")]
    TransferCoding(Box<Place>),
    /// The response has more headers than this.
    #[error("backend {0} sent a response with more than {1} headers")]
    ManyHeaders(Box<Place>, usize),
    /// The client's side of the exchange failed, not the backend's.
    #[error("the request body is invalid or ended early")]
    RequestBody(#[source] Box<dyn Error + Send + Sync>),
    /// The request target cannot be expressed in HTTP/2.
    #[error("this request target cannot be sent over HTTP/2, which the backend speaks")]
    Target,
    /// It does not speak HTTP/2, or closed the connection before its SETTINGS.
    #[error("backend {0} closed the connection instead of speaking HTTP/2")]
    NoHttp2(Box<Place>),
    /// It allows no concurrent streams.
    #[error("backend {0} accepts no requests on its HTTP/2 connections")]
    Unwilling(Box<Place>),
    /// The connection limit is reached.
    #[error(
        "cannot connect to backend {0}: the limit on HTTP/2 connections to backends is reached"
    )]
    Crowded(Box<Place>),
    /// It ended the exchange or violated HTTP/2.
    #[error("backend {backend} ended the request before responding: {}", Excerpt(.source))]
    Ended {
        backend: Box<Place>,
        source: h2::Error,
    },
}

/// Why there are no CA certificates.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Missing {
    #[error("[backend_tls].ca_file was not set at startup")]
    Setting,
    #[error(
        "there are no CA certificates, neither in ca.crt of the Secret routing-serving-certs nor in a trust bundle"
    )]
    Objects,
}

/// A request that got no response.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(crate) struct Failed {
    pub(crate) error: UpstreamError,
    /// The request, if it may be sent again: it is unsent, or it is idempotent and no byte of a response has arrived.
    pub(crate) again: Option<Box<Request<RequestBody>>>,
    /// The reason not to send further requests to this backend, if any.
    pub(crate) complaint: Option<Complaint>,
}

impl From<UpstreamError> for Failed {
    fn from(error: UpstreamError) -> Self {
        Self {
            complaint: error.complaint(),
            error,
            again: None,
        }
    }
}

impl Failed {
    /// The request, if it may be sent on a new connection.
    ///
    /// Backends may close idle connections at any time, so only a failure on a new one says something about the
    /// backend.
    pub(super) fn on_used_connection(mut self) -> Result<Box<Request<RequestBody>>, Self> {
        self.complaint = self.complaint.filter(|it| *it != Complaint::Closed);
        match self.again.take_if(|_| self.complaint.is_none()) {
            Some(request) => Ok(request),
            None => Err(self),
        }
    }
}

impl UpstreamError {
    /// Whether the backend cannot be reached. False if this machine lacks a resource.
    pub(crate) fn is_unreachable(&self) -> bool {
        use io::ErrorKind as Kind;
        let Self::Connect { backend, source } = self else {
            return false;
        };
        let is_missing = backend.socket.is_some() && source.kind() == Kind::NotFound;
        let is_closed = matches!(
            source.kind(),
            Kind::ConnectionRefused | Kind::ConnectionReset | Kind::ConnectionAborted
        );
        is_closed || is_missing || is_out_of_reach(source.kind())
    }

    /// What a failure of this kind says about the backend.
    fn complaint(&self) -> Option<Complaint> {
        match self {
            Self::Lost {
                source: Some(source),
                ..
            } if is_out_of_reach(source.kind()) => Some(Complaint::Vanished),
            // During the TLS handshake.
            Self::Connect { source, .. } if is_end(source.kind()) => Some(Complaint::Closed),
            error => error.is_unreachable().then_some(Complaint::Unreachable),
        }
    }

    /// A failed TLS connection.
    pub(super) fn tls(backend: &Place, error: io::Error) -> Self {
        let backend = Box::new(backend.clone());
        match error.downcast::<rustls::Error>() {
            Ok(source) => Self::Tls { backend, source },
            Err(source) => Self::Connect { backend, source },
        }
    }

    /// The reason under which it is counted.
    pub(crate) fn reason(&self) -> ErrorReason {
        match self {
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
                ErrorReason::BackendTimeout
            }
            Self::Silent(_) | Self::Unwilling(_) | Self::Crowded(_) => ErrorReason::BackendTimeout,
            Self::Connect { .. } | Self::NoAuthorities(..) | Self::Tls { .. } => {
                ErrorReason::BackendRefused
            }
            Self::Lost { .. } | Self::Ended { .. } => ErrorReason::BackendReset,
            Self::Invalid { .. }
            | Self::Switched(_)
            | Self::TransferCoding(_)
            | Self::ManyHeaders(..)
            | Self::NoHttp2(_) => ErrorReason::BackendBadResponse,
            Self::RequestBody(source) if is_taken_back(&**source) => ErrorReason::ClientGone,
            Self::RequestBody(_) | Self::Target => ErrorReason::BadRequest,
            Self::OutOfDescriptors(_) => ErrorReason::OutOfDescriptors,
        }
    }

    pub(super) fn http1(backend: &Place, fault: Fault) -> Self {
        let backend = Box::new(backend.clone());
        match fault {
            Fault::RequestBody(source) => Self::RequestBody(source),
            Fault::Invalid(source) => Self::Invalid { backend, source },
            Fault::Closed => Self::Lost {
                backend,
                source: None,
            },
            Fault::Io(source) => Self::Lost {
                backend,
                source: Some(source),
            },
        }
    }

    pub(super) fn http2(backend: &Place, error: h2::Error) -> Self {
        let backend = Box::new(backend.clone());
        match error.get_io() {
            Some(io) => Self::Lost {
                backend,
                source: Some(io.kind().into()),
            },
            None => Self::Ended {
                backend,
                source: error,
            },
        }
    }
}

/// Whether the peer has closed the connection.
fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(kind, Kind::UnexpectedEof | Kind::BrokenPipe)
}

/// Whether packets do not get through, in either direction.
fn is_out_of_reach(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::TimedOut
    )
}

/// Whether the client reset the stream of an HTTP/2 request body, or its connection ended on either side.
fn is_taken_back(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    let error = causes.find_map(|cause| cause.downcast_ref::<h2::Error>());
    error.is_some_and(|error| !error.is_reset() || error.is_remote())
}

/// What happened, without the number of the OS error.
fn cause(error: &io::Error) -> String {
    error.kind().to_string()
}

fn tls_cause(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => "its response is not TLS".to_owned(),
        error => Excerpt(error).to_string(),
    }
}

fn loss(error: Option<&io::Error>) -> String {
    match error {
        Some(error) => format!("lost the connection ({})", cause(error)),
        None => "closed the connection".to_owned(),
    }
}
