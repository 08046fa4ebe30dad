//! Why there is no answer from a backend, in words for people.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use http::Request;
use reporter_metrics::ErrorReason;

use crate::logging::excerpt::Excerpt;
use crate::message::request_body::RequestBody;
use crate::throttle::Complaint;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// This process has no descriptor left for a connection.
    #[error("cannot connect to backend {0}: too many open files")]
    OutOfDescriptors(SocketAddr),
    /// There is no connection to the backend.
    #[error("cannot connect to backend {backend}: {}", cause(.source))]
    Connect {
        backend: SocketAddr,
        source: io::Error,
    },
    /// It took the connection, and said nothing that one could begin with.
    #[error("backend {0} accepted the connection and then said nothing in time")]
    Silent(SocketAddr),
    /// There is nothing to verify it with.
    #[error("no TLS with backend {0}: [backend_tls] had no ca_file at the start")]
    NoAuthorities(SocketAddr),
    /// It cannot be spoken to over TLS, or is not known to be who it should be.
    #[error("no TLS with backend {backend}: {}", tls_cause(.source))]
    Tls {
        backend: SocketAddr,
        source: rustls::Error,
    },
    /// It closed or lost the connection.
    #[error("backend {backend} {} before it answered", loss(.source.as_ref()))]
    Lost {
        backend: SocketAddr,
        source: Option<io::Error>,
    },
    /// Its answer is none.
    #[error("backend {backend} sent an invalid answer: {}", Excerpt(.source))]
    Invalid {
        backend: SocketAddr,
        source: hyper::Error,
    },
    /// It changed the protocol, and not to one that was offered.
    #[error("backend {0} switched to a protocol that nobody asked for")]
    Switched(SocketAddr),
    /// Its answer is coded in a way that cannot be passed on.
    #[error("backend {0} sent an answer in an unknown transfer coding")]
    TransferCoding(SocketAddr),
    /// Its answer has more headers than this.
    #[error("backend {0} sent an answer with more than {1} headers")]
    ManyHeaders(SocketAddr, usize),
    /// The client's side of the exchange failed, not the backend's.
    #[error("the request's body is invalid or ended early")]
    RequestBody(#[source] Box<dyn Error + Send + Sync>),
    /// HTTP/2 has no room for the request's target.
    #[error(
        "over HTTP/2, which the backend speaks, this request target cannot be passed on as it came"
    )]
    Target,
    /// It does not speak HTTP/2, or closes before it has said so.
    #[error("backend {0} closed the connection instead of speaking HTTP/2")]
    NoHttp2(SocketAddr),
    /// It has said that it takes none.
    #[error("backend {0} takes no requests on its HTTP/2 connections")]
    Unwilling(SocketAddr),
    /// Others have all the connections that there may be.
    #[error("no room for a connection to backend {0}: there are as many over HTTP/2 as may be")]
    Crowded(SocketAddr),
    /// It has ended the exchange, or has broken HTTP/2's rules.
    #[error("backend {backend} ended the request before it answered: {}", Excerpt(.source))]
    Ended {
        backend: SocketAddr,
        source: h2::Error,
    },
}

/// A request that got no answer.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(crate) struct Failed {
    pub(crate) error: UpstreamError,
    /// The request, when it may be sent again: nothing of it was sent, or not a byte of a response
    /// has come and to be sent twice does no harm.
    pub(crate) again: Option<Box<Request<RequestBody>>>,
    /// What speaks against sending further requests to this backend.
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
    /// The request, when it may be sent on a new connection.
    ///
    /// A backend closes idle connections as it likes: only a new one shows what is the matter with it.
    pub(super) fn on_used_connection(mut self) -> Result<Box<Request<RequestBody>>, Self> {
        self.complaint = self.complaint.filter(|it| *it != Complaint::Closed);
        match self.again.take_if(|_| self.complaint.is_none()) {
            Some(request) => Ok(request),
            None => Err(self),
        }
    }
}

impl UpstreamError {
    /// Whether it is the backend that cannot be reached, and not this machine that is out of something.
    pub(crate) fn is_unreachable(&self) -> bool {
        use io::ErrorKind as Kind;
        let Self::Connect { source, .. } = self else {
            return false;
        };
        let is_closed = matches!(
            source.kind(),
            Kind::ConnectionRefused | Kind::ConnectionReset | Kind::ConnectionAborted
        );
        is_closed || is_out_of_reach(source.kind())
    }

    /// What every such failure says about the backend.
    fn complaint(&self) -> Option<Complaint> {
        match self {
            Self::Lost {
                source: Some(source),
                ..
            } if is_out_of_reach(source.kind()) => Some(Complaint::Vanished),
            // Before it was known who it is.
            Self::Connect { source, .. } if is_end(source.kind()) => Some(Complaint::Closed),
            error => error.is_unreachable().then_some(Complaint::Unreachable),
        }
    }

    /// What came in the way of a connection over TLS.
    pub(super) fn tls(backend: SocketAddr, error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(source) => Self::Tls { backend, source },
            Err(source) => Self::Connect { backend, source },
        }
    }

    /// As which it is counted.
    pub(crate) fn reason(&self) -> ErrorReason {
        match self {
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
                ErrorReason::BackendTimeout
            }
            Self::Silent(_) | Self::Unwilling(_) | Self::Crowded(_) => ErrorReason::BackendTimeout,
            Self::Connect { .. } | Self::NoAuthorities(_) | Self::Tls { .. } => {
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

    pub(super) fn exchange(backend: SocketAddr, error: hyper::Error) -> Self {
        if error.is_user() {
            return Self::RequestBody(error.into());
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

    pub(super) fn http2(backend: SocketAddr, error: h2::Error) -> Self {
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

/// Whether it is how a connection ends that the other side closes.
fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(kind, Kind::UnexpectedEof | Kind::BrokenPipe)
}

/// Whether packets do not come through, or not back.
fn is_out_of_reach(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::TimedOut
    )
}

/// Whether it is what becomes of a body over HTTP/2 whose client does not want the request any more, or whose
/// connection has ended, whoever is to blame for that.
fn is_taken_back(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    let error = causes.find_map(|cause| cause.downcast_ref::<h2::Error>());
    error.is_some_and(|error| !error.is_reset() || error.is_remote())
}

/// What happened, without the number of the operating system's error.
fn cause(error: &io::Error) -> String {
    error.kind().to_string()
}

fn tls_cause(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => "what it answers is not TLS".to_owned(),
        error => Excerpt(error).to_string(),
    }
}

fn loss(error: Option<&io::Error>) -> String {
    match error {
        Some(error) => format!("lost the connection ({})", cause(error)),
        None => "closed the connection".to_owned(),
    }
}
