//! Why an exchange fails.

use std::error::Error;
use std::io;

/// Why an exchange fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The body of the request, on the side of the client.
    #[error("the request body is invalid or ended early")]
    RequestBody(#[source] Box<dyn Error + Send + Sync>),
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// The backend closed the connection too early.
    #[error("the connection was closed")]
    Closed,
    #[error("{}", .0.kind())]
    Io(#[from] io::Error),
}

/// How a response is not valid HTTP.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("its head is too large")]
    TooLarge,
    #[error("{0}")]
    Head(#[from] httparse::Error),
    #[error("the end of its head is ambiguous")]
    End,
    #[error("invalid status code")]
    Status,
    #[error("invalid Content-Length")]
    ContentLength,
    #[error("Transfer-Encoding in HTTP/1.0")]
    TransferEncoding,
    #[error("invalid size of a chunk")]
    ChunkSize,
    #[error("extensions of chunks are too large")]
    ChunkExtensions,
    #[error("a chunk without an end")]
    ChunkEnd,
    #[error("invalid trailers")]
    Trailers,
    #[error("trailers are too large")]
    ManyTrailers,
}
